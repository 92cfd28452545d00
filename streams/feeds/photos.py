"""Photos of a feed: the link that an event carries for a photo that lies here.

In: a file, or a link as a feed has it. Out: a path relative to the media root where the photo lies below it,
else the photo itself as a data: URI. What can fail: PhotoUnusable, saying why.
"""

import base64
import re
from pathlib import Path
from typing import Final

MEDIA_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
MAX_INLINE_BYTES: Final = 15_000_000
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class PhotoUnusable(ValueError):  # noqa: N818 (reads as the state it reports)
    """A photo cannot be linked to or sent."""


class PhotoLinks:
    """Makes links.

    Args:
        media_root: the folder that lookstream resolves relative links under; None if it is elsewhere.
        beside: the feed's folder, whose photos may be sent inline; nothing outside it is ever read.
    """

    def __init__(self, media_root: Path | None, beside: Path) -> None:
        self._root = media_root.resolve() if media_root is not None and media_root.is_dir() else None
        self._beside = beside.resolve()

    def to_file(self, photo: Path) -> str:
        """The link for a photo in a file. Raises PhotoUnusable."""
        try:
            resolved = photo.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise PhotoUnusable(f"{photo}: {error}") from None
        if self._root is not None and resolved.is_relative_to(self._root):
            link = resolved.relative_to(self._root).as_posix()
            if not _SCHEME.match(link) and "\\" not in link:  # would be read as something else
                return link
        return _inline(resolved)

    def to_link(self, link: str) -> str:
        """A working link for one that a feed has, such as a path to a photo beside the feed.

        https and data: links stay as they are, and so do paths that only the media root's machine can know.
        """
        if link.lower().startswith(("https://", "data:")) or not link:
            return link
        if _SCHEME.match(link) or Path(link).is_absolute():
            raise PhotoUnusable(f"got {link[:80]!r}, expected a relative path, an https or a data: link")
        if self._root is not None and (self._root / link).is_file():
            return link
        photo = (self._beside / link).resolve()
        if photo.is_file() and photo.is_relative_to(self._beside):
            return self.to_file(photo)
        if self._root is not None:
            raise PhotoUnusable(f"no photo {link!r} below {self._root} or below {self._beside}")
        return link


def _inline(photo: Path) -> str:
    media_type = MEDIA_TYPES.get(photo.suffix.lower())
    if media_type is None:
        raise PhotoUnusable(f"{photo.name}: expected a photo ({', '.join(MEDIA_TYPES)})")
    try:
        size_bytes = photo.stat().st_size
        if not 0 < size_bytes <= MAX_INLINE_BYTES:
            allowed = f"between 1 byte and {MAX_INLINE_BYTES / 1e6:g} MB"
            raise PhotoUnusable(f"{photo.name}: {size_bytes / 1e6:.1f} MB, expected {allowed}")
        return f"data:{media_type};base64,{base64.b64encode(photo.read_bytes()).decode()}"
    except OSError as error:
        raise PhotoUnusable(f"{photo.name}: {error.strerror}") from None
