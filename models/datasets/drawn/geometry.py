"""Outlines as arrays of points: smooth curves, mirrored halves, tubes along limbs.

In and out: `Points`, float64 arrays of shape (n, 2), x to the viewer's right and y down, in heads
(one head is an eighth of a standing figure). Pure; fails only on fewer than two points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def pts(*xy: tuple[float, float] | str) -> Points:
    """The given corners as an array of shape (n, 2): pairs, or text such as "0.1 0.2, 0.3 0.4"."""
    return np.array([point for part in xy for point in _pairs(part)], dtype=np.float64)


def _pairs(part: tuple[float, float] | str) -> Sequence[tuple[float, float]]:
    return _parsed(part) if isinstance(part, str) else (part,)


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[tuple[float, float], ...]:
    corners = (pair.split() for pair in text.split(","))
    return tuple((float(x), float(y)) for x, y in corners)


def smooth(*xy: tuple[float, float] | str, steps: int = 8) -> Points:
    """A curve through the given points (Catmull-Rom), `steps` points for each span."""
    return smooth_through(pts(*xy), steps)


def smooth_through(corners: Points, steps: int = 8, closed: bool = False) -> Points:
    """A Catmull-Rom curve through `corners` of shape (n, 2); closed curves come back to the first."""
    if closed:
        padded = np.concatenate([corners[-1:], corners, corners[:2]])
    else:
        padded = np.concatenate([2 * corners[:1] - corners[1:2], corners, 2 * corners[-1:] - corners[-2:-1]])
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    bends = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    curve: Points = 0.5 * bends.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, corners[-1:]])


def blob(*xy: tuple[float, float] | str, steps: int = 7) -> Points:
    """A closed smooth shape through the given points."""
    return smooth_through(pts(*xy), steps, closed=True)


def join(*parts: Points) -> Points:
    """Several curves one after the other as one outline."""
    return np.concatenate(parts)


def flip(points: Points) -> Points:
    """The mirror image about x = 0."""
    return np.asarray(points * np.array([-1.0, 1.0]))


def mirror(half: Points) -> Points:
    """A closed symmetrical outline from its right half, given from top to bottom."""
    return np.concatenate([half, flip(half)[::-1]])


def shift(points: Points, dx: float, dy: float) -> Points:
    """The points moved by (dx, dy)."""
    return np.asarray(points + np.array([dx, dy]))


def place(points: Points, at: Points, sx: float, sy: float) -> Points:
    """The points scaled by (sx, sy) about the origin, then moved to `at`."""
    placed: Points = points * np.array([sx, sy]) + at
    return placed


def rotate(points: Points, degrees: float, centre: tuple[float, float] = (0.0, 0.0)) -> Points:
    """The points turned clockwise (as seen, y down) about `centre`."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned: Points = (points - np.array(centre)) @ turn + np.array(centre)
    return turned


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 24) -> Points:
    """An ellipse about (x, y)."""
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def stretch(curve: Points, start: float, end: float, count: int = 14) -> Points:
    """The piece of `curve` between two fractions of its length, as `count` evenly spaced points."""
    steps = np.hypot(*np.diff(curve, axis=0).T)
    run = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(start, end, count) * run[-1]
    return np.stack([np.interp(wanted, run, curve[:, 0]), np.interp(wanted, run, curve[:, 1])], axis=1)


def normals(curve: Points) -> Points:
    """Unit normals of shape (n, 2) along a curve (to the right of travel, y down)."""
    ahead = np.gradient(curve, axis=0)
    ahead /= np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)[:, None]
    return np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)


def heading(curve: Points) -> float:
    """The direction from the curve's first to its last point, in degrees away from straight down."""
    dx, dy = curve[-1] - curve[0]
    return math.degrees(math.atan2(dx, dy))


def _sharp(centre: Points, half: Points) -> list[int]:
    """Where a tube bends within its own width, clear of its ends."""
    ahead = np.diff(centre, axis=0)
    angle = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    if abs(angle - angle[0]).max() < 0.35:
        return []
    clear = np.minimum(np.hypot(*(centre - centre[0]).T), np.hypot(*(centre - centre[-1]).T)) > half
    turning = np.abs(np.gradient(angle, edge_order=1)) > 0.03
    return [i for i in range(1, len(centre) - 1) if turning[i] and clear[i]]


def tube(centre: Points, widths: list[float], cap_start: bool = True, cap_end: bool = False) -> list[Points]:
    """A limb: `centre` widened on both sides to half-`widths` spread evenly along it.

    Returns shapes to be united: an outline, a disc in its middle (so that a sharp bend leaves no
    hole) and discs at the ends that are to be round.
    """
    n = len(centre)
    half = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(widths)), widths)
    if n > 4:
        half[1:-1] = (half[:-2] + 2 * half[1:-1] + half[2:]) / 4
    side = normals(centre) * half[:, None]
    shapes = [np.concatenate([centre + side, (centre - side)[::-1]])]
    for i in _sharp(centre, half):
        shapes.append(ellipse(centre[i, 0], centre[i, 1], half[i] * 0.98, half[i] * 0.98, 14))
    for i, wanted in ((0, cap_start), (n - 1, cap_end)):
        if wanted:
            shapes.append(ellipse(centre[i, 0], centre[i, 1], half[i], half[i], 18))
    return shapes
