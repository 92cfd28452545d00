"""The detector: photos in, garments with part, category, box and score out.

In: decoded photos. Out: `Detection`s in pixels of the upright source photo, surest first; a score of 0.5 is
the shipped threshold. Fails with WeightsError when the checkpoint is missing or not the pinned one. Importing
this imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.detection.choosing import THRESHOLD, Found, candidates, settle
from models.detection.kinds import CATEGORY_NAMES, KINDS, PART_OF_KIND
from models.detection.network import DetectorNet, scaled
from models.lite0 import fast_bf16
from models.photo import Photo
from models.weights import garment_detector
from schemas.parts import Part

# Height and width of what the network sees; the one nearest to the photo's shape is taken.
# A little larger than in training, which is worth two points of mAP and costs 5 ms.
UPRIGHT: Final = (448, 320)
SQUARE: Final = (384, 384)
LYING: Final = (320, 448)
MAX_BATCH: Final = 4
_GREY: Final = (127, 127, 127)
_LONGER: Final = 1.2  # sides of a photo that is not nearly square


@dataclass(frozen=True, slots=True)
class Detection:
    """One garment: `box_xyxy` in pixels of the upright source photo (right and bottom exclusive)."""

    part: Part
    category: str
    box_xyxy: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True, slots=True)
class Canvas:
    """A photo as the network sees it, and how its pixels become those of the source."""

    pixels: NDArray[np.uint8]
    left: int
    top: int
    scale_xy: tuple[float, float]


class Detector:
    """The trained network with the thresholds it is shipped with. Not for several threads at a time."""

    name = "lite0-fcos-1"

    def __init__(self, tensors: Mapping[str, Tensor] | None = None) -> None:
        """Load the shipped checkpoint, or take the tensors of another (`thresholds`: 0.5 where missing)."""
        held = dict(garment_detector().tensors() if tensors is None else tensors)
        default = torch.full((len(KINDS),), THRESHOLD)
        # (kinds,), of raw scores
        self.thresholds: NDArray[np.float32] = held.pop("thresholds", default).float().numpy()
        net = DetectorNet()
        left_over = {name: value for name, value in net.state_dict().items() if name.startswith("regions.")}
        net.load_state_dict(left_over | {name: value.float() for name, value in held.items()})
        self._net = net.eval().requires_grad_(False)
        if fast_bf16():
            self._net.to(torch.bfloat16)

    def detect(self, photos: Sequence[Photo], *, least_score: float = THRESHOLD) -> list[list[Detection]]:
        """Return for each photo its garments with at least this score, surest first.

        0.5 is the shipped threshold; 0 gives all that precision and recall can be measured with.
        """
        return [
            _detections(settle(found, self.thresholds), canvas, photo, least_score)
            for photo, (found, canvas) in zip(photos, self.candidates(photos), strict=True)
        ]

    def candidates(self, photos: Sequence[Photo]) -> list[tuple[Found, Canvas]]:
        """Return for each photo all that may be a garment, in pixels of the canvas that comes with it."""
        canvases = [draw_canvas(photo) for photo in photos]
        found: dict[int, Found] = {}
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for number, canvas in enumerate(canvases):
            by_shape.setdefault(canvas.pixels.shape, []).append(number)
        for numbers in by_shape.values():
            for start in range(0, len(numbers), MAX_BATCH):
                batch = numbers[start : start + MAX_BATCH]
                answers = self._answers(np.stack([canvases[number].pixels for number in batch]))
                found |= dict(zip(batch, answers, strict=True))
        return [(found[number], canvas) for number, canvas in enumerate(canvases)]

    def _answers(self, pictures: NDArray[np.uint8]) -> list[Found]:
        with torch.inference_mode():  # here, because it holds only for the thread that enters it
            inputs = scaled(torch.from_numpy(pictures)).to(self._net.stem.weight.dtype)
            answers = self._net(inputs)
            of_photo = zip(answers.kinds, answers.boxes_xyxy, answers.categories, strict=True)
            return [candidates(*answer) for answer in of_photo]


def draw_canvas(photo: Photo) -> Canvas:
    """The photo as large as it fits in the middle of a grey canvas."""
    if photo.height > _LONGER * photo.width:
        height, width = UPRIGHT
    elif photo.width > _LONGER * photo.height:
        height, width = LYING
    else:
        height, width = SQUARE
    scale = min(height / photo.height, width / photo.width)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    picture = Image.new("RGB", (width, height), _GREY)
    small = Image.fromarray(photo.pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    picture.paste(small, (left, top))
    per_pixel = (photo.source_width / size[0], photo.source_height / size[1])
    return Canvas(np.array(picture), left, top, per_pixel)


def _detections(found: Found, canvas: Canvas, photo: Photo, least_score: float) -> list[Detection]:
    shown = found.scores >= least_score
    shift = np.array((canvas.left, canvas.top) * 2, np.float32)
    limits = np.array((photo.source_width, photo.source_height) * 2, np.float32)
    boxes = np.clip((found.boxes_xyxy[shown] - shift) * np.array(canvas.scale_xy * 2), 0, limits)
    detections = []
    for (x1, y1, x2, y2), kind, category, score in zip(
        boxes.tolist(), found.kinds[shown], found.categories[shown], found.scores[shown], strict=True
    ):
        if x2 > x1 and y2 > y1:  # one in the grey beside the photo has nothing to show
            part = PART_OF_KIND[KINDS[kind]]
            detections.append(Detection(part, CATEGORY_NAMES[category], (x1, y1, x2, y2), float(score)))
    return detections
