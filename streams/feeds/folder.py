"""A folder of photos as a catalogue: a photo is a product, its sub-folder the category.

In: a folder. Out: an upload per JPEG, PNG or WebP file below it, in the order of their paths; other files are
no photos and not looked at. What can fail: a photo or a sub-folder that cannot be read is a FeedError.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.errors import SchemaError
from schemas.events import validate
from schemas.products import ProductUploaded
from streams.feeds.items import FeedError, FeedEvent, new_event
from streams.feeds.photos import MEDIA_TYPES, PhotoLinks, PhotoUnusable

MAX_ID_CHARS: Final = 64
_HASH_CHARS: Final = 10
_UNSAFE: Final = re.compile(r"[^\w.~-]+")


def read_folder(folder: Path, links: PhotoLinks) -> Iterator[FeedEvent | FeedError]:
    """An upload per photo below `folder`."""
    taken: set[str] = set()
    for photo in _photos(folder):
        if isinstance(photo, FeedError):
            yield photo
            continue
        relative = PurePosixPath(photo.relative_to(folder).as_posix())
        id = product_id(relative, taken)
        taken.add(id)
        try:
            data = {"id": id, "image_link": links.to_file(photo)}
            if relative.parent.parts:
                data["category"] = relative.parent.as_posix()
            yield FeedEvent(
                str(photo), new_event("product.uploaded", validate(ProductUploaded, data, "photo"), id)
            )
        except (PhotoUnusable, SchemaError) as error:
            yield FeedError(str(photo), str(error))


def product_id(relative: PurePosixPath, taken: set[str]) -> str:
    """A product id from a photo's path: readable, at most 64 characters, and none of `taken`.

    It stays the same from run to run: where the readable form is too long or taken, it ends in a hash of the
    path.

    >>> product_id(PurePosixPath("shorts/blue denim.jpg"), set())
    'shorts-blue-denim'
    """
    readable = unicodedata.normalize("NFC", "-".join(relative.with_suffix("").parts))
    readable = _UNSAFE.sub("-", readable).strip("-") or "photo"
    if len(readable) <= MAX_ID_CHARS and readable not in taken:
        return readable
    digest = hashlib.sha256(os.fsencode(str(relative))).hexdigest()[:_HASH_CHARS]
    return f"{readable[: MAX_ID_CHARS - _HASH_CHARS - 1]}-{digest}"


def _photos(folder: Path) -> Iterator[Path | FeedError]:
    failed: list[FeedError] = []
    walk = os.walk(folder, onerror=lambda error: failed.append(FeedError(str(error.filename), str(error))))
    for directory, subfolders, names in walk:
        yield from failed
        failed.clear()
        subfolders.sort()
        for name in sorted(names):
            if Path(name).suffix.lower() in MEDIA_TYPES:
                yield Path(directory) / name
    yield from failed
