"""A sheet of photos with what the detector finds in them, to be looked at.

In: a detector and labelled photos. Out: a Pillow image. Fails with PhotoError or OSError for a photo that
cannot be read.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from PIL import Image

from models.datasets.records import LabelledPhoto
from models.detector import Detection, Detector
from models.photo import Photo, decode_photo
from streams.pictures import PART_COLOURS, Box, Pixels, Row, Tile, boxes, grid

_TILE_PX: Final = (180, 240)
_COLUMNS: Final = 10
_MOST: Final = 50


def sheet(
    detector: Detector, street: Sequence[LabelledPhoto], single: Sequence[LabelledPhoto]
) -> Image.Image:
    """At most fifty street photos and fifty of single garments, evenly taken, with their boxes."""
    rows = [
        Row(heading, [_tile(detector, photo) for photo in _some(photos)])
        for heading, photos in (("Street", street), ("Single garments", single))
        if photos
    ]
    return grid(f"{detector.name}: what it shows", rows, columns=_COLUMNS, tile_px=_TILE_PX)


def best_is_right(detector: Detector, photos: Iterable[LabelledPhoto]) -> float:
    """The share of photos of one garment whose surest detection, however unsure, is of its part."""
    right = count = 0
    for photo in photos:
        [found] = detector.detect([decode_photo(photo.path.read_bytes())], least_score=0.0)
        right += bool(found) and found[0].part == photo.garments[0].part
        count += 1
    if count == 0:
        raise ValueError("--singles: got no photos, expected photos in class folders")
    return right / count


def _some(photos: Sequence[LabelledPhoto]) -> list[LabelledPhoto]:
    return [photos[at] for at in np.linspace(0, len(photos) - 1, min(_MOST, len(photos))).round().astype(int)]


def _tile(detector: Detector, labelled: LabelledPhoto) -> Tile:
    photo = decode_photo(labelled.path.read_bytes())
    [found] = detector.detect([photo])
    shown = ", ".join(f"{one.category} {one.score:.2f}" for one in found) or "nothing"
    return Tile(_with_boxes(photo, found), labelled.photo_id[-24:], shown)


def _with_boxes(photo: Photo, found: Sequence[Detection]) -> Pixels:
    drawn = []
    for one in found:
        x1, y1, x2, y2 = (side / photo.scale for side in one.box_xyxy)
        drawn.append(Box((x1, y1, x2, y2), f"{one.part} {one.score:.2f}", PART_COLOURS[one.part]))
    return np.asarray(boxes(photo.pixels, drawn, height_px=2 * _TILE_PX[1]))
