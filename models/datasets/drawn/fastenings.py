"""Buttons, zips, pockets, belts and ties of upper and full-body garments.

In: a `Cut`, the garment's fabric and body. Out: pieces and marks in upright coordinates (the caller
moves them with the torso). Pure, cannot fail.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.body import WAIST, Body
from models.datasets.drawn.colour import Rgb, tinted
from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.fabric import Fabric
from models.datasets.drawn.geometry import blob, ellipse, flip, join, mirror, pts, smooth
from models.datasets.drawn.pieces import Mark, Piece

STITCH: Rgb = (0.82, 0.62, 0.36)
METAL: Rgb = (0.78, 0.76, 0.72)
POUCH = "-0.3 2.95, 0.3 2.95, 0.46 3.25, 0.46 3.52, -0.46 3.52, -0.46 3.25, -0.3 2.95"
BREAST_POCKET = "0.2 2.05, 0.46 2.05, 0.46 2.32, 0.33 2.38, 0.2 2.32, 0.2 2.05"
CHEST_FLAP = "0.18 2.15, 0.5 2.15, 0.5 2.28, 0.34 2.34, 0.18 2.28, 0.18 2.15"


def button_rgb(fabric: Fabric) -> Rgb:
    """Horn on pale cloth, pearl on dark, copper on denim."""
    if fabric.pattern == "denim":
        return (0.72, 0.46, 0.27)
    return tinted(fabric.base, 0.5) if sum(fabric.base) > 1.7 else (0.93, 0.9, 0.84)


def fastening_marks(cut: Cut, fabric: Fabric) -> list[Mark]:
    """Plackets, zips, pockets and seams that lie on the body piece."""
    middle = pts((0.0, 1.5), (0.0, cut.hem + 0.3))
    if cut.front in ("buttons", "placket"):
        return _buttoned_marks(cut, fabric)
    if cut.front == "closed":
        return [Mark(middle, None, 0.45, 0.02)]
    if cut.front == "trucker":
        return [Mark(middle, None, 0.45, 0.02), *_trucker_marks(cut)]
    if cut.front == "zip":
        pockets = [Mark(pts((s * 0.3, 3.1), (s * 0.46, 2.72)), None, 0.45, 0.025) for s in (-1, 1)]
        return [Mark(middle, METAL, 0.9, 0.035), Mark(middle, None, 0.4, 0.012), *pockets]
    if cut.front == "pouch":
        return [Mark(pts(POUCH), None, 0.3, 0.02)]
    if cut.front == "wrap":
        over = smooth((-0.18, 1.75), (0.0, 2.05), (0.3, 2.6), (0.42, WAIST))
        fall = smooth((0.30, WAIST), (0.18, 4.2), (0.28, cut.hem))
        return [Mark(over, None, 0.42, 0.022), Mark(fall, None, 0.35, 0.022)]
    return []


def _buttoned_marks(cut: Cut, fabric: Fabric) -> list[Mark]:
    short = cut.front == "placket"
    end = 2.15 if short else cut.hem + 0.2
    marks = [Mark(pts((x, 1.5), (x, end)), None, 0.2, 0.014) for x in (-0.065, 0.065)]
    heights = np.arange(1.72, min(end, cut.hem) - 0.1, 0.18 if short else 0.3)
    marks += [Mark(ellipse(0, y, 0.026, 0.026, 12), button_rgb(fabric), 0.95) for y in heights]
    if not short and cut.noun.endswith("shirt"):
        marks.append(Mark(pts(BREAST_POCKET), None, 0.22, 0.014))
    return marks


def _trucker_marks(cut: Cut) -> list[Mark]:
    marks = [
        Mark(pts((-1.2, 2.12), (1.2, 2.12)), STITCH, 0.8, 0.014),
        Mark(pts((-1.2, 2.15), (1.2, 2.15)), None, 0.3, 0.014),
    ]
    for sign in (-1, 1):
        marks.append(Mark(pts(CHEST_FLAP) * (sign, 1), STITCH, 0.7, 0.013))
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
        for y in (1.75, 2.0, 2.5, 2.85, 3.2):
            pieces.append(Piece([ellipse(0.0, y, 0.03, 0.03, 12)], button, shadow=0.3, relief=0.6))
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
