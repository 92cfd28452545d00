"""How a person stands in a photo: full shot or partial, facing the camera or not. Rules without a network.

In: keypoints of a person, or the garments that were found and the size of the photo. Out: verdicts. Nothing
fails; what is not known is None. The gates that look at photos are in `models.pose_gate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas.parts import Part

GateMode: TypeAlias = Literal["off", "annotate", "require"]

KEYPOINTS: Final = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""COCO's, in its order; left and right are the person's own."""
_AT: Final = {name: at for at, name in enumerate(KEYPOINTS)}
SHOULDERS_TO_TORSO: Final = 0.35
"""Shoulders narrower than this, over the height from shoulders to hips, are seen from the side."""
HEADROOM: Final = 0.12
"""Of the height from the neck to the feet: less than this above the neck has no room for a head."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The verdict of the gate `gate` about one photo.

    `full_shot`: one person is seen from head to feet. `front_facing`: and looks towards the camera.
    """

    full_shot: bool
    front_facing: bool
    gate: str


class FoundGarment(Protocol):
    """What a garment found in a photo tells of where it is worn; pixels of the upright source photo."""

    @property
    def part(self) -> Part: ...
    @property
    def box_xyxy(self) -> tuple[float, float, float, float]: ...


def pose_of_keypoints(
    points_xy: NDArray[np.float32], visible: NDArray[np.bool_], width: int, height: int, gate: str
) -> Pose:
    """The verdict on a person's 17 keypoints (17, 2), in pixels, of which `visible` (17,) can be seen.

    Full shot: nose or an eye, and both ankles, are visible and in the photo. Front-facing: nose and both eyes
    are visible, and the left shoulder is to the right of the right one, as far as SHOULDERS_TO_TORSO asks.
    """
    inside = (points_xy >= 0).all(axis=1) & (points_xy[:, 0] < width) & (points_xy[:, 1] < height)
    seen = visible & inside

    def sees(*names: str) -> bool:
        return all(bool(seen[_AT[name]]) for name in names)

    has_head = sees("nose") or sees("left_eye") or sees("right_eye")
    full_shot = has_head and sees("left_ankle", "right_ankle")
    front = sees("nose", "left_eye", "right_eye", "left_shoulder", "right_shoulder")
    return Pose(full_shot, front and _shoulders_turn_here(points_xy), gate)


def _shoulders_turn_here(points_xy: NDArray[np.float32]) -> bool:
    left, right = points_xy[_AT["left_shoulder"]], points_xy[_AT["right_shoulder"]]
    hips = (points_xy[_AT["left_hip"]] + points_xy[_AT["right_hip"]]) / 2
    torso = abs(float(hips[1] - (left[1] + right[1]) / 2))
    return float(left[0] - right[0]) >= SHOULDERS_TO_TORSO * max(torso, 1.0)


def full_shot_of_garments(garments: Sequence[FoundGarment]) -> bool | None:
    """Whether the garments are those of one person from head to feet; None where none was found.

    They are when something is worn on the upper body, shoes below it, and above it there is a hat or room
    for a head.
    """
    found = [garment for garment in garments if garment.part != "whole"]
    if not found:
        return None
    bodies = [g.box_xyxy for g in found if g.part in ("upper", "full_body")]
    feet = [g.box_xyxy for g in found if g.part == "footwear"]
    if not bodies or not feet:
        return False
    neck, worn_to = min(box[1] for box in bodies), max(box[3] for box in bodies)
    soles = max(box[3] for box in feet)
    hats = [g.box_xyxy for g in found if g.part == "headwear" and g.box_xyxy[1] < neck]
    has_room = bool(hats) or neck >= HEADROOM * (soles - neck)
    below = all((box[1] + box[3]) / 2 > (neck + worn_to) / 2 for box in feet)
    return has_room and below and soles > worn_to - 0.1 * (worn_to - neck)
