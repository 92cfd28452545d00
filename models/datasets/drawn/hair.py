"""Hair: what is behind the shoulders and what frames the face.

In: a `Look`. Out: pieces about a head whose crown is at y = 0 and chin at y = 1. Pure, cannot fail.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.fabric import Fabric
from models.datasets.drawn.geometry import (
    Points,
    ellipse,
    flip,
    join,
    mirror,
    smooth,
)
from models.datasets.drawn.look import Look
from models.datasets.drawn.pieces import Fold, Piece


def _strands(lines: list[Points], dark: float = 0.22) -> list[Fold]:
    return [Fold(line, 0.03, dark if i % 2 else -dark) for i, line in enumerate(lines)]


def _crown(parting: float, low: float, volume: float = 0.0) -> Points:
    """Hair over the skull down to the temples at `low`, parted at `parting`."""
    v = volume
    outer = smooth(
        (-0.37, low),
        (-0.415 - v, 0.36),
        (-0.36 - v, 0.12),
        (-0.22, -0.05 - v),
        (0.0, -0.105 - v),
        (0.22, -0.05 - v),
        (0.36 + v, 0.12),
        (0.415 + v, 0.36),
        (0.37, low),
    )
    inner = smooth(
        (0.335, low),
        (0.325, 0.42),
        (0.25, 0.27),
        (parting, 0.13),
        (-0.22, 0.25),
        (-0.325, 0.42),
        (-0.335, low),
    )
    return join(outer, inner)


def _crown_strands(parting: float) -> list[Fold]:
    ends = np.linspace(-0.38, 0.38, 8)
    return _strands([smooth((parting, -0.06), ((parting + x) / 2 * 1.1, 0.0), (x, 0.34)) for x in ends], 0.16)


def hair(look: Look) -> tuple[list[Piece], list[Piece]]:
    """What is behind the head and shoulders, and what is in front of them."""
    cloth = look.hair_fabric
    if look.style in ("long", "wavy"):
        return _long_hair(cloth, look.style == "wavy")
    if look.style in ("curly", "curly_short"):
        return _curls(cloth, look.style == "curly")
    if look.style == "bob":
        return _bob(cloth)
    if look.style in ("short", "crop"):
        volume = 0.02 if look.style == "short" else -0.01
        return [], [Piece([_crown(0.12, 0.48, volume)], cloth, folds=_crown_strands(0.2))]
    crown = Piece([_crown(0.0, 0.5)], cloth, folds=_crown_strands(0.0))
    return [_bun(cloth) if look.style == "bun" else _tail(cloth)], [crown]


def _bob(cloth: Fabric) -> tuple[list[Piece], list[Piece]]:
    back = mirror(smooth("0 -0.08, 0.34 0.02, 0.45 0.4, 0.47 0.85, 0.40 1.08, 0 1.1"))
    lock = join(
        smooth("0.30 0.2, 0.42 0.4, 0.475 0.8, 0.43 1.06"),
        smooth("0.33 1.08, 0.31 0.85, 0.335 0.5"),
    )
    crown = Piece([_crown(-0.08, 0.6)], cloth, folds=_crown_strands(-0.08))
    return [Piece([back], cloth, shadow=0.0)], [Piece([lock, flip(lock)], cloth, shadow=0.25), crown]


def _bun(cloth: Fabric) -> Piece:
    strands = [smooth("-0.15 -0.18, 0 -0.3, 0.15 -0.16"), smooth("-0.12 -0.12, 0 -0.2, 0.13 -0.1")]
    return Piece([ellipse(0.0, -0.19, 0.19, 0.165)], cloth, folds=_strands(strands))


def _tail(cloth: Fabric) -> Piece:
    outer = smooth("0.2 0.1, 0.46 0.3, 0.56 0.9, 0.50 1.5, 0.42 1.75")
    return Piece([join(outer, smooth("0.36 1.4, 0.38 0.9, 0.28 0.4"))], cloth, shadow=0.0)


def _long_hair(cloth: Fabric, wavy: bool) -> tuple[list[Piece], list[Piece]]:
    w = 0.05 if wavy else 0.0
    back = mirror(
        smooth((0, -0.09), (0.34, 0.0), (0.44, 0.4), (0.46 + w, 0.9), (0.48 + w, 1.3), (0.44, 1.7), (0, 1.75))
    )
    outer = smooth((0.28, 0.12), (0.43, 0.36), (0.455 + w, 0.75), (0.43, 1.1), (0.50 + w, 1.5), (0.45, 1.95))
    inner = smooth((0.36, 2.02), (0.27, 1.6), (0.33 - w, 1.2), (0.30, 0.9), (0.335, 0.5))
    lock = join(outer, inner)
    strands = _strands(
        [smooth((x, 0.4), (x + 0.06, 0.9), (x + 0.01, 1.3), (x + 0.02, 1.9)) for x in (0.36, 0.39, 0.42)],
        0.14,
    )
    both = [*strands, *(Fold(flip(f.points), f.width, f.strength) for f in strands)]
    crown = Piece([_crown(-0.06, 0.62)], cloth, folds=_crown_strands(-0.06), shadow=0.15)
    return [Piece([back], cloth, shadow=0.0)], [
        Piece([lock, flip(lock)], cloth, folds=both, shadow=0.25),
        crown,
    ]


def _curls(cloth: Fabric, full: bool) -> tuple[list[Piece], list[Piece]]:
    ring, size, reach = (0.46, 0.17, 2.25) if full else (0.36, 0.115, 1.75)
    angles = np.linspace(-reach, reach, 15 if full else 13)
    curls = [ellipse(ring * np.sin(a) * 1.02, 0.40 - ring * 1.02 * np.cos(a), size, size, 16) for a in angles]
    top = [ellipse(x, 0.09 - 0.05 * np.cos(x * 6), 0.12, 0.11, 16) for x in np.linspace(-0.26, 0.26, 6)]
    back = [ellipse(0.0, 0.34, ring + 0.02, ring + 0.06), *curls] if full else []
    dapple = [
        Fold(ellipse(ring * 0.98 * np.sin(a), 0.38 - ring * np.cos(a), 0.06, 0.05, 8), 0.03, 0.2)
        for a in angles[::2]
    ]
    front = [Piece([_crown(0.0, 0.44, 0.03), *top, *([] if full else curls)], cloth, folds=dapple)]
    return ([Piece(back, cloth, folds=dapple, shadow=0.0)] if back else []), front
