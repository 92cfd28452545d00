"""DeepFashion2: one JSON file of annotations a photo, 13 categories, 294 landmarks.

In: a folder with `annos/NNNNNN.json` and `image/NNNNNN.jpg` (or a folder of such folders, `train` and
`validation`). Out: labelled photos, in the order of their numbers. A file or an item that is not as the
format says is left out and told to `Skipped`; DatasetError when there is no `annos` folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from PIL import Image

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

CATEGORIES: Final = (
    "short sleeve top",
    "long sleeve top",
    "short sleeve outwear",
    "long sleeve outwear",
    "vest",
    "sling",
    "shorts",
    "trousers",
    "skirt",
    "short sleeve dress",
    "long sleeve dress",
    "vest dress",
    "sling dress",
)
"""Category c is CATEGORIES[c - 1]."""
LANDMARK_ENDS: Final = (0, 25, 58, 89, 128, 143, 158, 168, 182, 190, 219, 256, 275, 294)
"""Of all 294 landmarks, category c has those from LANDMARK_ENDS[c - 1] up to, without, LANDMARK_ENDS[c]."""
LANDMARKS: Final = LANDMARK_ENDS[-1]
SPLITS: Final = ("train", "validation", "test")


def read_deepfashion2(root: Path, split: str | None, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The photos of a split; `split` None reads `root` itself."""
    for file in annotation_files(root, split):
        with skipped.entry(file, "file"):
            yield _photo(file, skipped, split)


def annotation_files(root: Path, split: str | None) -> list[Path]:
    """The annotations of a split in order. Raises DatasetError when there are none."""
    folder = root / split if split else root
    annos = folder / "annos"
    files = sorted(annos.glob("*.json")) if annos.is_dir() else []
    if not files:
        raise DatasetError(f"{annos}: got no annotations, expected files NNNNNN.json")
    return files


def _photo(file: Path, skipped: Skipped, split: str | None) -> LabelledPhoto:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise MalformedEntryError(f"{error}, expected JSON") from None
    if not isinstance(data, dict):
        raise MalformedEntryError(f"got {type(data).__name__}, expected an object")
    path = file.parent.parent / "image" / f"{file.stem}.jpg"
    width, height = photo_size(path)
    garments = []
    for name in sorted((key for key in data if re.fullmatch(r"item\d+", key)), key=lambda key: int(key[4:])):
        with skipped.entry(file, name):
            garments.append(_garment(data[name], width, height))
    pair_id = None if data.get("pair_id") is None else integer(data["pair_id"], "pair_id", 0, 1 << 53)
    return LabelledPhoto(file.stem, path, tuple(garments), width, height, split, pair_id)


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height from a photo's header. Raises MalformedEntryError when it is not there or damaged."""
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as photo:
            return photo.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MalformedEntryError(f"photo {path}: {error}") from None


def _garment(item: Any, width: int, height: int) -> LabelledGarment:
    if not isinstance(item, dict):
        raise MalformedEntryError(f"got {type(item).__name__}, expected an object")
    number = integer(item.get("category_id"), "category_id", 1, len(CATEGORIES))
    return LabelledGarment(
        category=CATEGORIES[number - 1],
        category_id=number,
        part=part_of(CATEGORIES[number - 1]),
        box_xyxy=box_of(item.get("bounding_box"), width, height),
        mask=_outlines(item.get("segmentation")),
        landmarks=_landmarks(item.get("landmarks"), number),
        style=integer(item.get("style", 0), "style", 0, 1 << 31),
    )


def _outlines(value: Any) -> Polygons | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise MalformedEntryError(f"segmentation is {str(value)[:80]}, expected a list of outlines")
    outlines = tuple(numbers(outline, "segmentation") for outline in value)
    if any(len(outline) < 6 or len(outline) % 2 for outline in outlines):
        raise MalformedEntryError("segmentation has an outline of fewer than three corners or an odd length")
    return outlines


def _landmarks(value: Any, category: int) -> tuple[Landmark, ...]:
    if value is None:
        return ()
    first, end = LANDMARK_ENDS[category - 1], LANDMARK_ENDS[category]
    found = numbers(value, "landmarks", 3 * (end - first))
    marks = []
    for at, (x, y, seen) in enumerate(zip(found[::3], found[1::3], found[2::3], strict=True)):
        if seen not in (0, 1, 2):
            raise MalformedEntryError(f"landmark {at + 1} has visibility {seen}, expected 0, 1 or 2")
        if seen:
            marks.append(Landmark(first + at, x, y, int(seen)))
    return tuple(marks)
