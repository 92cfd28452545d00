"""A published detector and embedder behind the same seam as lookstream's own: photos to garments.

In: decoded photos. Out: of each photo first its `whole` garment, then one for every detection that has a
part, best first. Mask R-CNN's masks blank the background of a crop to white. Raises WeightsError at opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.datasets.parts import part_of
from models.photo import Photo
from models.published.detectors import Detection, open_detector
from models.published.embedders import open_embedder
from models.published.names import PublishedNames
from models.vision import Embedder, Garment, Vision, WholePhotoVision, square_picture
from schemas.parts import Part

MAX_BATCH: Final = 16
BOTTOMS: Final = frozenset({"shorts", "trousers", "skirt"})
"""The published service's lower crop; of all else, dresses included, it makes the upper one."""
_WHITE: Final = (255, 255, 255)


class Detector(Protocol):
    """What finds garments in photos."""

    def detect(self, photos: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        """Detections of each photo (H, W, 3), best first."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class _Crop:
    part: Part
    detection: Detection
    picture: NDArray[np.uint8]


class PublishedVision:
    """Garments by a published detector, embeddings by a published embedder."""

    def __init__(
        self, detector: Detector, detector_name: str, embedder: Embedder, *, tops_and_bottoms: bool = False
    ) -> None:
        self._detector, self._embedder, self._two = detector, embedder, tops_and_bottoms
        self.detector, self.embedder, self.dim = detector_name, embedder.name, embedder.dim

    def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        """Return one list of garments per photo."""
        found: list[list[Garment]] = []
        for photo in photos:  # one by one: several at once are padded to the largest, which changes them
            [detections] = self._detector.detect([photo.pixels])
            found.append(self._embedded(photo, self._crops(photo, detections)))
        return found

    def _crops(self, photo: Photo, detections: Sequence[Detection]) -> list[_Crop]:
        crops: list[_Crop] = []
        for detection in detections:
            part = _half(detection.category) if self._two else part_of(detection.category)
            taken = self._two and any(crop.part == part for crop in crops)
            picture = crop_picture(photo.pixels, detection, self._embedder.side_px)
            if part is not None and not taken and picture is not None:
                crops.append(_Crop(part, detection, picture))
        return crops

    def _embedded(self, photo: Photo, crops: Sequence[_Crop]) -> list[Garment]:
        pictures = [square_picture(photo.pixels, self._embedder.side_px), *(crop.picture for crop in crops)]
        rows = [
            row.copy()
            for start in range(0, len(pictures), MAX_BATCH)
            for row in self._embedder.embed(np.stack(pictures[start : start + MAX_BATCH]))
        ]
        whole = (0.0, 0.0, float(photo.source_width), float(photo.source_height))
        garments = [Garment("whole", None, whole, 1.0, rows[0])]
        for crop, row in zip(crops, rows[1:], strict=True):
            x1, y1, x2, y2 = (side * photo.scale for side in crop.detection.box_xyxy)
            box = (x1, y1, min(x2, whole[2]), min(y2, whole[3]))
            garments.append(Garment(crop.part, crop.detection.category, box, crop.detection.score, row))
        return garments


def _half(category: str) -> Part:
    return "lower" if category in BOTTOMS else "upper"


def crop_picture(pixels: NDArray[np.uint8], detection: Detection, side_px: int) -> NDArray[np.uint8] | None:
    """Return (side_px, side_px, 3) uint8: a detection's pixels undistorted on white; None of an empty box.

    Where the detection has a mask, what is outside it is white too.
    """
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = detection.box_xyxy
    left, top = max(0, int(x1)), max(0, int(y1))
    right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
    if right - left < 1 or bottom - top < 1:
        return None
    crop = pixels[top:bottom, left:right]
    if detection.mask is not None:
        crop = np.where(detection.mask[top:bottom, left:right, None], crop, np.uint8(255))
    scale = side_px / max(crop.shape[:2])
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    picture = Image.new("RGB", (side_px, side_px), _WHITE)
    scaled = Image.fromarray(crop).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    picture.paste(scaled, ((side_px - size[0]) // 2, (side_px - size[1]) // 2))
    return np.asarray(picture)


def open_published(names: PublishedNames, score_threshold: float | None = None) -> Vision:
    """The vision that the names mean; detections below the threshold (0.55 by default) are left out."""
    embedder = open_embedder(names.embedder)
    if names.detector.kind == "whole-photo":
        return WholePhotoVision(embedder)
    detector = open_detector(names.detector, score_threshold)
    two = names.detector.kind == "tops-and-bottoms"
    return PublishedVision(detector, names.detector.version, embedder, tops_and_bottoms=two)
