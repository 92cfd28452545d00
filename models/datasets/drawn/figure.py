"""The person in the clothes: skin, face, hair and hands.

In: a body and a `Look`. Out: pieces that belong to nobody, grouped as the painter needs them. Pure.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.body import ARM_WIDTHS, CROTCH, LEG_WIDTHS, Body
from models.datasets.drawn.geometry import (
    Points,
    blob,
    heading,
    join,
    mirror,
    pts,
    rotate,
    smooth,
    stretch,
    tube,
)
from models.datasets.drawn.look import Look
from models.datasets.drawn.pieces import Fold, Mark, Piece


def torso(body: Body, look: Look, sleeved: bool) -> list[Piece]:
    """Neck, shoulders and trunk; shoulders that are in sleeves are left to these."""
    edge = body.shoulder - (0.22 if sleeved else 0.0)
    neck = 0.19 if look.masculine else 0.145
    side = body.torso_side(2.05, CROTCH, -0.02, 1.0)
    half = join(
        smooth(
            (0, 0.7),
            (neck, 0.75),
            (neck, 1.15),
            (neck + 0.05, 1.33),
            (edge * 0.62, 1.5),
            (edge - 0.04, 1.62),
            (min(edge, body.half_width(2.05)) if sleeved else edge, 1.82),
        ),
        side,
        pts((0.3, CROTCH + 0.1), (0, CROTCH + 0.1)),
    )
    bones = [Fold(smooth((s * 0.06, 1.53), (s * 0.25, 1.5), (s * 0.5, 1.53)), 0.025, 0.10) for s in (-1, 1)]
    shade = Fold(smooth((-0.2, 1.1), (0, 1.16), (0.2, 1.1)), 0.16, 0.30)
    return [Piece([mirror(half)], look.skin_fabric, folds=[*bones, shade], shadow=0.0).moved(body.warp)]


def legs(body: Body, look: Look) -> list[Piece]:
    """Both legs down to the ankles."""
    pieces = []
    for side in (0, 1):
        line = stretch(body.leg(side), 0, 1, 34)
        knee = line[16]
        folds = [
            Fold(
                smooth((knee[0] - 0.1, knee[1]), (knee[0], knee[1] + 0.08), (knee[0] + 0.1, knee[1])),
                0.03,
                0.08,
            )
        ]
        pieces.append(
            Piece(
                tube(line, LEG_WIDTHS, cap_end=True), look.skin_fabric, folds=folds, shadow=0.12, relief=1.1
            )
        )
    return pieces


def arm(body: Body, look: Look, side: int, bare_from: float) -> list[Piece]:
    """An arm without its hand, from a fraction of its length on (the rest is in the sleeve)."""
    scale = 1.18 if look.masculine else 1.0
    line = stretch(body.arm(side), bare_from, 1, 30)
    own = np.interp(np.linspace(bare_from, 1, 9), np.linspace(0, 1, len(ARM_WIDTHS)), ARM_WIDTHS)
    return [Piece(tube(line, [float(w) * scale for w in own], cap_end=True), look.skin_fabric, shadow=0.2)]


def hand(body: Body, look: Look, side: int) -> list[Piece]:
    """A relaxed hand at the end of the arm, the thumb towards the body."""
    line = body.arm(side)
    scale = 1.15 if look.masculine else 1.0
    sign = 1.0 if side else -1.0
    palm = blob(
        "-0.06 -0.12, 0.06 -0.12, 0.105 0.14, 0.1 0.32, 0.06 0.52, 0 0.58, -0.05 0.5",
        "-0.085 0.32, -0.1 0.14",
    )
    thumb = blob((-0.07, 0.06), (-0.13, 0.17), (-0.15, 0.32), (-0.11, 0.37), (-0.07, 0.28), (-0.05, 0.16))
    fingers = [Mark(pts((x, 0.30), (x * 0.75, 0.56)), None, 0.16, 0.012) for x in (-0.035, 0.02, 0.065)]
    turn = -heading(line[-6:]) * 0.75

    def move(points: Points) -> Points:
        return np.asarray(rotate(points * (sign * scale, scale), turn) + line[-1])

    return [Piece([palm, thumb], look.skin_fabric, marks=fingers, shadow=0.0, relief=0.5).moved(move)]
