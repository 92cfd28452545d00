"""The vision off the event loop: one thread of its own, one pass per batch.

In: decoded photos. Out: their garments. torch would block the loop, and with it Faust's heartbeats; one
thread because torch's own threads are set at the start.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from models.photo import Photo
from models.vision import Garment, Vision


class ThreadedEyes:
    """A `Vision` behind a one-thread executor, in micro-batches of at most `batch` photos."""

    def __init__(self, vision: Vision, batch: int) -> None:
        self.detector, self.embedder = vision.detector, vision.embedder
        self._vision, self._batch = vision, batch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vision")

    async def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        """The garments of each photo."""
        loop, found = asyncio.get_running_loop(), []
        for start in range(0, len(photos), self._batch):
            chunk = list(photos[start : start + self._batch])
            found += await loop.run_in_executor(self._thread, self._vision.garments, chunk)
        return found

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
