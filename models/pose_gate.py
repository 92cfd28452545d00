"""The pose gate before everything behind the vision: each photo's verdict travels with its garments.

In: a vision and a gate. Out: a vision whose garments carry the verdict on their photo (`annotate`), and that
gives of a photo that is not a front-facing full shot only its `whole` garment (`require`). Importing this
does not import torch; opening a gate does. Raises WeightsError where a gate's weights cannot be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.photo import Photo
from models.pose import FoundGarment, GateMode, Pose, full_shot_of_garments
from models.vision import Garment, Vision
from models.weights import pose_light

GateName: TypeAlias = Literal["light", "keypoint-rcnn"]

LIGHT: Final = "pose-light-1"
SURE_ENOUGH: Final = 0.5
GARMENTS_COUNT: Final = 0.25
"""How far garments that do, or do not, reach from head to feet move what the network must be sure of."""


class Gate(Protocol):
    """What judges how a person stands in a photo."""

    @property
    def name(self) -> str: ...

    def judge(self, pixels: NDArray[np.uint8], garments: Sequence[FoundGarment]) -> Pose:
        """The verdict on a photo (H, W, 3) uint8 RGB in which these garments were found."""
        ...


class SeesPerson(Protocol):
    """How surely head, feet and a face that looks here are in a photo (H, W, 3): three numbers, 0 to 1."""

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[float, float, float]: ...


class LightGate:
    """A small network on the whole photo, corrected by what was found in it."""

    name = LIGHT

    def __init__(self, sees: SeesPerson) -> None:
        self._sees = sees

    def judge(self, pixels: NDArray[np.uint8], garments: Sequence[FoundGarment]) -> Pose:
        """The verdict; without garments it is the network's alone."""
        head, feet, face = self._sees(pixels)
        by_garments = full_shot_of_garments(garments)
        moved = 0.0 if by_garments is None else GARMENTS_COUNT if by_garments else -GARMENTS_COUNT
        return Pose(head * feet + moved > SURE_ENOUGH, face > SURE_ENOUGH, self.name)


class GatedVision:
    """A vision whose garments carry the verdict of a gate on their photo."""

    def __init__(self, vision: Vision, gate: Gate, *, require: bool) -> None:
        self._vision, self._gate, self._require = vision, gate, require

    @property
    def detector(self) -> str:
        """Name and version of the detector."""
        return self._vision.detector

    @property
    def embedder(self) -> str:
        """Name and version of the embedding."""
        return self._vision.embedder

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self._vision.dim

    def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        """Return one list of garments per photo, each with the photo's pose."""
        found = self._vision.garments(photos)
        return [self._judged(photo, garments) for photo, garments in zip(photos, found, strict=True)]

    def _judged(self, photo: Photo, garments: Sequence[Garment]) -> list[Garment]:
        pose = self._gate.judge(photo.pixels, garments)
        passes = not self._require or (pose.full_shot and pose.front_facing)
        return [replace(garment, pose=pose) for garment in garments if passes or garment.part == "whole"]


def gated(
    vision: Vision, mode: GateMode, name: GateName = "light", keypoint_weights: Path | None = None
) -> Vision:
    """The vision behind the gate `name`; with `off` the vision itself, and no weights are loaded."""
    if mode == "off":
        return vision
    return GatedVision(vision, open_gate(name, keypoint_weights), require=mode == "require")


def open_gate(name: GateName, keypoint_weights: Path | None = None) -> Gate:
    """Load a gate; `keypoint_weights` None means torchvision's own, fetched when not in torch's cache."""
    if name == "keypoint-rcnn":
        from models.published.keypoints import open_keypoint_gate

        return open_keypoint_gate(keypoint_weights)
    from models.pose_net import SeesWithNet

    return LightGate(SeesWithNet(pose_light().tensors()))
