"""Waistbands and what closes them: buttons, belt loops, drawstrings, sashes.

In: a `LowerCut`, the body and the fabric. Out: pieces in upright coordinates (the caller moves them with
the torso). Pure, cannot fail.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.body import WAIST, Body
from models.datasets.drawn.colour import tinted
from models.datasets.drawn.fabric import Fabric, plain
from models.datasets.drawn.fastenings import STITCH
from models.datasets.drawn.geometry import ellipse, flip, join, mirror, pts, shift, smooth, tube
from models.datasets.drawn.lower_cuts import LowerCut
from models.datasets.drawn.pieces import Fold, Mark, Piece

RISE = WAIST - 0.03  # the top of a waistband at the natural waist


def band_edge(cut: LowerCut, body: Body, ease: float = 0.03) -> float:
    """Half the breadth of the waistband."""
    return body.half_width(RISE + cut.rise + 0.08) + ease


def waistband(cut: LowerCut, body: Body, fabric: Fabric) -> list[Piece]:
    """The waistband and what closes it, at the height of the cut's rise."""
    low, high = band_edge(cut, body) + 0.03, band_edge(cut, body, 0.025)
    deep = 0.2 if cut.waistband in ("drawstring", "paperbag") else 0.15
    half = join(
        smooth((0, RISE + 0.02), (high * 0.6, RISE + 0.01), (high, RISE - 0.02)),
        pts((low, RISE + deep - 0.03), (0, RISE + deep)),
    )
    marks: list[Mark] = []
    if cut.waistband in ("drawstring", "paperbag"):
        xs = np.arange(-low, low, 0.06)
        marks = [Mark(pts((x, RISE - 0.1), (x, RISE + deep + 0.1)), None, 0.16, 0.016) for x in xs]
    elif fabric.pattern == "denim":
        marks = [
            Mark(smooth((-low, RISE + y), (0, RISE + y + 0.03), (low, RISE + y)), STITCH, 0.75, 0.012)
            for y in (0.0, deep - 0.05)
        ]
    pieces = [Piece([mirror(half)], fabric, marks=marks, shadow=0.25, relief=0.7)]
    if body.flat:
        pieces.insert(0, _waist_inside(fabric, high))
    pieces += _fastening(cut, fabric, low, deep)
    return [p.moved(lambda q: shift(q, 0, cut.rise)) for p in pieces]


def _waist_inside(fabric: Fabric, half: float) -> Piece:
    inside = plain(tinted(fabric.base, 0.6))
    shape = join(
        smooth((-half, RISE - 0.02), (0, RISE - 0.06), (half, RISE - 0.02)),
        smooth((half, RISE), (0, RISE + 0.05), (-half, RISE)),
    )
    return Piece([shape], inside, shadow=0.0)


def _fastening(cut: LowerCut, fabric: Fabric, low: float, deep: float) -> list[Piece]:
    if cut.waistband == "drawstring":
        return [_drawstring(fabric)]
    if cut.waistband == "paperbag":
        return _paperbag(fabric, low)
    metal = plain((0.74, 0.5, 0.3) if fabric.pattern == "denim" else tinted(fabric.base, 0.55), weave=0.0)
    button = Piece([ellipse(0.0, RISE + 0.085, 0.035, 0.035, 14)], metal, shadow=0.3)
    if cut.waistband != "jeans":
        return [button]
    loop = pts((-0.025, -0.02), (0.025, -0.02), (0.025, deep + 0.02), (-0.025, deep + 0.02))
    loops = [shift(loop, x, RISE) for x in (-low * 0.58, low * 0.58)]
    return [button, Piece(loops, fabric, relief=0.5, shadow=0.35)]


def _drawstring(fabric: Fabric) -> Piece:
    """A cord tied in a bow."""
    cord = plain((0.96, 0.95, 0.92) if sum(fabric.base) < 2.3 else (0.4, 0.4, 0.42))
    tail, loop = smooth("0.05 0.12, 0.09 0.3, 0.07 0.52"), smooth("0 0.12, 0.14 0.07, 0.17 0.16, 0 0.13")
    shapes = [*tube(tail, [0.016]), *tube(loop, [0.014])]
    both = [*shapes, *(flip(s) for s in shapes)]
    return Piece([shift(s, 0, RISE) for s in both], cord, relief=0.3, shadow=0.35)


def _paperbag(fabric: Fabric, low: float) -> list[Piece]:
    """A gathered frill above a sash that is tied at the side."""
    rim = pts((0, -0.12), (low * 0.5, -0.1), (low + 0.05, -0.14), (low, 0.05), (0, 0.07))
    frill = Piece(
        [shift(mirror(rim), 0, RISE)],
        fabric,
        folds=[Fold(pts((x, RISE - 0.14), (x, RISE + 0.06)), 0.03, 0.2) for x in np.linspace(-low, low, 11)],
        shadow=0.1,
    )
    band = mirror(pts((0, 0.05), (low + 0.01, 0.02), (low + 0.02, 0.14), (0, 0.17)))
    tail = tube(smooth("0 0.1, 0.1 0.32, 0.08 0.6"), [0.045, 0.04, 0.05])
    knot = [
        *(shift(s, 0.12, RISE) for s in (*map(flip, tail), *tail)),
        ellipse(0.12, RISE + 0.1, 0.075, 0.06),
    ]
    return [frill, Piece([shift(band, 0, RISE)], fabric, shadow=0.3), Piece(knot, fabric, shadow=0.35)]
