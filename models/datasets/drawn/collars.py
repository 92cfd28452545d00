"""Collars, lapels, hoods and roll-necks.

In: a `Cut`, the garment's fabric and body. Out: pieces in upright coordinates (the caller moves them with
the torso). Pure, cannot fail.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.body import Body
from models.datasets.drawn.colour import Rgb, tinted
from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.fabric import Fabric, plain
from models.datasets.drawn.geometry import flip, join, mirror, pts, smooth
from models.datasets.drawn.pieces import Mark, Piece


def collar_pieces(cut: Cut, fabric: Fabric, body: Body, opened: bool) -> tuple[list[Piece], list[Piece]]:
    """Collar pieces behind the neck and in front of it."""
    if cut.neck == "collar":
        return _shirt_collar(cut, fabric)
    if cut.neck == "lapel":
        return _lapels(fabric)
    if cut.neck == "hood":
        return _hood(fabric, body)
    if cut.neck in ("roll", "rib"):
        return [], _roll(cut, fabric, opened)
    return [], []


def _shirt_collar(cut: Cut, fabric: Fabric) -> tuple[list[Piece], list[Piece]]:
    stand = join(smooth((0.0, 1.30), (0.16, 1.28), (0.225, 1.24)), pts((0.27, 1.42), (0.0, 1.5)))
    inside = Fabric("solid", tinted(fabric.base, 0.7), fabric.base)
    spread = 0.05 if cut.front in ("open", "trucker") else 0.0
    leaf = join(
        smooth((0.21, 1.22), (0.27, 1.33), (0.31, 1.42)),
        pts((0.34 + spread, 1.72), (0.20 + spread, 1.80), (0.02 + spread, 1.585)),
        smooth((0.02 + spread, 1.585), (0.14, 1.45), (0.2, 1.3)),
    )
    edge = Mark(pts((0.30 + spread, 1.70), (0.20 + spread, 1.75), (0.06 + spread, 1.58)), None, 0.18, 0.012)
    pieces = [
        Piece([leaf], fabric, marks=[edge], turn=25, shadow=0.4),
        Piece([flip(leaf)], fabric, marks=[Mark(flip(edge.points), None, 0.18, 0.012)], turn=-25, shadow=0.4),
    ]
    return [Piece([mirror(stand)], inside, shadow=0.0)], pieces


def _lapels(fabric: Fabric) -> tuple[list[Piece], list[Piece]]:
    collar = join(
        smooth((0.19, 1.25), (0.29, 1.36), (0.36, 1.5)), pts((0.42, 1.74), (0.25, 1.79), (0.14, 1.6))
    )
    lapel = pts("0.145 1.62, 0.26 1.78, 0.47 1.7, 0.4 1.98, 0.02 2.42, 0 2.36, 0.1 1.9")
    stand = join(smooth((0.0, 1.30), (0.14, 1.28), (0.2, 1.25)), pts((0.28, 1.42), (0.0, 1.5)))
    inside = Fabric("solid", tinted(fabric.base, 0.65), fabric.base)
    front = []
    for sign in (-1.0, 1.0):
        move = np.array([sign, 1.0])
        front.append(Piece([lapel * move], fabric, turn=20 * sign, shadow=0.4))
        front.append(Piece([collar * move], fabric, turn=30 * sign, shadow=0.35))
    return [Piece([mirror(stand)], inside, shadow=0.0)], front


def _hood(fabric: Fabric, body: Body) -> tuple[list[Piece], list[Piece]]:
    inside = Fabric("solid", tinted(fabric.base, 0.6), fabric.base)
    rise = 0.72 if body.flat else 1.06
    back = join(
        smooth((0.0, rise), (0.26, rise + 0.06), (0.42, rise + 0.32), (0.44, 1.36), (0.36, 1.52)),
        pts((0.0, 1.6)),
    )
    hollow = join(
        smooth((0.0, rise + 0.12), (0.2, rise + 0.2), (0.3, rise + 0.42), (0.27, 1.42), (0.0, 1.62))
    )
    rim = join(
        smooth((0.34, 1.18), (0.43, 1.34), (0.42, 1.5), (0.24, 1.68), (0.0, 1.8)),
        smooth((0.0, 1.63), (0.18, 1.56), (0.28, 1.42), (0.27, 1.24)),
    )
    cord: Rgb = (0.95, 0.93, 0.88) if sum(fabric.base) < 2.4 else (0.35, 0.35, 0.38)
    cords = [
        pts((x - 0.014, 1.68), (x + 0.014, 1.68), (x * 1.1 + 0.014, y), (x * 1.1 - 0.014, y))
        for x, y in ((-0.12, 2.12), (0.12, 2.2))
    ]
    behind = [Piece([mirror(back)], fabric, shadow=0.0)]
    if body.flat:
        behind.append(Piece([mirror(hollow)], inside, shadow=0.0, relief=1.4))
    front = [Piece([rim], fabric, shadow=0.35), Piece([flip(rim)], fabric, shadow=0.35)]
    return behind, [*front, Piece(cords, plain(cord), relief=0.4)]


def _roll(cut: Cut, fabric: Fabric, opened: bool) -> list[Piece]:
    top = 1.13 if cut.neck == "roll" else 1.29
    half = join(
        smooth((0.0, top + 0.03), (0.12, top + 0.02), (0.215, top)),
        smooth((0.215, top), (0.235, 1.3), (0.30, 1.42)),
        smooth((0.30, 1.42), (0.16, 1.56), (0.0, 1.6)),
    )
    ribs = [Mark(pts((x, top), (x * 1.15, 1.6)), None, 0.13, 0.014) for x in np.arange(-0.27, 0.28, 0.05)]
    if cut.neck == "roll":
        ribs.append(Mark(smooth((-0.25, 1.33), (0, 1.38), (0.25, 1.33)), None, 0.25, 0.02))
    if opened:
        return [Piece([side], fabric, marks=ribs, shadow=0.3) for side in (half, flip(half))]
    return [Piece([mirror(half)], fabric, marks=ribs, shadow=0.25)]
