"""The score from which each kind of garment is shown, chosen on labelled photos.

In: a detector and photos it was not trained on. Out: a threshold of raw scores per kind. Photos that cannot
be read raise PhotoError or OSError.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.datasets.records import LabelledPhoto
from models.detection.choosing import THRESHOLD, Found, settle
from models.detection.kinds import KINDS, PART_OF_KIND
from models.detector import Detector
from models.photo import decode_photo

_GRID: Final = np.arange(0.2, 0.72, 0.02, dtype=np.float32)
_ROUNDS: Final = 2
_IOU: Final = 0.5
_PARTS: Final = tuple(dict.fromkeys(PART_OF_KIND[kind] for kind in KINDS))
_PART_OF_NUMBER: Final = np.array([_PARTS.index(PART_OF_KIND[kind]) for kind in KINDS])


@dataclass(frozen=True, eq=False)
class _Photo:
    """Candidates with raw scores, and the boxes (G, 4) and parts (G,) that are there, in the same pixels."""

    found: Found
    boxes: NDArray[np.float64]
    parts: NDArray[np.int64]


def fit_thresholds(detector: Detector, photos: Iterable[LabelledPhoto]) -> NDArray[np.float32]:
    """Return the thresholds (kinds,) that give the highest mean F1 over the parts, one kind after another.

    What one kind shows decides what its rivals may show, so two rounds are made.
    """
    held = [_photo(detector, photo) for photo in photos]
    thresholds = np.full(len(KINDS), THRESHOLD, np.float32)
    for _ in range(_ROUNDS):
        for kind in range(len(KINDS)):
            scores = []
            for tried in _GRID:
                thresholds[kind] = tried
                scores.append(_mean_f1(held, thresholds))
            # Of the best few the middle: a peak on a hundred photos is luck.
            best = np.flatnonzero(np.array(scores) >= max(scores) - 0.002)
            thresholds[kind] = _GRID[best[len(best) // 2]]
    return thresholds


def _photo(detector: Detector, photo: LabelledPhoto) -> _Photo:
    [(found, canvas)] = detector.candidates([decode_photo(photo.path.read_bytes())])
    known = [(garment.box_xyxy, garment.part) for garment in photo.garments if garment.box_xyxy]
    boxes = np.array([box for box, _ in known], float).reshape(-1, 4) / np.array(canvas.scale_xy * 2)
    return _Photo(
        found,
        boxes + np.array((canvas.left, canvas.top) * 2),
        np.array([_PARTS.index(part) if part in _PARTS else -1 for _, part in known], np.int64),
    )


def _mean_f1(photos: Sequence[_Photo], thresholds: NDArray[np.float32]) -> float:
    right, found, there = (np.zeros(len(_PARTS)) for _ in range(3))
    for photo in photos:
        settled = settle(photo.found, thresholds)
        shown = settled.scores >= THRESHOLD
        parts = _PART_OF_NUMBER[settled.kinds[shown]]
        free = np.ones(len(photo.boxes), bool)
        for box, part in zip(settled.boxes_xyxy[shown], parts, strict=True):
            overlaps = np.where(free & (photo.parts == part), _overlaps(box, photo.boxes), 0.0)
            found[part] += 1
            if overlaps.size and overlaps.max() >= _IOU:
                free[overlaps.argmax()] = False
                right[part] += 1
        np.add.at(there, photo.parts[photo.parts >= 0], 1)
    known = there > 0
    return float((2 * right[known] / (found[known] + there[known])).mean()) if known.any() else 0.0


def _overlaps(box: NDArray[np.float32], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    area = float((box[2] - box[0]) * (box[3] - box[1]))
    return np.asarray(shared / (area + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - shared))
