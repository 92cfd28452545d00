"""look: a photo in, its garments and similar products of each out.

In: the bytes of a photo. Out: the answer as JSON-like data, with how long each step took. Fails with a
Problem (422) for what is no photo, and with VectorStoreUnavailable. The vision is loaded in the background
when the gateway starts; what comes before it is ready waits for it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from models.photo import Photo, PhotoError, decode_photo
from models.vision import Garment, Vision, garment_id
from streams.gateway.problems import Problem, unavailable
from streams.gateway.showing import Showing
from streams.gateway.similar import Wanted, similar
from vectorstore.base import VectorStore

MOST_WAITING: Final = 32
"""Photos in hand at a time; each waits for the one thread with up to 15 MB."""


class Looking:
    """The vision behind one thread of its own, and what is done with its garments."""

    def __init__(
        self,
        opened: Callable[[], Vision],
        store: VectorStore,
        showing: Showing,
        among: Callable[[str], str] = str,
    ) -> None:
        """`opened` loads the vision; it is called in the thread, and again if it failed.

        `among` tells the part of the shop's garments to look among for one of the photo's parts.
        """
        self._opened, self._store, self._showing, self._among = opened, store, showing, among
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vision")
        self._decoding = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._vision: asyncio.Future[Vision] | None = None
        self._waiting = 0

    def start(self) -> None:
        """Begin to load the vision."""
        self._load()

    def close(self) -> None:
        """End the threads."""
        for threads in (self._thread, self._decoding):
            threads.shutdown(wait=False, cancel_futures=True)

    async def look(self, data: bytes, k: int) -> dict[str, Any]:
        """The garments of a photo, `k` similar products of each; a Problem (503) where too many wait."""
        if self._waiting >= MOST_WAITING:
            raise unavailable("too many photos are being looked at", 2)
        self._waiting += 1
        try:
            return await self._looked(data, k)
        finally:
            self._waiting -= 1

    async def _looked(self, data: bytes, k: int) -> dict[str, Any]:
        loop, started_s = asyncio.get_running_loop(), time.perf_counter()
        try:
            photo = await loop.run_in_executor(self._decoding, decode_photo, data)
        except PhotoError as error:
            raise Problem(422, str(error), "photo", field="body") from None
        vision = await asyncio.shield(self._load())
        decoded_s = time.perf_counter()
        [garments] = await loop.run_in_executor(self._thread, vision.garments, [photo])
        seen_s = time.perf_counter()
        wanted = [_wanted(photo, place, garment, self._among) for place, garment in enumerate(garments)]
        items = await similar(self._store, self._showing, wanted, k) if wanted else []
        found_s = time.perf_counter()
        return {
            "photo": {"width": photo.source_width, "height": photo.source_height},
            "model": {"detector": vision.detector, "embedder": vision.embedder},
            "ms": {
                "decode": _ms(decoded_s - started_s),
                "vision": _ms(seen_s - decoded_s),
                "query": _ms(found_s - seen_s),
            },
            "garments": [
                {
                    "garment_id": one.garment_id,
                    "part": garment.part,
                    "category": garment.category,
                    "score": round(garment.score, 4),
                    "box_xyxy": [round(side, 1) for side in garment.box_xyxy],
                    "similar": of_one,
                }
                for one, garment, of_one in zip(wanted, garments, items, strict=True)
            ],
        }

    def _load(self) -> "asyncio.Future[Vision]":
        failed = self._vision is not None and self._vision.done() and self._vision.exception() is not None
        if self._vision is None or failed:
            loop = asyncio.get_running_loop()
            self._vision = loop.run_in_executor(self._thread, self._warmed)
        return self._vision

    def _warmed(self) -> Vision:
        vision = self._opened()
        with contextlib.suppress(Exception):  # the first pass takes long; nobody is to wait for it
            vision.garments([_blank()])
        return vision


def _blank() -> Photo:
    return Photo(np.zeros((64, 64, 3), np.uint8), 64, 64, "0" * 64)


def _wanted(photo: Photo, place: int, garment: Garment, among: Callable[[str], str]) -> Wanted:
    own = garment_id(f"photo {photo.sha256}", 0, place)
    box = [round(side, 1) for side in garment.box_xyxy]
    because = {"product_id": None, "garment_id": own, "action": "look", "share": 1.0, "box_xyxy": box}
    return Wanted(own, among(garment.part), garment.embedding, because)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
