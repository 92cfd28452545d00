"""COCO object detection JSON, read: `images`, `annotations` and `categories` of any tool's file.

In: the file and the folder of its photos. Out: labelled photos in the order of `images`, landmarks, style and
pair_id with them where there are any. Annotations wait for their photo packed, half a kilobyte each, so that
the 300,000 of DeepFashion2 fit. Malformed entries are left out and told to `Skipped`; DatasetError when the
file is no COCO JSON. `coco_writer` is the way back.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from models.datasets import masks
from models.datasets.json_stream import stream_object
from models.datasets.parts import part_of
from models.datasets.records import (
    DatasetError,
    LabelledGarment,
    LabelledPhoto,
    Landmark,
    MalformedEntryError,
    Polygons,
    Skipped,
    box_of,
    integer,
    numbers,
)

_MAX_ID: Final = 1 << 53
_MAX_SIDE_PX: Final = 65_535


@dataclass
class _Read:
    """What a file holds: categories and images by id, annotations by the id of their image, packed."""

    names: dict[int, str] = field(default_factory=dict)
    images: dict[int, dict[str, Any]] = field(default_factory=dict)
    packed: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def take(self, key: str, value: Any) -> None:
        """Take one entry. Raises MalformedEntryError."""
        if key not in ("images", "categories", "annotations"):
            return
        if not isinstance(value, dict):
            raise MalformedEntryError(f"got {type(value).__name__}, expected an object")
        if key == "annotations":
            image_id = integer(value.get("image_id"), "image_id", 0, _MAX_ID)
            self.packed[image_id].append(zlib.compress(json.dumps(value).encode(), 1))
            return
        number = integer(value.get("id"), "id", 0, _MAX_ID)
        if number in (self.images if key == "images" else self.names):
            raise MalformedEntryError(f"id is {number}, expected one that is not there yet")
        if key == "images":
            self.images[number] = value
        elif isinstance(name := value.get("name"), str):
            self.names[number] = name
        else:
            raise MalformedEntryError(f"name is {name!r}, expected text")


def read_coco(file: Path, photos: Path, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The photos of `file`, with paths below the folder `photos`."""
    read, count = _Read(), 0
    try:
        for count, (key, value) in enumerate(stream_object(file), 1):
            with skipped.entry(file, f"{key}, entry {count} of the file"):
                read.take(key, value)
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{file}: {error}, expected COCO JSON") from None
    if not read.names or not read.images:
        raise DatasetError(f"{file}: no images or no categories among {count} entries, expected COCO JSON")
    for image_id, image in read.images.items():
        with skipped.entry(file, f"image {image_id}"):
            yield _photo(file, photos, image_id, image, read, skipped)
    for image_id in read.packed.keys() - read.images.keys():
        skipped.add(file, f"image {image_id}", f"{len(read.packed[image_id])} annotations of no image")


def _photo(
    file: Path, photos: Path, image_id: int, image: dict[str, Any], read: _Read, skipped: Skipped
) -> LabelledPhoto:
    packed = read.packed.pop(image_id, [])
    name = image.get("file_name")
    if not isinstance(name, str) or not (photos / name).resolve().is_relative_to(photos.resolve()):
        raise MalformedEntryError(f"file_name is {name!r}, expected one below {photos}")
    width = integer(image.get("width"), "width", 1, _MAX_SIDE_PX)
    height = integer(image.get("height"), "height", 1, _MAX_SIDE_PX)
    garments, pair_id = [], image.get("pair_id")
    for one in packed:
        annotation = json.loads(zlib.decompress(one))
        with skipped.entry(file, f"annotation {annotation.get('id')} of image {image_id}"):
            garments.append(_garment(annotation, read.names, width, height))
            pair_id = annotation.get("pair_id", pair_id)
    pair_id = pair_id if isinstance(pair_id, int) else None
    return LabelledPhoto(str(image_id), photos / name, tuple(garments), width, height, None, pair_id)


def _garment(annotation: dict[str, Any], names: dict[int, str], width: int, height: int) -> LabelledGarment:
    number = integer(annotation.get("category_id"), "category_id", 0, _MAX_ID)
    if number not in names:
        raise MalformedEntryError(f"category_id is {number}, expected one of {len(names)} categories")
    x, y, box_width, box_height = numbers(annotation.get("bbox"), "bbox", 4)
    attributes = annotation.get("attributes", ())
    style = annotation.get("style")
    return LabelledGarment(
        category=names[number],
        category_id=number,
        part=part_of(names[number]),
        box_xyxy=box_of([x, y, x + box_width, y + box_height], width, height),
        mask=_mask(annotation.get("segmentation"), width, height),
        attributes=tuple(str(name) for name in attributes) if isinstance(attributes, list) else (),
        landmarks=_landmarks(annotation.get("keypoints")),
        style=style if isinstance(style, int) else None,
    )


def _mask(value: Any, width: int, height: int) -> Polygons | masks.Runs | None:
    if not value:
        return None
    if isinstance(value, dict):
        try:
            runs = masks.from_coco(value)
        except ValueError as error:
            raise MalformedEntryError(str(error)) from None
        if (runs.width, runs.height) != (width, height):
            raise MalformedEntryError(f"mask is {runs.width} x {runs.height}, expected {width} x {height}")
        return runs
    if not isinstance(value, list):
        raise MalformedEntryError(f"segmentation is {str(value)[:80]}, expected outlines or runs")
    outlines = tuple(numbers(outline, "segmentation") for outline in value)
    if any(len(outline) < 6 or len(outline) % 2 for outline in outlines):
        raise MalformedEntryError("segmentation has an outline of fewer than three corners or an odd length")
    return outlines


def _landmarks(value: Any) -> tuple[Landmark, ...]:
    if value is None:
        return ()
    found = numbers(value, "keypoints")
    if len(found) % 3:
        raise MalformedEntryError(f"keypoints has {len(found)} numbers, expected three a landmark")
    rows = zip(found[::3], found[1::3], found[2::3], strict=True)
    return tuple(Landmark(at, x, y, int(seen)) for at, (x, y, seen) in enumerate(rows) if seen in (1, 2))
