"""From an `image_link` to the bytes of the photo.

In: a path relative to the media root, a `data:image/...;base64,` URI, a reference `inline/<sha256>.<ext>` to
a photo stored here before, or an https URL of an allowed host. Out: bytes, not yet decoded, of bounded size.
`MediaError`: the link is refused or leads nowhere, for good. `MediaUnavailable`: try again later.
"""

from __future__ import annotations

import asyncio
import binascii
import errno
import hashlib
import os
import re
import stat
import uuid
from pathlib import Path

from models.photo import photo_extension
from streams.media_https import HttpsMedia, MediaError, MediaLimits, MediaUnavailable, Transport

__all__ = ["MediaError", "MediaLimits", "MediaResolver", "MediaUnavailable", "Transport"]

DEFAULT_LIMITS = MediaLimits()
DEFAULT_TRANSPORT = Transport()
_DATA_HEADER = re.compile(r"data:image/[^,]*;base64", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_INLINE = re.compile(r"inline/([0-9a-f]{64})\.(?:jpg|png|webp)")
# Not blocking: opening a FIFO would otherwise wait for a writer. Not following: the link was resolved before.
_OPEN_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
)
_GONE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}
)


class MediaResolver:
    """Fetches photos by their image_link, and keeps those that came inside an event.

    Use it from one event loop, and `aclose()` it there.
    """

    def __init__(
        self,
        media_root: Path | None,
        inline_dir: Path,
        allowed_hosts: frozenset[str] = frozenset(),
        limits: MediaLimits = DEFAULT_LIMITS,
        transport: Transport = DEFAULT_TRANSPORT,
    ) -> None:
        """Paths are read under `media_root` (None: refused); `inline_dir` is made when first needed.

        Raises ValueError when an allowed host is no host name.
        """
        self._media_root = media_root
        self._inline_dir = inline_dir
        self._limits = limits
        self._https = HttpsMedia(allowed_hosts, limits, transport)

    async def fetch(self, image_link: str) -> bytes:
        """Return the photo's bytes, at most `limits.max_bytes`. Raises MediaError or MediaUnavailable."""
        if _INLINE.fullmatch(image_link):
            return await asyncio.to_thread(self._read_inline, image_link)
        scheme = _SCHEME.match(image_link)
        if scheme is None:
            return await asyncio.to_thread(self._read_path, image_link)
        match scheme.group(1).lower():
            case "data":
                return await asyncio.to_thread(self._decode_data_uri, image_link)
            case "https":
                return await self._https.fetch(image_link)
            case other:
                raise MediaError(
                    f"image_link: scheme {other[:20]!r} is not accepted, expected a path relative to the "
                    "media root, data:image/...;base64,... or https"
                )

    def store_inline(self, data: bytes) -> str:
        """Keep a photo under its SHA-256 and return the reference that `fetch` understands. Blocks.

        Storing the same bytes again changes nothing. Raises MediaError when they are too large or neither
        JPEG nor PNG nor WEBP, MediaUnavailable when they cannot be written.
        """
        self._check_size(len(data), "inline photo")
        extension = photo_extension(data)
        if extension is None:
            raise MediaError("image_link: the inline photo is neither JPEG nor PNG nor WEBP")
        name = f"{hashlib.sha256(data).hexdigest()}.{extension}"
        target = self._inline_dir / name
        try:
            if not (target.is_file() and target.stat().st_size == len(data)):
                self._inline_dir.mkdir(parents=True, exist_ok=True)
                _write_atomically(target, data)
        except OSError as error:
            raise MediaUnavailable(f"image_link: cannot store the inline photo: {error.strerror}") from error
        return f"inline/{name}"

    async def aclose(self) -> None:
        """Close the connections to photo hosts."""
        await self._https.aclose()

    def _read_inline(self, reference: str) -> bytes:
        data = self._read_file(self._inline_dir / reference.removeprefix("inline/"), reference)
        if hashlib.sha256(data).hexdigest() not in reference:
            raise MediaError(f"image_link: {reference} is damaged, its bytes do not have that SHA-256")
        return data

    def _read_path(self, link: str) -> bytes:
        shown = repr(link if len(link) <= 80 else link[:77] + "...")
        if self._media_root is None:
            raise MediaError(f"image_link: {shown} is a path, and no media root is configured")
        if not link or link.startswith("/") or "\\" in link or "\0" in link or ".." in link.split("/"):
            raise MediaError(f"image_link: {shown} is not a plain path relative to the media root")
        try:
            root = self._media_root.resolve(strict=True)
        except OSError as error:  # a volume that is not mounted yet, say
            raise MediaUnavailable(f"image_link: the media root cannot be read: {error.strerror}") from error
        try:
            path = (root / link).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise MediaError(f"image_link: no file {shown} under the media root") from error
        if not path.is_relative_to(root):
            raise MediaError(f"image_link: {shown} leads out of the media root")
        return self._read_file(path, shown)

    def _read_file(self, path: Path, shown: str) -> bytes:
        try:
            with os.fdopen(os.open(path, _OPEN_FLAGS), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise MediaError(f"image_link: {shown} is not a regular file")
                self._check_size(status.st_size, shown)
                data = file.read(self._limits.max_bytes + 1)
        except OSError as error:
            kind = MediaError if error.errno in _GONE else MediaUnavailable
            raise kind(f"image_link: cannot read {shown}: {error.strerror}") from error
        self._check_size(len(data), shown)  # it may have grown
        return data

    def _decode_data_uri(self, link: str) -> bytes:
        header, comma, payload = link.partition(",")
        shown = f"data URI of {len(link)} characters"
        if not comma or not _DATA_HEADER.fullmatch(header):
            raise MediaError(f"image_link: {shown} does not begin with data:image/...;base64,")
        self._check_size(len(payload) // 4 * 3 - payload[-2:].count("="), shown)
        try:
            # What the header says of the format is ignored: the decoder goes by the bytes.
            return binascii.a2b_base64(payload, strict_mode=True)
        except ValueError as error:
            raise MediaError(f"image_link: {shown} is not valid base64: {error}") from error

    def _check_size(self, size: int, shown: str) -> None:
        most = self._limits.max_bytes
        if size > most:
            raise MediaError(f"image_link: {shown}: {size / 1e6:.1f} MB, at most {most / 1e6:g} are allowed")


def _write_atomically(target: Path, data: bytes) -> None:
    """Write beside the target and rename: whoever looks finds the whole file or none."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
