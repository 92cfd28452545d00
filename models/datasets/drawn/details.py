"""Collars, lapels, hoods, buttons, zips, belts and ties of upper and full-body garments.

In: a `Cut`, the garment's fabric and body. Out: pieces and marks in upright coordinates (the caller
moves them with the torso). Pure, cannot fail.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.body import WAIST, Body
from models.datasets.drawn.colour import Rgb, tinted
from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.fabric import Fabric, plain
from models.datasets.drawn.geometry import blob, ellipse, flip, join, mirror, pts, smooth
from models.datasets.drawn.pieces import Mark, Piece

STITCH: Rgb = (0.82, 0.62, 0.36)
METAL: Rgb = (0.78, 0.76, 0.72)


def button_rgb(fabric: Fabric) -> Rgb:
    """Horn on pale cloth, pearl on dark, copper on denim."""
    if fabric.pattern == "denim":
        return (0.72, 0.46, 0.27)
    return tinted(fabric.base, 0.5) if sum(fabric.base) > 1.7 else (0.93, 0.9, 0.84)


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


def fastening_marks(cut: Cut, fabric: Fabric) -> list[Mark]:
    """Plackets, zips, pockets and seams that lie on the body piece."""
    marks: list[Mark] = []
    if cut.front in ("buttons", "placket"):
        end = 2.15 if cut.front == "placket" else cut.hem + 0.2
        marks += [Mark(pts((x, 1.5), (x, end)), None, 0.2, 0.014) for x in (-0.065, 0.065)]
        ys = np.arange(1.72, min(end, cut.hem) - 0.1, 0.3 if cut.front == "buttons" else 0.18)
        marks += [Mark(ellipse(0, y, 0.026, 0.026, 12), button_rgb(fabric), 0.95) for y in ys]
    if cut.front == "buttons" and cut.noun.endswith("shirt"):
        marks.append(
            Mark(
                pts((0.2, 2.05), (0.46, 2.05), (0.46, 2.32), (0.33, 2.38), (0.2, 2.32), (0.2, 2.05)),
                None,
                0.22,
                0.014,
            )
        )
    if cut.front in ("closed", "trucker"):
        marks.append(Mark(pts((0.0, 1.5), (0.0, cut.hem + 0.3)), None, 0.45, 0.02))
    if cut.front == "zip":
        marks.append(Mark(pts((0.0, 1.5), (0.0, cut.hem + 0.3)), METAL, 0.9, 0.035))
        marks.append(Mark(pts((0.0, 1.5), (0.0, cut.hem + 0.3)), None, 0.4, 0.012))
    if cut.front == "zip":
        marks += [Mark(pts((s * 0.3, 3.1), (s * 0.46, 2.72)), None, 0.45, 0.025) for s in (-1, 1)]
    if cut.front == "pouch":
        pouch = pts("-0.3 2.95, 0.3 2.95, 0.46 3.25, 0.46 3.52, -0.46 3.52, -0.46 3.25, -0.3 2.95")
        marks.append(Mark(pouch, None, 0.3, 0.02))
    if cut.front == "trucker":
        marks += _trucker_marks(cut)
    if cut.front == "wrap":
        marks.append(Mark(smooth((-0.18, 1.75), (0.0, 2.05), (0.3, 2.6), (0.42, WAIST)), None, 0.42, 0.022))
        marks.append(Mark(smooth((0.30, WAIST), (0.18, 4.2), (0.28, cut.hem)), None, 0.35, 0.022))
    return marks


def _trucker_marks(cut: Cut) -> list[Mark]:
    marks = [
        Mark(pts((-1.2, 2.12), (1.2, 2.12)), STITCH, 0.8, 0.014),
        Mark(pts((-1.2, 2.15), (1.2, 2.15)), None, 0.3, 0.014),
    ]
    for sign in (-1, 1):
        flap = pts((0.18, 2.15), (0.5, 2.15), (0.5, 2.28), (0.34, 2.34), (0.18, 2.28), (0.18, 2.15)) * (
            sign,
            1,
        )
        marks.append(Mark(flap, STITCH, 0.7, 0.013))
        marks += [
            Mark(smooth((sign * a, 2.3), (sign * b, cut.hem)), STITCH, 0.65, 0.013)
            for a, b in ((0.22, 0.14), (0.46, 0.3))
        ]
        marks.append(Mark(pts((sign * 0.06, 1.6), (sign * 0.06, cut.hem)), STITCH, 0.6, 0.012))
    marks.append(Mark(pts((-1.2, cut.hem - 0.15), (1.2, cut.hem - 0.15)), STITCH, 0.8, 0.014))
    return marks


def closures(cut: Cut, fabric: Fabric) -> list[Piece]:
    """Buttons that stand on the cloth and patch pockets."""
    rgb = button_rgb(fabric)
    button = Fabric("solid", rgb, rgb, weave=0.0)
    pieces: list[Piece] = []
    if cut.front == "closed" and cut.neck in ("lapel", "deep"):
        start = 2.5 if cut.neck == "lapel" else 2.68
        ys = np.linspace(start, min(cut.hem - 0.35, start + 0.9), 2 if cut.hem < 4.3 else 3)
        x = 0.07
        pieces += [Piece([ellipse(x, y, 0.04, 0.04, 14)], button, shadow=0.4, relief=0.8) for y in ys]
        pieces += _flap_pockets(cut, fabric)
    if cut.front == "trucker":
        ys = (1.75, 2.0, 2.5, 2.85, 3.2)
        pieces += [Piece([ellipse(0.0, y, 0.03, 0.03, 12)], button, shadow=0.3, relief=0.6) for y in ys]
    return pieces


def _flap_pockets(cut: Cut, fabric: Fabric) -> list[Piece]:
    if cut.hem < 3.7:
        return []
    y = 3.35 if cut.hem < 4.4 else 3.55
    flap = blob(
        (0.24, y), (0.4, y - 0.02), (0.56, y), (0.56, y + 0.11), (0.4, y + 0.12), (0.24, y + 0.11), steps=3
    )
    return [Piece([flap, flip(flap)], fabric, shadow=0.35, relief=0.8)]


def waist_pieces(cut: Cut, body: Body, fabric: Fabric) -> list[Piece]:
    """A waist seam, belt or tied ribbon."""
    if not cut.waist:
        return []
    half = body.half_width(WAIST) + cut.ease + 0.012
    thick = 0.05 if cut.waist == "seam" else 0.075
    strip = mirror(
        join(
            pts(
                (0, WAIST - thick + 0.02),
                (half, WAIST - thick),
                (half + 0.01, WAIST + thick),
                (0, WAIST + thick + 0.02),
            )
        )
    )
    if cut.waist == "seam":
        return [Piece([strip], fabric, relief=0.6, shadow=0.2)]
    if cut.waist == "tie":
        return [Piece([strip], fabric, shadow=0.3), *_bow(fabric, half * 0.55)]
    leather = (0.36, 0.23, 0.15) if cut.noun != "trench coat" else tinted(fabric.base, 0.9)
    belt = Fabric("solid", leather, leather, gloss=0.4)
    buckle = [
        Mark(ellipse(0, WAIST + 0.01, 0.075, 0.07, 16), (0.85, 0.72, 0.42), 1.0),
        Mark(ellipse(0, WAIST + 0.01, 0.045, 0.04, 16), leather, 1.0),
    ]
    return [Piece([strip], belt, marks=buckle, shadow=0.35)]


def _bow(fabric: Fabric, x: float) -> list[Piece]:
    tails = [
        join(
            smooth((x, WAIST), (x + 0.10, WAIST + 0.3), (x + 0.06, WAIST + 0.62)),
            smooth((x + 0.15, WAIST + 0.6), (x + 0.2, WAIST + 0.28), (x + 0.06, WAIST)),
        ),
        join(
            smooth((x, WAIST), (x - 0.04, WAIST + 0.25), (x - 0.1, WAIST + 0.5)),
            smooth((x - 0.02, WAIST + 0.53), (x + 0.05, WAIST + 0.26), (x + 0.05, WAIST)),
        ),
    ]
    loops = [
        blob((x, WAIST), (x + 0.13, WAIST - 0.11), (x + 0.24, WAIST - 0.03), (x + 0.13, WAIST + 0.05)),
        blob((x, WAIST), (x - 0.12, WAIST - 0.1), (x - 0.21, WAIST - 0.01), (x - 0.11, WAIST + 0.06)),
    ]
    knot = ellipse(x, WAIST, 0.05, 0.055)
    return [
        Piece(tails, fabric, shadow=0.3),
        Piece(loops, fabric, shadow=0.3),
        Piece([knot], fabric, shadow=0.3),
    ]
