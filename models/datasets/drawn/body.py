"""The figure that garments are cut for: proportions, poses, and the dummy of a flat-lay.

In: a build (feminine or masculine) and a `random.Random`. Out: a `Body`, whose torso, arms and legs
the garments follow. Lengths are in heads; y is 0 at the crown, 1 at the chin, 7.8 at the soles. Pure.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from models.datasets.drawn.geometry import Points, smooth_through

# Half-widths of the torso by height.
FEMININE = (
    (1.62, 0.74),
    (2.05, 0.60),
    (2.3, 0.60),
    (2.65, 0.51),
    (3.0, 0.45),
    (3.35, 0.54),
    (3.7, 0.66),
    (4.0, 0.70),
)
MASCULINE = (
    (1.62, 0.94),
    (2.05, 0.76),
    (2.3, 0.74),
    (2.65, 0.66),
    (3.0, 0.61),
    (3.35, 0.62),
    (3.7, 0.66),
    (4.0, 0.68),
)
LEG_WIDTHS = [0.34, 0.325, 0.28, 0.225, 0.175, 0.19, 0.185, 0.13, 0.09]
ARM_WIDTHS = [0.175, 0.165, 0.145, 0.125, 0.125, 0.105, 0.08]
WAIST, HIP, CROTCH = 3.0, 4.0, 4.2


@dataclass(frozen=True)
class Pose:
    """How a figure stands: elbow and wrist from its shoulder, knee and ankle, each (left, right)."""

    elbows: tuple[tuple[float, float], tuple[float, float]]
    wrists: tuple[tuple[float, float], tuple[float, float]]
    knees: tuple[tuple[float, float], tuple[float, float]]
    ankles: tuple[tuple[float, float], tuple[float, float]]
    sway: float = 0.0  # hips to the right, heads
    tilt: float = 0.0  # shoulders lower to the right, slope
    behind: tuple[bool, bool] = (False, False)
    head_turn: float = 0.0


_LOW = ((0.13, 1.30), (0.20, 2.30))
_OUT = ((0.26, 1.26), (0.42, 2.18))
_HIP = ((0.56, 1.05), (0.02, 1.92))
_BEHIND = ((0.38, 1.22), (0.10, 2.22))
_STAND = ((0.33, 5.75), (0.26, 7.30))
_EASY = ((0.47, 5.72), (0.56, 7.26))
_BACK = ((0.28, 5.60), (0.22, 7.02))
_FRONT = ((0.32, 5.80), (0.14, 7.36))


def _pose(
    left: tuple[tuple[float, float], tuple[float, float]],
    right: tuple[tuple[float, float], tuple[float, float]],
    left_leg: tuple[tuple[float, float], tuple[float, float]],
    right_leg: tuple[tuple[float, float], tuple[float, float]],
    sway: float,
    tilt: float,
    head_turn: float = 0.0,
) -> Pose:
    return Pose(
        elbows=(left[0], right[0]),
        wrists=(left[1], right[1]),
        knees=(left_leg[0], right_leg[0]),
        ankles=(left_leg[1], right_leg[1]),
        sway=sway,
        tilt=tilt,
        behind=(left is _BEHIND, right is _BEHIND),
        head_turn=head_turn,
    )


POSES = (
    _pose(_LOW, _OUT, _STAND, _EASY, -0.07, 0.035, 2),
    _pose(_HIP, _LOW, _STAND, _EASY, -0.09, 0.05, 4),
    _pose(_BEHIND, _LOW, _STAND, _EASY, -0.06, 0.03, -3),
    _pose(_BEHIND, _BEHIND, _EASY, _STAND, 0.05, -0.03, -3),
    _pose(_OUT, _LOW, _FRONT, _BACK, -0.05, 0.03, 2),
    _pose(_LOW, _HIP, _EASY, _STAND, 0.08, -0.045, -4),
    _pose(_OUT, _OUT, _EASY, _EASY, 0.0, 0.0, 0),
)
# The dummy of a flat-lay: arms spread for sleeves to lie on, legs straight.
SPREAD = Pose(
    elbows=((0.52, 1.10), (0.52, 1.10)),
    wrists=((0.86, 2.18), (0.86, 2.18)),
    knees=((0.47, 5.7), (0.47, 5.7)),
    ankles=((0.53, 7.3), (0.53, 7.3)),
)


@dataclass(frozen=True)
class Body:
    """A build in a pose. Side 0 is the viewer's left (x < 0), side 1 the right."""

    pose: Pose
    profile: tuple[tuple[float, float], ...]
    flat: bool = False

    @property
    def shoulder(self) -> float:
        """Half the breadth of the shoulders."""
        return self.profile[0][1]

    def half_width(self, y: float) -> float:
        """Half the breadth of the torso at a height between shoulders and hips."""
        return float(np.interp(y, [p[0] for p in self.profile], [p[1] for p in self.profile]))

    def warp(self, points: Points) -> Points:
        """Points of an upright symmetrical torso moved to where the pose has them."""
        y = points[:, 1]
        sway = np.interp(y, [1.0, 1.7, 3.0, 3.8, 7.5], [0.0, 0.0, 0.55, 1.0, 0.75]) * self.pose.sway
        slope = np.interp(y, [1.2, 1.7, 3.0, 3.9, 5.5], [0.3, 1.0, 0.0, -1.0, -0.4]) * self.pose.tilt
        return np.stack([points[:, 0] + sway, y + slope * points[:, 0]], axis=1)

    def arm(self, side: int) -> Points:
        """The middle of an arm from the shoulder to the wrist."""
        sign = 1.0 if side else -1.0
        root = np.array([self.shoulder - 0.14, 1.74])
        elbow = root + np.array(self.pose.elbows[side])
        wrist = np.array([self.shoulder - 0.14 + self.pose.wrists[side][0], 1.74 + self.pose.wrists[side][1]])
        shoulder = self.warp((root * (sign, 1))[None])[0]
        offset = shoulder - root * (sign, 1)
        return _bent(np.stack([shoulder, elbow * (sign, 1) + offset, wrist * (sign, 1) + offset]))

    def leg(self, side: int) -> Points:
        """The middle of a leg from the hip joint to the ankle."""
        sign = 1.0 if side else -1.0
        hip = self.warp(np.array([[sign * 0.35, HIP - 0.02]]))[0]
        knee = np.array(self.pose.knees[side]) * (sign, 1) + (self.pose.sway * 0.9, 0)
        ankle = np.array(self.pose.ankles[side]) * (sign, 1) + (self.pose.sway * 0.75, 0)
        return _bent(np.stack([hip, knee, ankle]))

    def torso_side(self, top: float, bottom: float, ease: float, fit: float, flare: float = 0.0) -> Points:
        """The right side seam from `top` to `bottom`: `fit` 1 follows the waist, 0 hangs straight.

        `ease` is added all the way; `flare` grows below the waist, per head.
        """
        heights = np.linspace(top, bottom, 10)
        bust = self.half_width(2.2)
        widths = []
        for y in heights:
            if fit < 1 and y > 2.2:
                straight = max(bust, self.half_width(min(y, HIP)))
            else:
                straight = self.half_width(min(y, HIP))
            own = self.half_width(min(y, HIP))
            width = straight + (own - straight) * fit + flare * max(0.0, y - WAIST)
            if flare >= 0.14 and y > WAIST:
                # A full skirt falls in a straight line from the waist to its hem.
                hem = self.half_width(HIP) + flare * (bottom - WAIST)
                waist = self.half_width(WAIST)
                width = max(own, waist + (hem - waist) * ((y - WAIST) / (bottom - WAIST)) ** 0.9)
            widths.append(width + ease)
        return smooth_through(np.stack([np.array(widths), heights], axis=1), 3)


def _bent(joints: Points) -> Points:
    """A limb through three joints, its bend slightly rounded, as 25 points."""
    first = joints[0] + (joints[1] - joints[0]) * np.linspace(0, 1, 13)[:, None]
    second = joints[1] + (joints[2] - joints[1]) * np.linspace(0, 1, 13)[1:, None]
    line = np.concatenate([first, second])
    for _ in range(3):
        line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
    return line


def dummy(masculine: bool) -> Body:
    """The flat-lay's dummy."""
    return Body(SPREAD, MASCULINE if masculine else FEMININE, flat=True)


def standing(masculine: bool, rng: random.Random, sold_part: str) -> Body:
    """A standing figure in one of the poses, as it is or mirrored; hands keep clear of sold bags."""
    choices = POSES if sold_part != "bag" else (POSES[0], POSES[4], POSES[6])
    pose = rng.choice(choices)
    if rng.random() < 0.5:
        pose = Pose(
            pose.elbows[::-1],
            pose.wrists[::-1],
            pose.knees[::-1],
            pose.ankles[::-1],
            -pose.sway,
            -pose.tilt,
            pose.behind[::-1],
            -pose.head_turn,
        )
    return Body(pose, MASCULINE if masculine else FEMININE)
