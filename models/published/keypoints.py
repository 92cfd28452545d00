"""Keypoint R-CNN of torchvision as the accurate pose gate.

In: photos. Out: the verdict on the person that fills most of each photo; without a person, neither full shot
nor front-facing. Raises WeightsError where its weights cannot be had (they are torchvision's own, trained on
COCO's people, unless a file is named).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights, keypointrcnn_resnet50_fpn

from models.pose import KEYPOINTS, FoundGarment, Pose, pose_of_keypoints
from models.published.names import Model
from models.published.weights import device, fill, tensors_of, torchvision_weights

NAME: Final = "keypoint-rcnn"
PERSON_THRESHOLD: Final = 0.7
KEYPOINT_THRESHOLD: Final = 2.0
"""A logit: torchvision's scores of keypoints that can be seen lie above it, of guessed ones below."""


def build_keypoint_rcnn() -> nn.Module:
    """The network without weights."""
    net = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_keypoints=len(KEYPOINTS))
    return cast(nn.Module, net)


class KeypointGate:
    """Judges photos by the keypoints of their largest person."""

    def __init__(self, net: nn.Module, name: str = NAME) -> None:
        self._net = net.eval().requires_grad_(False).to(device())
        self.name = name

    def judge(self, pixels: NDArray[np.uint8], garments: Sequence[FoundGarment] = ()) -> Pose:
        """The verdict on a photo (H, W, 3) uint8 RGB; it needs no garments."""
        picture = torch.from_numpy(pixels.copy()).permute(2, 0, 1).to(device()).float() / 255
        with torch.inference_mode():
            [people] = self._net([picture])
        return pose_of_people(people, pixels.shape[1], pixels.shape[0], self.name)


def pose_of_people(people: dict[str, Tensor], width: int, height: int, gate: str) -> Pose:
    """The verdict on what Keypoint R-CNN found in a photo: on its largest sure person."""
    sure = people["scores"] >= PERSON_THRESHOLD
    if not bool(sure.any()):
        return Pose(full_shot=False, front_facing=False, gate=gate)
    boxes = people["boxes"][sure]
    largest = int(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).argmax())
    points = people["keypoints"][sure][largest, :, :2].cpu().numpy()
    visible = (people["keypoints_scores"][sure][largest] >= KEYPOINT_THRESHOLD).cpu().numpy()
    return pose_of_keypoints(points, visible, width, height, gate)


def open_keypoint_gate(file: Path | None = None) -> KeypointGate:
    """The gate with torchvision's weights, or those of a file."""
    net = build_keypoint_rcnn()
    if file is None:
        weights = KeypointRCNN_ResNet50_FPN_Weights.COCO_V1
        fill(net, torchvision_weights(weights), str(weights))
        return KeypointGate(net, f"{NAME}-coco-v1")
    model = Model(NAME, file)
    fill(net, tensors_of(model.checkpoint()), NAME)
    return KeypointGate(net, model.version)
