"""Photos of the shop for browsers: as they are, or scaled to a few widths.

In: a path below /media/. Out: bytes of a JPEG, PNG or WebP. Fails with a Problem: 404 for what is no photo of
the shop, 503 where it cannot be read now. Scaled photos are upright and carry nothing of the original's
metadata; they are kept in memory, bounded.
"""

import asyncio
import hashlib
import io
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from PIL import Image

from models.photo import PhotoError, decode_photo, photo_extension
from streams.gateway.problems import Problem, unavailable
from streams.media import MediaError, MediaResolver, MediaUnavailable

WIDTHS_PX: Final = (160, 320, 640)
_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_KEPT_BYTES: Final = 64_000_000
_QUALITY: Final = 82
_DECODING: Final = 2  # threads, each with a photo of up to 25 megapixels in hand


@dataclass(frozen=True, slots=True)
class Served:
    """A photo to send: `tag` names its content."""

    data: bytes
    content_type: str
    tag: str


class Thumbnails:
    """Reads photos through `media` and scales them in threads of its own."""

    def __init__(self, media: MediaResolver) -> None:
        self._media = media
        self._threads = ThreadPoolExecutor(_DECODING, thread_name_prefix="thumbnails")
        self._kept: OrderedDict[tuple[str, int], Served] = OrderedDict()
        self._kept_bytes = 0

    async def serve(self, path: str, width_px: int | None) -> Served:
        """The photo at a path below the media root, or one that came inside an event, at this width."""
        if ":" in path.partition("/")[0]:
            raise _not_found()
        try:
            data = await self._media.fetch(path)
        except MediaError:
            raise _not_found() from None
        except MediaUnavailable as error:
            raise unavailable(str(error)) from None
        extension = photo_extension(data)
        if extension is None:
            raise _not_found()
        loop = asyncio.get_running_loop()
        digest = await loop.run_in_executor(self._threads, lambda: hashlib.sha256(data).hexdigest())
        if width_px is None:
            return Served(data, _TYPES[extension], digest[:32])
        held = self._kept.get((digest, width_px))
        if held is None:
            try:
                scaled = await loop.run_in_executor(self._threads, _scaled, data, width_px)
            except PhotoError:
                raise _not_found() from None
            held = Served(scaled, "image/jpeg", f"{digest[:32]}-{width_px}")
            self._keep((digest, width_px), held)
        self._kept.move_to_end((digest, width_px))
        return held

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _keep(self, key: tuple[str, int], served: Served) -> None:
        if key in self._kept:  # two asked at once
            return
        self._kept[key] = served
        self._kept_bytes += len(served.data)
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= len(oldest.data)


def _scaled(data: bytes, width_px: int) -> bytes:
    photo = decode_photo(data)
    image = Image.fromarray(photo.pixels)
    if image.width > width_px:
        height_px = max(1, round(image.height * width_px / image.width))
        image = image.resize((width_px, height_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return out.getvalue()


def _not_found() -> Problem:
    return Problem(404, "no such photo")
