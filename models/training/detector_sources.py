"""What the detector is trained on, decoded once and kept in memory.

In: labelled photos of any data set (CCP with its masks, COCO, class folders). Out: `Source`s. A photo that is
damaged is told to `Skipped`. 1,000 photos of 448 x 300 pixels take 0.4 GB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.datasets.ccp import read_labels, read_mask
from models.datasets.records import LabelledPhoto, MalformedEntryError, Skipped
from models.detection.kinds import CATEGORY_NAMES, KIND_OF_CATEGORY, KINDS, kind_and_category
from models.photo import PhotoError, PhotoLimits, decode_photo
from models.training.backgrounds import garment_box

UNKNOWN: Final = 255  # region of pixels that nobody labelled
BODY, LEGWEAR, OTHER = len(KINDS) + 1, len(KINDS) + 2, len(KINDS) + 3  # regions beside 0 and the kinds'
_KEPT = PhotoLimits(max_side_px=512)
_COMMON: Final = 0.3  # share of the photos that a kind has to be in, if its photos are to count once
_MOST_TIMES: Final = 3


@dataclass(frozen=True, eq=False)
class Source:
    """A photo to train on.

    `pixels` (H, W, 3) uint8; of its G garments `boxes_xyxy` (G, 4) float32, `kinds` (G,) and `categories`
    (G,), -1 where unknown; `regions` (H, W) uint8: 0 background, 1 + a kind, BODY, LEGWEAR, OTHER, or None.
    `weight` is how much its boxes count: less than 1 where nobody drew them.
    """

    name: str
    pixels: NDArray[np.uint8]
    boxes_xyxy: NDArray[np.float32]
    kinds: NDArray[np.int64]
    categories: NDArray[np.int64]
    regions: NDArray[np.uint8] | None
    weight: float


def sources(
    photos: Iterable[LabelledPhoto], skipped: Skipped, *, box_weight: float = 0.3
) -> Iterator[Source]:
    """Decode photos; a garment without a box gets a guessed one, which counts `box_weight`."""
    for photo in photos:
        try:
            decoded = decode_photo(photo.path.read_bytes(), _KEPT)
        except (OSError, PhotoError) as error:
            skipped.add(photo.path, "photo", error)
            continue
        boxes, kinds, categories, guessed = [], [], [], False
        for garment in photo.garments:
            known = kind_and_category(garment.category, garment.part)
            if known is None:
                continue
            guessed = guessed or garment.box_xyxy is None
            box = garment.box_xyxy and tuple(side / decoded.scale for side in garment.box_xyxy)
            boxes.append(box or garment_box(decoded.pixels))
            kinds.append(KINDS.index(known[0]))
            categories.append(CATEGORY_NAMES.index(known[1]) if known[1] else -1)
        yield Source(
            photo.photo_id,
            decoded.pixels,
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(kinds, np.int64),
            np.array(categories, np.int64),
            None,
            box_weight if guessed else 1.0,
        )


def with_regions(photos: Iterable[Source], masks: Path, labels: Path, skipped: Skipped) -> Iterator[Source]:
    """Add the regions of CCP's masks; a photo without a readable mask goes without."""
    names = read_labels(labels)
    region_of_label = np.array([_region(name) for name in names], np.uint8)
    for photo in photos:
        file, regions = masks / f"{photo.name}.png", None
        try:
            mask = read_mask(file, len(names))
            if mask.shape == photo.pixels.shape[:2]:
                regions = region_of_label[mask]
        except MalformedEntryError as error:
            skipped.add(file, "mask", error)
        fields = (photo.boxes_xyxy, photo.kinds, photo.categories, regions, photo.weight)
        yield Source(photo.name, photo.pixels, *fields)


def rare_repeated(photos: Sequence[Source]) -> list[Source]:
    """The photos, those with a kind that few have up to three times: a hat is as important as a shoe."""
    if not photos:
        return []
    counts = np.bincount(np.concatenate([np.unique(photo.kinds) for photo in photos]), minlength=len(KINDS))
    share = np.maximum(counts, 1) / len(photos)
    times = np.clip(np.round(_COMMON / share), 1, _MOST_TIMES).astype(int)
    return [photo for photo in photos for _ in range(max((times[kind] for kind in photo.kinds), default=1))]


def _region(label: str) -> int:
    if label in KIND_OF_CATEGORY:
        return 1 + KINDS.index(KIND_OF_CATEGORY[label])
    if label in ("skin", "hair"):
        return BODY
    if label in ("tights", "stockings", "socks"):
        return LEGWEAR
    return 0 if label == "null" else OTHER
