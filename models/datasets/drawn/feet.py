"""Shoes on the feet of a figure, seen from the front.

In: a kind (`SHOES`), the body, a `Fabric`, the skin. Out: layers (`Dressed`). Pure; raises KeyError for
another kind.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from models.datasets.drawn.body import Body
from models.datasets.drawn.colour import tinted
from models.datasets.drawn.fabric import Fabric, plain
from models.datasets.drawn.footwear import RUBBER
from models.datasets.drawn.geometry import (
    Points,
    blob,
    join,
    place,
    pts,
    smooth,
    stretch,
    tube,
)
from models.datasets.drawn.pieces import Dressed, Fold, Mark, Piece

UPPER = (
    "-0.12 -0.05, 0.12 -0.05, 0.16 0.12, 0.25 0.32, 0.22 0.43, 0.05 0.45, -0.14 0.42, -0.17 0.3, -0.13 0.12"
)


def worn_shoes(kind: str, body: Body, fabric: Fabric, skin: Fabric) -> Dressed:
    """The pair on the feet; `skin` shows where the shoe is open."""
    pieces: list[Piece] = []
    for side in (0, 1):
        leg = body.leg(side)
        sign = 1.0 if side else -1.0
        ankle = leg[-1]
        pieces += [p.moved(partial(place, at=ankle, sx=sign, sy=1.0)) for p in _front(kind, fabric, skin)]
        if kind == "boots":
            shaft = stretch(leg, 0.87, 1.0, 8)
            pieces.append(_shaft(shaft, fabric))
    return Dressed(body=pieces)


def _shaft(middle: Points, fabric: Fabric) -> Piece:
    line = np.concatenate([middle, middle[-1:] + np.array([0, 0.12])])
    marks = [Mark(pts((-0.4, 0.08), (0.4, 0.08)) + middle[0], None, 0.3, 0.02)]
    folds = [Fold(pts((-0.2, 0.0), (0.12, -0.06)) + line[-1], 0.04, 0.25)]
    return Piece(
        tube(line, [0.195, 0.185, 0.16, 0.145], cap_start=False), fabric, marks=marks, folds=folds, shadow=0.2
    )


def _front(kind: str, fabric: Fabric, skin: Fabric) -> list[Piece]:
    """A right shoe seen from the front, its ankle at (0, 0), the toe a little outwards."""
    if kind == "heels":
        return _heel(fabric, skin)
    if kind == "sandals":
        return _sandal(fabric, skin)
    return _boot(fabric) if kind == "boots" else _sneaker(fabric)


def _heel(fabric: Fabric, skin: Fabric) -> list[Piece]:
    foot = blob("-0.085 -0.16, 0.085 -0.16, 0.13 0.2, 0.16 0.42, 0.07 0.56, -0.05 0.44, -0.08 0.2")
    shoe = join(
        smooth((-0.115, 0.16), (-0.06, 0.33), (0.045, 0.40), (0.13, 0.32), (0.16, 0.16)),
        smooth((0.185, 0.36), (0.15, 0.54), (0.09, 0.66), (0.02, 0.56), (-0.10, 0.40)),
    )
    return [
        Piece([foot], skin, shadow=0.0, relief=0.35),
        Piece([shoe], fabric, folds=[Fold(pts((0.06, 0.44), (0.08, 0.56)), 0.05, -0.3)], shadow=0.2),
    ]


def _sandal(fabric: Fabric, skin: Fabric) -> list[Piece]:
    foot = blob(
        "-0.085 -0.16, 0.085 -0.16, 0.13 0.14, 0.22 0.36, 0.12 0.46, -0.06 0.43, -0.11 0.3", "-0.1 0.1"
    )
    toes = [Mark(pts((x, 0.34), (x + 0.01, 0.47)), None, 0.2, 0.012) for x in (-0.01, 0.06, 0.12)]
    sole = blob((-0.14, 0.34), (0.1, 0.42), (0.25, 0.34), (0.24, 0.45), (0.1, 0.52), (-0.1, 0.5))
    straps = [
        join(
            smooth((-0.14, 0.22), (0.03, 0.15), (0.2, 0.2)),
            smooth((0.22, 0.3), (0.04, 0.25), (-0.13, 0.31)),
        ),
        join(
            smooth((-0.12, 0.0), (0.0, 0.05), (0.13, 0.0)),
            smooth((0.13, 0.07), (0.0, 0.11), (-0.12, 0.07)),
        ),
    ]
    return [
        Piece([sole], plain((0.62, 0.46, 0.32)), shadow=0.0),
        Piece([foot], skin, marks=toes, shadow=0.0, relief=0.35),
        Piece(straps, fabric, shadow=0.3),
    ]


def _boot(fabric: Fabric) -> list[Piece]:
    upper = blob(UPPER)
    sole = blob("-0.18 0.38, 0.05 0.42, 0.26 0.37, 0.26 0.47, 0.05 0.5, -0.17 0.47", steps=4)
    return [
        Piece([sole], plain(tinted(fabric.base, 0.55)), shadow=0.0),
        Piece([upper], fabric, folds=[Fold(pts((-0.1, 0.16), (0.15, 0.14)), 0.04, 0.2)], shadow=0.1),
    ]


def _sneaker(fabric: Fabric) -> list[Piece]:
    upper = blob(UPPER)
    sole = blob("-0.19 0.33, 0.04 0.38, 0.27 0.32, 0.275 0.44, 0.05 0.49, -0.18 0.45", steps=4)
    laces = [
        Mark(
            pts((-0.055 - 0.008 * k, 0.03 + k * 0.065), (0.075 + 0.012 * k, 0.03 + k * 0.065)),
            RUBBER if sum(fabric.base) < 2.3 else (0.6, 0.6, 0.6),
            1.0,
            0.026,
        )
        for k in range(4)
    ]
    cap = blob((-0.12, 0.34), (0.05, 0.28), (0.2, 0.33), (0.18, 0.42), (-0.1, 0.42))
    return [
        Piece([upper], fabric, marks=[Mark(cap, RUBBER, 0.75), *laces], shadow=0.1),
        Piece([sole], plain(RUBBER), shadow=0.15),
    ]
