"""Bags, laid flat, in a hand, across the body or on the back.

In: a kind (`BAGS`), a `Fabric`, for worn ones the body. Out: layers (`Dressed`). Pure; raises KeyError for
another kind.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.datasets.drawn.body import Body
from models.datasets.drawn.colour import tinted
from models.datasets.drawn.fabric import Fabric, plain
from models.datasets.drawn.geometry import (
    Points,
    ellipse,
    join,
    mirror,
    place,
    pts,
    smooth,
    tube,
)
from models.datasets.drawn.pieces import Dressed, Fold, Mark, Piece

BAGS = {"tote": "tote bag", "handbag": "handbag", "backpack": "backpack"}
BRASS = plain((0.84, 0.70, 0.38), weave=0.0, gloss=0.6)


def flat_bag(kind: str, fabric: Fabric) -> Dressed:
    """A bag by itself."""
    return Dressed(body={"tote": _tote, "handbag": _handbag, "backpack": _backpack}[kind](fabric))


def _leather(fabric: Fabric) -> Fabric:
    tone = (0.52, 0.33, 0.2) if sum(fabric.base) > 0.9 else tinted(fabric.base, 0.7)
    return plain(tone, gloss=0.3)


def _tote(fabric: Fabric) -> list[Piece]:
    handle = _leather(fabric)
    behind = tube(smooth((-0.34, 0.05), (-0.30, -0.55), (0.0, -0.82), (0.30, -0.55), (0.34, 0.05)), [0.045])
    bow = smooth("-0.38 0.16, -0.32 -0.42, 0 -0.66, 0.32 -0.42, 0.38 0.16")
    front = tube(bow, [0.05], cap_end=True)
    body = mirror(
        join(
            smooth((0, 0.0), (0.4, -0.01), (0.86, -0.03)),
            smooth((0.86, 0.0), (0.83, 0.5), (0.78, 1.1), (0.76, 1.32)),
            smooth((0.72, 1.4), (0.3, 1.43), (0, 1.43)),
        )
    )
    marks = [
        Mark(smooth((-0.9, 0.09), (0, 0.11), (0.9, 0.09)), None, 0.22, 0.02),
        *(Mark(pts((x, -0.1), (x * 0.93, 1.5)), None, 0.15, 0.015) for x in (-0.7, 0.7)),
    ]
    folds = [
        Fold(smooth((-0.5, 0.2), (-0.42, 0.8), (-0.5, 1.3)), 0.08, 0.12),
        Fold(smooth((0.3, 0.3), (0.42, 0.8), (0.3, 1.35)), 0.08, 0.12),
        Fold(smooth((-0.1, 1.2), (0.3, 1.1), (0.6, 1.2)), 0.06, 0.08),
    ]
    inside = join(
        smooth((-0.84, 0.0), (0, -0.09), (0.84, 0.0)), smooth((0.84, 0.02), (0, 0.04), (-0.84, 0.02))
    )
    return [
        Piece(behind, handle),
        Piece([inside], plain(tinted(fabric.base, 0.55)), shadow=0.0),
        Piece([body], fabric, marks=marks, folds=folds, shadow=0.15),
        Piece(front, handle, shadow=0.35),
    ]


def _handbag(fabric: Fabric) -> list[Piece]:
    handle = tube(smooth((-0.5, 0.16), (-0.46, -0.4), (0.0, -0.68), (0.46, -0.4), (0.5, 0.16)), [0.05])
    body = mirror(join(smooth("0 0.06, 0.5 0.05, 0.78 0.12, 0.88 0.5, 0.96 1, 0.86 1.16, 0.4 1.2", "0 1.2")))
    flap = mirror(
        join(smooth((0, 0.03), (0.5, 0.03), (0.8, 0.1), (0.84, 0.4), (0.62, 0.68), (0.2, 0.76), (0, 0.77)))
    )
    stitch = Mark(
        smooth((-0.78, 0.2), (-0.76, 0.4), (-0.56, 0.62), (0.0, 0.7), (0.56, 0.62), (0.76, 0.4), (0.78, 0.2)),
        None,
        0.25,
        0.016,
    )
    clasp = ellipse(0, 0.74, 0.085, 0.085, 18)
    rings = [ellipse(s * 0.5, 0.15, 0.07, 0.07, 14) for s in (-1, 1)]
    leather = replace(fabric, gloss=0.4) if fabric.pattern == "solid" else fabric
    return [
        Piece(handle, _leather(fabric)),
        Piece([body], leather),
        Piece(rings, BRASS, shadow=0.2),
        Piece([flap], leather, marks=[stitch], shadow=0.4),
        Piece([clasp], BRASS, shadow=0.35),
    ]


def _backpack(fabric: Fabric) -> list[Piece]:
    loop = tube(smooth((-0.16, 0.06), (-0.13, -0.18), (0.13, -0.18), (0.16, 0.06)), [0.04])
    straps = [
        tube(smooth((s * 0.55, 0.3), (s * 0.95, 0.7), (s * 0.98, 1.3), (s * 0.7, 1.6)), [0.08, 0.09, 0.05])
        for s in (-1, 1)
    ]
    body = mirror(smooth("0 0, 0.42 0.02, 0.7 0.2, 0.78 0.7, 0.8 1.4, 0.72 1.72, 0.3 1.78", "0 1.78"))
    pocket = mirror(
        smooth((0, 0.92), (0.44, 0.93), (0.58, 1.02), (0.6, 1.4), (0.52, 1.64), (0.2, 1.68), (0, 1.68))
    )
    zipper = Mark(
        smooth((-0.66, 0.75), (-0.6, 0.3), (-0.36, 0.13), (0.0, 0.1), (0.36, 0.13), (0.6, 0.3), (0.66, 0.75)),
        None,
        0.4,
        0.03,
    )
    pocket_zip = [
        Mark(pts((-0.46, 1.05), (0.46, 1.05)), None, 0.4, 0.028),
        Mark(pts((0.42, 1.05), (0.44, 1.2)), (0.85, 0.74, 0.45), 1.0, 0.03),
    ]
    patch = Mark(pts((-0.17, 0.5), (0.17, 0.5), (0.17, 0.74), (-0.17, 0.74)), (0.55, 0.36, 0.22), 0.95)
    trim = plain(tinted(fabric.base, 0.7))
    return [
        Piece(loop, trim),
        Piece([s for group in straps for s in group], trim),
        Piece([body], fabric, marks=[zipper, patch]),
        Piece([pocket], fabric, marks=pocket_zip, shadow=0.35),
    ]


def worn_bag(kind: str, body: Body, fabric: Fabric, side: int) -> Dressed:
    """A bag in the hand of `side`, a handbag across the body if that hand is not free, or on the back."""
    if kind == "backpack":
        return _on_the_back(body, fabric)
    sign = 1.0 if side else -1.0
    free = body.pose.wrists[side][1] > 2.1 and not body.pose.behind[side]
    if not free:
        return _across(body, fabric, sign)
    hand = body.arm(side)[-1] + (sign * 0.06, 0.34)
    scale, drop = (0.62, 0.66 * 0.62) if kind == "tote" else (0.5, 0.64 * 0.5)

    def move(points: Points) -> Points:
        return place(points, hand + np.array([0.0, drop]), scale, scale)

    return Dressed(front=[p.moved(move) for p in flat_bag(kind, fabric).body])


def _across(body: Body, fabric: Fabric, sign: float) -> Dressed:
    strap = tube(body.warp(smooth((-0.42, 1.46), (-0.1, 2.2), (0.3, 3.0), (0.55, 3.75)) * (sign, 1)), [0.035])

    def move(points: Points) -> Points:
        return body.warp(points * 0.36 + np.array([sign * 0.6, 3.72]))

    return Dressed(
        front=[Piece(strap, _leather(fabric), shadow=0.35), *(p.moved(move) for p in _handbag(fabric)[1:])]
    )


def _on_the_back(body: Body, fabric: Fabric) -> Dressed:
    wide = body.shoulder * 0.98
    pack = mirror(
        smooth(
            (0, 1.22),
            (wide * 0.6, 1.24),
            (wide * 0.92, 1.5),
            (wide * 0.98, 2.4),
            (wide * 0.86, 3.2),
            (0, 3.3),
        )
    )
    strap = smooth((0.33, 1.43), (0.43, 1.78), (0.49, 2.2), (0.60, 2.55), (0.82, 2.78))
    straps = [
        shape for s in (-1, 1) for shape in tube(body.warp(strap * (s, 1)), [0.075, 0.085, 0.07, 0.045])
    ]
    marks = [Mark(body.warp(strap * (s, 1)), None, 0.25, 0.02) for s in (-1, 1)]
    return Dressed(
        behind=[Piece([body.warp(pack)], fabric)],
        front=[Piece(straps, replace(fabric, base=tinted(fabric.base, 0.85)), marks=marks, shadow=0.4)],
    )
