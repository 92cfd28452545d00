"""Hats, laid flat or on a head.

In: a kind (`HATS`) and a `Fabric`. Out: layers (`Dressed`) or pieces. Pure; raises KeyError for another kind.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.datasets.drawn.colour import tinted
from models.datasets.drawn.fabric import Fabric, plain
from models.datasets.drawn.geometry import (
    blob,
    ellipse,
    join,
    mirror,
    pts,
    smooth,
)
from models.datasets.drawn.pieces import Dressed, Fold, Mark, Piece

HATS = {"beanie": "beanie", "cap": "baseball cap", "wide_brim": "wide-brimmed hat"}


def flat_hat(kind: str, fabric: Fabric) -> Dressed:
    """A hat by itself."""
    if kind == "beanie":
        return Dressed(body=[p.moved(lambda q: q * (0.9, 1.2)) for p in _beanie(fabric, 1.0)])
    return Dressed(body=_cap_from_the_side(fabric) if kind == "cap" else _wide_brim(fabric))


def _beanie(fabric: Fabric, slouch: float) -> list[Piece]:
    dome = mirror(
        smooth(
            (0, -0.36 * slouch), (0.22, -0.33 * slouch), (0.40, -0.06), (0.43, 0.22), (0.42, 0.34), (0, 0.38)
        )
    )
    ribs = [
        Mark(smooth((x * 0.25, -0.4 * slouch), (x * 0.85, -0.1), (x, 0.4)), None, 0.14, 0.022)
        for x in np.linspace(-0.42, 0.42, 15)
    ]
    cuff = join(
        smooth((-0.43, 0.16), (0, 0.21), (0.43, 0.16)), smooth((0.445, 0.36), (0, 0.42), (-0.445, 0.36))
    )
    cuff_ribs = [Mark(pts((x, 0.1), (x * 1.02, 0.5)), None, 0.2, 0.024) for x in np.linspace(-0.45, 0.45, 17)]
    folded = replace(fabric, base=tinted(fabric.base, 0.94))
    tag = Mark(pts((0.18, 0.25), (0.30, 0.24), (0.30, 0.35), (0.18, 0.36)), (0.93, 0.88, 0.78), 0.95)
    return [Piece([dome], fabric, marks=ribs), Piece([cuff], folded, marks=[*cuff_ribs, tag], shadow=0.4)]


def _cap_from_the_side(fabric: Fabric) -> list[Piece]:
    dome = join(
        smooth("-0.5 0.3, -0.52 0.02, -0.34 -0.28, 0 -0.38, 0.32 -0.27, 0.48 0, 0.5 0.27"),
        smooth((0.3, 0.34), (0, 0.36), (-0.3, 0.34)),
    )
    visor = join(
        smooth((0.26, 0.27), (0.52, 0.17), (0.8, 0.24), (1.02, 0.40)),
        smooth((1.02, 0.45), (0.8, 0.40), (0.5, 0.36), (0.26, 0.36)),
    )
    seams = [
        Mark(smooth((0.0, -0.38), (0.08, 0.0), (0.06, 0.36)), None, 0.3, 0.016),
        Mark(smooth((0.0, -0.38), (0.3, -0.1), (0.36, 0.3)), None, 0.22, 0.016),
        Mark(smooth((0.0, -0.38), (-0.25, -0.1), (-0.3, 0.34)), None, 0.22, 0.016),
    ]
    eyelets = [Mark(ellipse(x, -0.12, 0.02, 0.02, 10), None, 0.6) for x in (-0.1, 0.16)]
    stitches = [
        Mark(smooth((0.34, 0.27 + d), (0.6, 0.23 + d), (0.95, 0.38 + d)), None, 0.18, 0.012)
        for d in (0.02, 0.06)
    ]
    button = ellipse(0.0, -0.385, 0.05, 0.03, 14)
    darker = replace(fabric, base=tinted(fabric.base, 0.85))
    return [
        Piece([button], darker),
        Piece([visor], darker, marks=stitches),
        Piece([dome], fabric, marks=[*seams, *eyelets], shadow=0.3),
    ]


def _wide_brim(fabric: Fabric) -> list[Piece]:
    brim = blob("-1 0.26, -0.6 0.12, 0 0.07, 0.6 0.12, 1 0.26, 0.7 0.4, 0 0.47", "-0.7 0.4")
    crown = mirror(
        join(
            smooth((0, -0.30), (0.14, -0.36), (0.32, -0.34), (0.42, -0.12), (0.47, 0.2)),
            smooth((0.40, 0.27), (0.2, 0.31), (0, 0.32)),
        )
    )
    ribbon = join(
        smooth((-0.455, 0.06), (0, 0.14), (0.455, 0.06)),
        smooth((0.475, 0.2), (0.25, 0.29), (0, 0.31), (-0.25, 0.29), (-0.475, 0.2)),
    )
    dark = plain(tinted(fabric.base, 0.42))
    dent = Fold(smooth((-0.1, -0.28), (0.0, -0.1), (0.1, -0.28)), 0.08, 0.14)
    straw = [
        Mark(smooth((-1.0 * k, 0.26), (0, 0.27 + 0.2 * k), (1.0 * k, 0.26)), None, 0.07, 0.014)
        for k in (0.65, 0.8, 0.93)
    ]
    return [
        Piece([brim], fabric, marks=straw),
        Piece([crown], fabric, folds=[dent], shadow=0.35),
        Piece([ribbon], dark, shadow=0.1),
    ]


def worn_hat(kind: str, fabric: Fabric) -> list[Piece]:
    """A hat on a head whose crown is at y = 0 (not yet turned with the head)."""
    if kind == "beanie":
        return [p.moved(lambda q: q * (0.96, 0.95) + (0, 0.03)) for p in _beanie(fabric, 0.8)]
    if kind == "wide_brim":
        return [p.moved(lambda q: q * (0.93, 0.95) + (0, 0.03)) for p in _wide_brim(fabric)]
    dome = mirror(smooth((0, -0.17), (0.24, -0.12), (0.39, 0.08), (0.405, 0.32), (0, 0.34)))
    visor = join(
        smooth((-0.37, 0.28), (0, 0.2), (0.37, 0.28)),
        smooth((0.41, 0.40), (0.2, 0.37), (0, 0.36), (-0.2, 0.37), (-0.41, 0.40)),
    )
    seam = Mark(pts((0, -0.2), (0, 0.3)), None, 0.25, 0.015)
    badge = Mark(ellipse(0, 0.08, 0.07, 0.06, 14), (0.95, 0.93, 0.88), 0.9)
    return [
        Piece([dome], fabric, marks=[seam, badge]),
        Piece([visor], replace(fabric, base=tinted(fabric.base, 0.82)), shadow=0.45),
    ]
