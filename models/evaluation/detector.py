"""Measures a detector on photos with labelled boxes, by COCO's protocol and at its operating point.

In: labelled photos (one box per label and photo) and a detector. Out: a `Report` with COCO's figures per part
(pycocotools), macro precision and recall of what the shipped thresholds show, the time a photo takes on this
machine, and all detections. Fails with PhotoError or OSError for a photo that cannot be read, RuntimeError
without pycocotools (extra `train`).
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.datasets.records import Box, LabelledPhoto
from models.detection.choosing import THRESHOLD
from models.detection.kinds import PARTS_MEASURED
from models.detector import Detection
from models.photo import Photo, decode_photo
from schemas.parts import Part

_IOU: Final = 0.5


class Detects(Protocol):
    """What can be measured."""

    def detect(self, photos: Sequence[Photo], *, least_score: float) -> list[list[Detection]]: ...


@dataclass(frozen=True)
class Judged:
    """A photo with what is in it (part and box of each garment) and what was found, however unsure."""

    photo_id: str
    truth: tuple[tuple[Part, Box], ...]
    found: tuple[Detection, ...]


@dataclass(frozen=True)
class Report:
    """Figures in 0 to 1 by part, -1 for a part that no photo has, and their `mean` over the others.

    `precision` and `recall` are of what the shipped thresholds show, `ms_per_photo` is the median.
    """

    map50: dict[str, float]
    map50_95: dict[str, float]
    ar50: dict[str, float]
    precision: dict[str, float]
    recall: dict[str, float]
    ms_per_photo: float
    photos: int

    def as_data(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "mAP50": {n: round(v, 4) if v >= 0 else None for n, v in self.map50.items()},
            "AR50": round(self.ar50["mean"], 4),
            "mAP50_95": round(self.map50_95["mean"], 4),
            "precision": round(self.precision["mean"], 4),
            "recall": round(self.recall["mean"], 4),
            "ms_per_photo": round(self.ms_per_photo, 1),
            "photos": self.photos,
        }


def judge(
    detector: Detects, photos: Iterable[LabelledPhoto], progress: Callable[[int], object] | None = None
) -> tuple[list[Judged], float]:
    """Detect in each photo alone; returns also the median milliseconds from its bytes to its detections."""
    judged, times_ms = [], []
    for photo in photos:
        data = photo.path.read_bytes()
        started = time.perf_counter()
        [found] = detector.detect([decode_photo(data)], least_score=0.0)
        times_ms.append(1e3 * (time.perf_counter() - started))
        truth = tuple(
            (garment.part, garment.box_xyxy)
            for garment in photo.garments
            if garment.part and garment.box_xyxy
        )
        judged.append(Judged(photo.photo_id, truth, tuple(found)))
        if progress is not None:
            progress(len(judged))
    return judged, median(times_ms) if times_ms else 0.0


def measure(judged: Sequence[Judged], ms_per_photo: float) -> Report:
    """The figures. Raises ValueError for no photos."""
    if not judged:
        raise ValueError("detector: got no labelled photos to measure on, expected at least one")
    ap50, ap, ar50 = _coco(judged)
    shown = {part: _shown(judged, part) for part in PARTS_MEASURED}
    precision = {p: right / max(1, found) if there else -1.0 for p, (right, found, there) in shown.items()}
    recall = {p: right / there if there else -1.0 for p, (right, _, there) in shown.items()}
    return Report(
        map50=_with_mean(ap50),
        map50_95=_with_mean(ap),
        ar50=_with_mean(ar50),
        precision=_with_mean(precision),
        recall=_with_mean(recall),
        ms_per_photo=ms_per_photo,
        photos=len(judged),
    )


def predictions(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """All detections as COCO results; `image_id` is the photo's name and `category` the part.

    Those with a score of at least 0.5 are what the shipped thresholds show.
    """
    return [
        {
            "image_id": photo.photo_id,
            "category": one.part,
            "category_name": one.category,
            "bbox": [round(side, 2) for side in _xywh(one.box_xyxy)],
            "score": round(one.score, 5),
        }
        for photo in judged
        for one in photo.found
    ]


def _with_mean(figures: dict[Part, float]) -> dict[str, float]:
    known = [value for value in figures.values() if value >= 0]  # pycocotools: as here
    return {"mean": float(np.mean(known)) if known else 0.0} | {
        str(part): value for part, value in figures.items()
    }


def _xywh(box: Box) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return x1, y1, x2 - x1, y2 - y1


def _coco(judged: Sequence[Judged]) -> tuple[dict[Part, float], dict[Part, float], dict[Part, float]]:
    """AP at IoU 0.5, AP over 0.5 to 0.95, and recall of 100 detections at 0.5, by part."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise RuntimeError("pycocotools is missing: install lookstream with the extra `train`") from None
    truth, found = COCO(), COCO()
    numbers = {part: number for number, part in enumerate(PARTS_MEASURED, 1)}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.dataset = _dataset(judged, numbers, [[(*one, 1.0) for one in photo.truth] for photo in judged])
        found.dataset = _dataset(
            judged, numbers, [[(d.part, d.box_xyxy, d.score) for d in photo.found] for photo in judged]
        )
        truth.createIndex()
        found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision: NDArray[np.float64] = evaluation.eval["precision"]  # (IoU, recall, category, area, detections)
    recall: NDArray[np.float64] = evaluation.eval["recall"]  # (IoU, category, area, detections)
    order = [evaluation.params.catIds.index(numbers[part]) for part in PARTS_MEASURED]
    ap50 = {
        part: float(precision[0, :, at, 0, -1].mean()) for part, at in zip(PARTS_MEASURED, order, strict=True)
    }
    ap = {
        part: float(precision[:, :, at, 0, -1].mean()) for part, at in zip(PARTS_MEASURED, order, strict=True)
    }
    ar50 = {part: float(recall[0, at, 0, -1]) for part, at in zip(PARTS_MEASURED, order, strict=True)}
    return ap50, ap, ar50


def _dataset(
    judged: Sequence[Judged], numbers: dict[Part, int], boxes: Sequence[Sequence[tuple[Part, Box, float]]]
) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for image, of_photo in enumerate(boxes, 1):
        for part, box, score in of_photo:
            if part in numbers:
                x, y, width, height = _xywh(box)
                annotations.append(
                    {
                        "id": len(annotations) + 1, "image_id": image, "category_id": numbers[part],
                        "bbox": [x, y, width, height], "area": width * height, "score": score, "iscrowd": 0,
                    }
                )  # fmt: skip
    return {
        "images": [{"id": image} for image, _ in enumerate(judged, 1)],
        "categories": [{"id": number, "name": part} for part, number in numbers.items()],
        "annotations": annotations,
    }


def _shown(judged: Sequence[Judged], part: Part) -> tuple[int, int, int]:
    """Of the detections shown of a part: how many are right, how many there are, how many there should be."""
    right = found = there = 0
    for photo in judged:
        truth = [box for of_part, box in photo.truth if of_part == part]
        shown = [one for one in photo.found if one.part == part and one.score >= THRESHOLD]
        there, found = there + len(truth), found + len(shown)
        for one in sorted(shown, key=lambda detection: -detection.score):
            overlaps = [iou(one.box_xyxy, box) for box in truth]
            if overlaps and max(overlaps) >= _IOU:
                truth.pop(int(np.argmax(overlaps)))
                right += 1
    return right, found, there


def iou(first: Box, second: Box) -> float:
    """Shared area of two boxes over the area they cover together."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / max(areas - shared, 1e-9)
