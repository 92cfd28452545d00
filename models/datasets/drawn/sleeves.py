"""Sleeves that follow the arms.

In: a `Cut`, a `Body`, a side, a `Fabric`. Out: pieces in place. Pure, cannot fail.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.body import Body
from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.fabric import Fabric
from models.datasets.drawn.geometry import (
    Points,
    heading,
    normals,
    stretch,
    tube,
)
from models.datasets.drawn.pieces import Fold, Mark, Piece


def sleeve(cut: Cut, body: Body, side: int, fabric: Fabric) -> list[Piece]:
    """The sleeve of one side, with its cuff."""
    if not cut.sleeve:
        return []
    arm = body.arm(side)
    middle = stretch(arm, 0.0, cut.sleeve, 22)
    top = 0.19 + cut.roomy_arm
    # The sleeve's head lies under the shoulder seam, however wide it is.
    head = body.warp(
        np.array([[(1 if side else -1) * (body.shoulder + 0.03 + cut.ease * 0.4 - top), 1.575 + top * 0.98]])
    )[0]
    middle = middle + (head - middle[0]) * (np.linspace(1, 0, len(middle))[:, None] ** 1.5)
    elbow = 0.15 + cut.roomy_arm if cut.sleeve > 0.6 else (top + cut.cuff) / 2
    widths = [top, top * 0.99, (top + elbow) / 2, elbow, (elbow + cut.cuff) / 2, cut.cuff]
    turn = heading(stretch(arm, 0.0, min(cut.sleeve, 0.6)))
    piece = Piece(
        tube(middle, widths),
        fabric,
        marks=[*_cuff_marks(cut, middle, fabric)],
        folds=_sleeve_folds(cut, middle, widths, 1 if side else -1),
        turn=turn,
        shadow=0.3,
    )
    return [piece]


def _cuff_marks(cut: Cut, middle: Points, fabric: Fabric) -> list[Mark]:
    across = normals(middle)[-1]
    end, back = middle[-1], middle[-1] - middle[-3]
    back = back / np.hypot(*back)
    away = 0.2 if cut.ribbed or (cut.neck == "collar" and cut.sleeve > 0.8) else 0.05
    line = np.stack([end - back * away - across * 0.5, end - back * away + across * 0.5])
    marks = [Mark(line, None, 0.28, 0.02)]
    if cut.ribbed:
        for k in np.linspace(-0.9, 0.9, 9):
            root = end + across * k * cut.cuff * 1.3
            marks.append(Mark(np.stack([root, root - back * away]), None, 0.16, 0.014))
    return marks


def _sleeve_folds(cut: Cut, middle: Points, widths: list[float], sign: int) -> list[Fold]:
    folds = []
    places = (0.22, 0.5, 0.58, 0.68, 0.85) if cut.sleeve > 0.6 else (0.45,)
    across = normals(middle)
    for k, place in enumerate(places):
        i = int(place * (len(middle) - 1))
        w = float(np.interp(place, np.linspace(0, 1, len(widths)), widths))
        lean = middle[min(i + 2, len(middle) - 1)] - middle[i]
        inner = middle[i] + across[i] * w * sign * (1 if k % 2 else -1)
        outer = middle[i] - across[i] * w * 0.15 * sign * (1 if k % 2 else -1) + lean * 0.8
        folds.append(Fold(np.stack([inner, outer]), 0.035, 0.22))
        folds.append(Fold(np.stack([inner, outer]) + lean * 0.35, 0.03, -0.10))
    return folds
