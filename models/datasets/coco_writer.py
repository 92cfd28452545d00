"""COCO object detection JSON, written photo by photo from any data set's labelled photos.

In: labelled photos that have boxes and sizes. Out: one JSON file. For DeepFashion2 it is the published
conversion: image ids and names of six digits, boxes x y w h, 294 landmarks of which each category owns a
range, style, pair_id and the outlines kept. Only one photo is in memory at a time; a file that was begun and
not ended is removed. Fails with OSError.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from models.datasets import masks
from models.datasets.records import LabelledGarment, LabelledPhoto, Skipped

_SIX_DIGITS: Final = re.compile(r"[0-9]{6}")  # DeepFashion2's names are its image ids


@dataclass(frozen=True, slots=True)
class Category:
    """A category of the file; its landmarks are numbers [first, end) of all the file's."""

    number: int
    name: str
    first_landmark: int = 0
    end_landmark: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """How much was written."""

    photos: int
    garments: int


def write_coco(
    photos: Iterable[LabelledPhoto],
    categories: Sequence[Category],
    folder: Path,
    out: Path,
    skipped: Skipped,
) -> Written:
    """Write `photos`, with names below `folder`, to `out`.

    Photos without a size and garments without a box are told to `skipped`.
    """
    landmarks = max((category.end_landmark for category in categories), default=0)
    part, annotations = out.with_name(f"{out.name}.part"), out.with_name(f"{out.name}.annotations")
    try:
        with part.open("w", encoding="utf-8") as file, annotations.open("w+", encoding="utf-8") as beside:
            file.write('{"info": {}, "licenses": [],\n"images": [')
            written = _each(photos, folder, file, beside, landmarks, skipped)
            file.write('],\n"annotations": [')
            beside.seek(0)
            shutil.copyfileobj(beside, file)
            file.write('],\n"categories": ' + json.dumps([_category(row) for row in categories]) + "}\n")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
        annotations.unlink(missing_ok=True)
    return written


def _each(
    photos: Iterable[LabelledPhoto],
    folder: Path,
    images: TextIO,
    beside: TextIO,
    landmarks: int,
    skipped: Skipped,
) -> Written:
    photo_count = garment_count = 0
    for photo in photos:
        if photo.width is None or photo.height is None:
            skipped.add(photo.path, "photo", "its size is not known, expected width and height")
            continue
        photo_count += 1
        image_id = int(photo.photo_id) if _SIX_DIGITS.fullmatch(photo.photo_id) else photo_count
        row = _image(photo, image_id, photo.path.relative_to(folder).as_posix())
        images.write(("" if photo_count == 1 else ",") + "\n" + json.dumps(row))
        for garment in photo.garments:
            if garment.box_xyxy is None:
                skipped.add(photo.path, f"garment {garment.category}", "it has no box")
                continue
            garment_count += 1
            row = _annotation(garment, photo, image_id, garment_count, landmarks)
            beside.write(("" if garment_count == 1 else ",") + "\n" + json.dumps(row))
    return Written(photo_count, garment_count)


def _image(photo: LabelledPhoto, image_id: int, name: str) -> dict[str, Any]:
    return {
        "id": image_id,
        "file_name": name,
        "width": photo.width,
        "height": photo.height,
        "license": 0,
    }


def _annotation(
    garment: LabelledGarment, photo: LabelledPhoto, image_id: int, number: int, landmarks: int
) -> dict[str, Any]:
    assert garment.box_xyxy is not None
    x1, y1, x2, y2 = garment.box_xyxy
    row: dict[str, Any] = {
        "id": number,
        "image_id": image_id,
        "category_id": garment.category_id,
        "bbox": [_short(x1), _short(y1), _short(x2 - x1), _short(y2 - y1)],
        "area": _short((x2 - x1) * (y2 - y1)),
        "iscrowd": 0,
        "segmentation": [],
    }
    if isinstance(garment.mask, masks.Runs):
        row |= {"segmentation": masks.to_coco(garment.mask), "area": garment.mask.area_px}
    elif garment.mask is not None:
        row["segmentation"] = [list(outline) for outline in garment.mask]
    if landmarks:
        points = [0.0] * (3 * landmarks)
        for mark in garment.landmarks:
            points[3 * mark.number : 3 * mark.number + 3] = _short(mark.x), _short(mark.y), mark.visibility
        row |= {"num_keypoints": len(garment.landmarks), "keypoints": [_short(value) for value in points]}
    if garment.attributes:
        row["attributes"] = list(garment.attributes)
    extra = {"style": garment.style, "pair_id": photo.pair_id}
    return row | {name: value for name, value in extra.items() if value is not None}


def _short(value: float) -> float:
    """The same number, without a fraction where it has none: half the size of a file of zeros."""
    return int(value) if float(value).is_integer() else value


def _category(category: Category) -> dict[str, Any]:
    row: dict[str, Any] = {"id": category.number, "name": category.name, "supercategory": "clothes"}
    if category.end_landmark:
        owned = range(category.first_landmark + 1, category.end_landmark + 1)
        row |= {"keypoints": [str(number) for number in owned], "skeleton": []}
    return row
