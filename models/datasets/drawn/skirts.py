"""Skirts, cut for a body.

In: a `LowerCut`, a `Body`, a `Fabric`. Out: pieces in upright coordinates (the caller moves them with the
torso). Pure, cannot fail.
"""

from __future__ import annotations

import random

import numpy as np

from models.datasets.drawn.bodice import flounces, hem_line
from models.datasets.drawn.body import HIP, WAIST, Body
from models.datasets.drawn.colour import Rgb, tinted
from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.fabric import Fabric
from models.datasets.drawn.fastenings import STITCH
from models.datasets.drawn.geometry import Points, ellipse, flip, join, mirror, pts, shift, smooth
from models.datasets.drawn.lower_cuts import LowerCut
from models.datasets.drawn.pieces import Fold, Mark, Piece
from models.datasets.drawn.waistbands import RISE, waistband


def skirt(cut: LowerCut, body: Body, fabric: Fabric, rng: random.Random) -> list[Piece]:
    """The skirt from the back to its waistband."""
    shape = Cut(cut.noun, hem=cut.length, ease=0.02, fit=1.0, flare=cut.flare, drape=cut.drape)
    side = body.torso_side(RISE, cut.length, 0.02, 1.0, cut.flare)
    hem = hem_line(shape, float(side[-1, 0]))
    outline = mirror(join(pts((0, RISE)), side, hem))
    wide = float(side[-1, 0])
    folds, marks = _skirt_folds(cut, wide, rng), _skirt_marks(cut, fabric, wide, hem)
    main = Piece([outline], fabric, marks=marks, folds=folds, drape=cut.drape)
    tiers = flounces(shape, body, fabric, cut.tiers, WAIST + 0.75) if cut.tiers else []
    return [main, *tiers, *waistband(cut, body, fabric)]


def _skirt_folds(cut: LowerCut, wide: float, rng: random.Random) -> list[Fold]:
    folds: list[Fold] = []
    if cut.pleats:
        for k in np.linspace(-1, 1, cut.pleats + 1):
            line = smooth((k * 0.5, RISE + 0.15), (k * 0.74, HIP), (k * wide, cut.length + 0.1))
            folds += [Fold(line, 0.05, 0.28), Fold(shift(line, 0.06, 0), 0.05, -0.12)]
        return folds
    for x in (-0.55, -0.12, 0.3, 0.62):
        x += rng.uniform(-0.05, 0.05)
        line = smooth((x * 0.66, RISE + 0.5), (x * 0.9, HIP), (x * wide / 0.72, cut.length))
        folds += [Fold(line, 0.07, 0.10), Fold(shift(line, 0.1, 0), 0.05, -0.06)]
    for s in (-1, 1):
        folds.append(
            Fold(smooth((s * 0.7, HIP - 0.15), (s * 0.4, HIP - 0.06), (s * 0.12, HIP - 0.1)), 0.04, 0.08)
        )
    return folds


def _skirt_marks(cut: LowerCut, fabric: Fabric, wide: float, hem: Points) -> list[Mark]:
    line = shift(join(hem, flip(hem)[::-1]), 0, -0.07)
    denim = fabric.pattern == "denim"
    rgb, alpha = (STITCH, 0.65) if denim else (None, 0.22)
    marks = [Mark(line, rgb, alpha, 0.014)]
    if cut.noun == "A-line skirt":
        metal: Rgb = (0.74, 0.5, 0.3) if denim else tinted(fabric.base, 0.5)
        heights = np.arange(RISE + 0.35, cut.length - 0.15, 0.3)
        for s in (-1, 1):
            pocket = smooth((s * 0.3, RISE + 0.14), (s * 0.36, RISE + 0.4), (s * 0.7, RISE + 0.52))
            marks.append(Mark(pts((s * 0.07, RISE), (s * 0.07, cut.length + 0.2)), rgb, alpha, 0.013))
            marks.append(Mark(pocket, rgb, alpha, 0.014))
        marks += [Mark(ellipse(0, y, 0.034, 0.034, 12), metal, 0.95) for y in heights]
    if cut.noun == "pencil skirt":
        slit = pts((wide * 0.5, cut.length - 0.75), (wide * 0.52, cut.length + 0.1))
        marks.append(Mark(slit, None, 0.45, 0.025))
    return marks
