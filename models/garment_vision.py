"""The vision with a detector: photo -> the garments found in it, and the whole photo as one more.

In: decoded photos. Out: for each the `whole` garment first (so that its place never depends on what else was
found), then the detections, surest first, each with the embedding of its crop. Fails with WeightsError when a
checkpoint is missing. Not for several threads at a time. Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.detector import Detection
from models.embedder_pictures import garment_picture
from models.photo import Photo
from models.vision import MAX_BATCH, Embedder, Garment, square_picture


class FindsGarments(Protocol):
    """What finds garments: `models.detector.Detector`."""

    @property
    def name(self) -> str: ...

    def detect(self, photos: Sequence[Photo], *, least_score: float) -> list[list[Detection]]: ...


class GarmentVision:
    """Detects, crops and embeds. Photos go through the detector and crops through the embedder in batches."""

    def __init__(self, detector: FindsGarments, embedder: Embedder, *, least_score: float) -> None:
        self._detector, self._embedder, self._least_score = detector, embedder, least_score

    @property
    def detector(self) -> str:
        """Name and version of the detector."""
        return self._detector.name

    @property
    def embedder(self) -> str:
        """Name and version of the embedding; embeddings of different names must not be compared."""
        return self._embedder.name

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self._embedder.dim

    def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        """Return for each photo its garments, the whole photo first."""
        found = self._detector.detect(photos, least_score=self._least_score)
        side = self._embedder.side_px
        pictures, described = [], []
        for number, (photo, detections) in enumerate(zip(photos, found, strict=True)):
            pictures.append(square_picture(photo.pixels, side))
            described.append((number, _whole(photo)))
            for detection in detections:
                pictures.append(garment_picture(photo.pixels, _decoded(detection, photo), side))
                described.append((number, detection))
        garments: list[list[Garment]] = [[] for _ in photos]
        for (number, detection), embedding in zip(described, self._embeddings(pictures), strict=True):
            category = None if detection.part == "whole" else detection.category
            garments[number].append(
                Garment(detection.part, category, detection.box_xyxy, detection.score, embedding.copy())
            )
        return garments

    def _embeddings(self, pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        embeddings: list[NDArray[np.float32]] = []
        for start in range(0, len(pictures), MAX_BATCH):
            embeddings += list(self._embedder.embed(np.stack(pictures[start : start + MAX_BATCH])))
        return embeddings


def _whole(photo: Photo) -> Detection:
    return Detection("whole", "", (0.0, 0.0, float(photo.source_width), float(photo.source_height)), 1.0)


def _decoded(detection: Detection, photo: Photo) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (side / photo.scale for side in detection.box_xyxy)
    return x1, y1, x2, y2
