"""Faster R-CNN and Mask R-CNN of torchvision as garment detectors.

In: photos (H, W, 3) uint8 RGB. Out: detections, best first: box, class, score, and Mask R-CNN's mask. Classes
are those in the weights file, DeepFashion2's thirteen where it does not say. Raises WeightsError when the
file does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import (
    fasterrcnn_resnet50_fpn_v2,
    maskrcnn_resnet50_fpn_v2,
)

from models.datasets.deepfashion2 import CATEGORIES
from models.published.names import Model, read_about
from models.published.weights import device, fill, tensors_of
from models.weights import WeightsError

SCORE_THRESHOLD: Final = 0.55
"""The published service's."""
MASK_THRESHOLD: Final = 0.5


@dataclass(frozen=True, eq=False, slots=True)
class Detection:
    """A garment: its class, box in the photo's pixels, score 0 to 1, and mask (H, W) where there is one."""

    category: str
    box_xyxy: tuple[float, float, float, float]
    score: float
    mask: NDArray[np.bool_] | None = None


def build_detector(kind: str, classes: int) -> nn.Module:
    """A network without weights for so many classes of garments; class 0 is the background.

    Raises ValueError for a kind that is none.
    """
    if kind not in ("faster-rcnn", "tops-and-bottoms", "mask-rcnn"):
        raise ValueError(f"detector: got {kind!r}, expected faster-rcnn, mask-rcnn or tops-and-bottoms")
    build = maskrcnn_resnet50_fpn_v2 if kind == "mask-rcnn" else fasterrcnn_resnet50_fpn_v2
    return cast(nn.Module, build(weights=None, weights_backbone=None, num_classes=classes + 1))


class RcnnDetector:
    """A detector ready to look."""

    def __init__(self, net: nn.Module, classes: Sequence[str], score_threshold: float) -> None:
        self._net = net.eval().requires_grad_(False).to(device())
        self.classes, self.score_threshold = tuple(classes), score_threshold

    def detect(self, photos: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        """Detections of each photo whose score is the threshold or more."""
        at = device()
        pictures = [torch.from_numpy(photo.copy()).permute(2, 0, 1).to(at).float() / 255 for photo in photos]
        with torch.inference_mode():
            answers = self._net(pictures) if pictures else []
        return [self._detections(answer) for answer in answers]

    def _detections(self, answer: dict[str, Tensor]) -> list[Detection]:
        scores = answer["scores"].cpu().tolist()  # best first, overlapping ones of a class taken out
        boxes, labels = answer["boxes"].cpu().tolist(), answer["labels"].cpu().tolist()
        masks = answer.get("masks")
        found = []
        for at, (score, box, label) in enumerate(zip(scores, boxes, labels, strict=True)):
            if score < self.score_threshold:
                break
            mask = None if masks is None else (masks[at, 0] > MASK_THRESHOLD).cpu().numpy()
            x1, y1, x2, y2 = box
            found.append(Detection(self.classes[label - 1], (x1, y1, x2, y2), score, mask))
        return found


def open_detector(model: Model, score_threshold: float | None) -> RcnnDetector:
    """A detector with the weights of its file. Raises WeightsError."""
    checkpoint = model.checkpoint()
    classes = read_about(checkpoint.path).get("classes", CATEGORIES)
    if not isinstance(classes, (list, tuple)) or not all(isinstance(name, str) for name in classes):
        raise WeightsError(f"{checkpoint.path}: classes is {str(classes)[:80]}, expected names")
    net = build_detector(model.kind, len(classes))
    fill(net, tensors_of(checkpoint), checkpoint.name)
    return RcnnDetector(net, classes, SCORE_THRESHOLD if score_threshold is None else score_threshold)
