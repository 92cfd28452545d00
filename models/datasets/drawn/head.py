"""Heads: face, hair and hat, tilted together.

In: a body, a `Look`, a hat's pieces. Out: pieces that belong to nobody (the hat's keep their owner). Pure.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.body import Body
from models.datasets.drawn.colour import mixed, tinted
from models.datasets.drawn.geometry import (
    Points,
    ellipse,
    join,
    mirror,
    rotate,
    smooth,
)
from models.datasets.drawn.hair import hair
from models.datasets.drawn.look import Look
from models.datasets.drawn.pieces import Mark, Piece


def head(body: Body, look: Look, hat: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """What is behind the shoulders (hair) and in front of them (face, hair, hat), tilted together."""
    behind, front = hair(look)
    ears = Piece([ellipse(s * 0.35, 0.56, 0.05, 0.10) for s in (-1, 1)], look.skin_fabric, shadow=0.0)
    pieces = [ears, _face(look), *front, *hat]

    def move(points: Points) -> Points:
        return rotate(points, body.pose.head_turn, (0.0, 1.2))

    return [p.moved(move) for p in behind], [p.moved(move) for p in pieces]


def _face(look: Look) -> Piece:
    jaw = 0.02 if look.masculine else 0.0
    half = smooth(
        "0 0, 0.2 0.04, 0.32 0.2, 0.355 0.42, 0.34 0.62", (0.27 + jaw, 0.82), (0.14 + jaw, 0.965), (0, 1)
    )
    cheeks = [Mark(ellipse(s * 0.205, 0.70, 0.085, 0.06), (0.93, 0.45, 0.42), 0.16) for s in (-1, 1)]
    nose = Mark(smooth("0.045 0.56, 0.055 0.68, 0 0.715, -0.05 0.70"), tinted(look.skin, 0.62), 0.4, 0.018)
    eyes = [mark for s in (-1.0, 1.0) for mark in _eye(look, np.array([s, 1.0]))]
    marks = [*cheeks, *eyes, nose, *_mouth(look)]
    return Piece([mirror(half)], look.skin_fabric, marks=marks, shadow=0.35, relief=0.8)


def _eye(look: Look, side: Points) -> list[Mark]:
    """Brow, white, iris and lashes of one eye; `side` is (-1, 1) or (1, 1)."""
    brow = smooth("0.085 0.435, 0.16 0.405, 0.245 0.44") * side
    white = smooth("0.09 0.535, 0.16 0.50, 0.235 0.535, 0.16 0.565, 0.09 0.535") * side
    lashes = smooth("0.08 0.54, 0.155 0.495, 0.25 0.53") * side
    return [
        Mark(brow, tinted(look.hair, 0.9), 0.85, 0.034 if look.masculine else 0.024),
        Mark(white, (0.98, 0.97, 0.95), 0.9),
        Mark(ellipse(0.16, 0.533, 0.034, 0.038, 14) * side, (0.20, 0.14, 0.11), 1.0),
        Mark(lashes, (0.14, 0.10, 0.10), 0.9, 0.024),
    ]


def _mouth(look: Look) -> list[Mark]:
    lip = mixed(look.skin, (0.78, 0.28, 0.30), 0.28 if look.masculine else 0.6)
    lips = join(
        smooth("-0.115 0.825, -0.04 0.795, 0 0.805, 0.04 0.795, 0.115 0.825"),
        smooth("0.115 0.825, 0 0.89, -0.115 0.825"),
    )
    parting = smooth("-0.11 0.826, 0 0.838, 0.11 0.826")
    return [Mark(lips, lip, 0.9), Mark(parting, tinted(lip, 0.65), 0.7, 0.012)]
