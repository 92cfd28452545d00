"""Tops, jackets, coats and dresses, cut for a body.

In: a `Cut`, a `Body`, a `Fabric`. Out: the garment's layers (`Dressed`). Pure, cannot fail.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np

from models.datasets.drawn.body import CROTCH, WAIST, Body
from models.datasets.drawn.collars import collar_pieces
from models.datasets.drawn.colour import tinted
from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.fabric import Fabric
from models.datasets.drawn.fastenings import closures, fastening_marks, waist_pieces
from models.datasets.drawn.geometry import (
    Points,
    flip,
    join,
    mirror,
    pts,
    shift,
    smooth,
    tube,
)
from models.datasets.drawn.pieces import Dressed, Fold, Mark, Piece
from models.datasets.drawn.sleeves import sleeve

NECKS: dict[str, tuple[float, float, float]] = {  # half-width and height at the shoulder, depth in front
    "crew": (0.27, 1.41, 1.58),
    "roll": (0.22, 1.36, 1.50),
    "rib": (0.27, 1.40, 1.56),
    "vee": (0.29, 1.42, 2.02),
    "scoop": (0.38, 1.46, 1.98),
    "collar": (0.23, 1.38, 1.60),
    "hood": (0.25, 1.40, 1.62),
    "lapel": (0.26, 1.40, 2.35),
    "deep": (0.27, 1.41, 2.55),
    "strap": (0.46, 1.98, 2.10),
}


def neck_line(cut: Cut) -> Points:
    """The right half of the neckline, from the middle of the front up to the shoulder."""
    half, top, depth = NECKS[cut.neck]
    if cut.neck in ("vee", "lapel", "deep"):
        return smooth((0.0, depth), (half * 0.52, top + (depth - top) * 0.5), (half, top))
    if cut.neck == "strap":
        return smooth((0.0, depth), (0.2, depth - 0.03), (half * 0.75, top - 0.02), (half, top))
    return smooth(
        (0.0, depth), (half * 0.55, depth - 0.035), (half * 0.9, top + (depth - top) * 0.45), (half, top)
    )


def side_line(cut: Cut, body: Body) -> Points:
    """From the shoulder's neck end over armhole and side seam to the middle of the hem."""
    under = body.half_width(2.1) + cut.ease
    if cut.neck == "strap":
        armhole = smooth((0.46, 1.98), (under * 0.82, 2.1), (under, 2.2))
    elif cut.sleeve:
        tip = body.shoulder + cut.ease * 0.4
        armhole = smooth(
            (tip - 0.2, 1.565), (tip - 0.1, 1.72), (min(tip - 0.06, under + 0.05), 1.95), (under, 2.2)
        )
    else:
        tip = body.shoulder - 0.14
        armhole = smooth((tip, 1.55), (tip - 0.05, 1.8), (under * 0.9, 2.05), (under, 2.2))
    side = body.torso_side(2.25, cut.hem, cut.ease, cut.fit, cut.flare)
    return join(armhole, side, hem_line(cut, float(side[-1, 0])))


def hem_line(cut: Cut, half: float) -> Points:
    """The right half of the hem from the side to the middle, wavy if the cloth hangs in flutes."""
    x = np.linspace(half, 0, 22)
    drop = 0.02 + 0.05 * min(1.5, half) * (cut.hem - 2.5) / 3
    y = cut.hem + drop * (1 - (x / half) ** 2)
    if cut.drape and cut.flare > 0.1:
        y = y + 0.045 * np.sin(x / 0.30 * 2 * np.pi * 0.5) * (x / half)
    return np.stack([x, y], axis=1)


def build(cut: Cut, body: Body, fabric: Fabric, rng: random.Random, opened: bool = False) -> Dressed:
    """The garment's layers: lining behind, body, sleeves, collar; `opened` shows what is worn below."""
    if opened:
        cut = replace(cut, front="trucker" if cut.front == "trucker" else "open", waist="")
    half = join(neck_line(cut), side_line(cut, body))
    outline = mirror(half)
    shapes = _panels(outline) if opened else [outline]
    marks = [*_hem_marks(cut, half), *fastening_marks(cut, fabric), *_knit_marks(cut, fabric, body)]
    middle = Piece(shapes, fabric, marks=marks, folds=_folds(cut, body, rng), drape=cut.drape)
    layers = [middle, *_tiers(cut, body, fabric), *waist_pieces(cut, body, fabric)]
    if not opened:
        layers += closures(cut, fabric)
    if cut.neck == "strap":
        layers = [*_straps(fabric, body), *layers]
    collars_behind, collars = collar_pieces(cut, fabric, body, opened)
    if opened:
        collars = [p.moved(_part) for p in collars]
    if body.flat and cut.neck in ("collar", "lapel", "rib"):
        collars, collars_behind = ([p.moved(_pressed) for p in c] for c in (collars, collars_behind))
    behind = [*collars_behind, *_lining(cut, fabric, body)]
    return Dressed(
        behind=[p.moved(body.warp) for p in behind],
        body=[p.moved(body.warp) for p in (*layers, *collars)],
        arms=[piece for side in (0, 1) for piece in sleeve(cut, body, side, fabric)],
    )


def _gap(y: Points) -> Points:
    """Half the opening of an open front at the heights `y`."""
    return np.asarray(np.interp(y, [1.45, 1.8, 3.0, 4.2, 5.5], [0.02, 0.14, 0.25, 0.36, 0.5]))


def _part(points: Points) -> Points:
    """Collar points moved aside with the fronts of an open garment."""
    aside = np.sign(points[:, 0].mean()) * _gap(points[:, 1]) * 0.8
    return np.stack([points[:, 0] + aside, points[:, 1]], axis=1)


def _pressed(points: Points) -> Points:
    """A collar without a neck in it lies down."""
    y = points[:, 1]
    return np.stack([points[:, 0], np.where(y < 1.42, 1.42 + (y - 1.42) * 0.45, y)], axis=1)


def _panels(outline: Points) -> list[Points]:
    """The two fronts of an open garment: its right half from the opening outwards, and the left one."""
    right = outline[: len(outline) // 2]
    top = int(right[:, 1].argmin())
    fold = right[: top + 1]
    end = float(right[-1, 1])
    ys = np.linspace(end, float(fold[0, 1]), 9)[:-1]
    edge = np.stack([_gap(ys), ys], axis=1)
    neck = np.stack([np.maximum(fold[:, 0], _gap(fold[:, 1])), fold[:, 1]], axis=1)
    outer = right[top + 1 :]
    outer = outer[outer[:, 0] > _gap(outer[:, 1])]
    panel = np.concatenate([neck, outer, edge])
    return [panel, flip(panel)]


def _straps(fabric: Fabric, body: Body) -> list[Piece]:
    """Thin straps over the shoulders; those of a garment that lies flat run on to its back."""
    line = smooth((0.455, 2.06), (0.42, 1.75), (0.36, 1.46))
    if body.flat:
        line = smooth((0.455, 2.06), (0.47, 1.72), (0.42, 1.47), (0.35, 1.60), (0.32, 2.0), (0.31, 2.3))
    strap = tube(line, [0.026])
    return [Piece([*strap, *(flip(s) for s in strap)], fabric, relief=0.5)]


def _lining(cut: Cut, fabric: Fabric, body: Body) -> list[Piece]:
    """The inside of the back, seen through the neck of a garment that lies flat."""
    if not body.flat:
        return []
    inside = Fabric("solid", tinted(fabric.base, 0.62), fabric.base)
    if cut.neck == "strap":
        back = join(smooth((0.0, 2.2), (0.3, 2.14), (0.56, 2.2)), pts((0.5, 2.5), (0.0, 2.5)))
        return [Piece([mirror(back)], inside, shadow=0.0)]
    half, top, depth = NECKS[cut.neck]
    back = join(
        smooth((0.0, top + 0.07), (half * 0.7, top + 0.05), (half, top)),
        pts((half * 1.02, depth), (0, depth + 0.1)),
    )
    label = Mark(
        pts((-0.07, top + 0.1), (0.07, top + 0.1), (0.07, top + 0.17), (-0.07, top + 0.17)),
        (0.95, 0.94, 0.9),
        0.9,
    )
    seam = Mark(smooth((-half, top + 0.03), (0, top + 0.11), (half, top + 0.03)), None, 0.3, 0.02)
    return [Piece([mirror(back)], inside, marks=[seam, label], shadow=0.0)]


def _tiers(cut: Cut, body: Body, fabric: Fabric) -> list[Piece]:
    return flounces(cut, body, fabric, cut.tiers, WAIST + 0.2) if cut.tiers else []


def flounces(cut: Cut, body: Body, fabric: Fabric, count: int, start: float) -> list[Piece]:
    """Tiers of a skirt, the lowest first; each is a band with gathers at its top."""
    pieces: list[Piece] = []
    heights = np.linspace(start, cut.hem, count + 1)
    for top, bottom in reversed(list(pairwise(heights))):
        side = body.torso_side(float(top), float(bottom), cut.ease, cut.fit, cut.flare)
        side[:, 0] += np.linspace(0.0, 0.07, len(side))
        tier = Cut("tier", hem=float(bottom), flare=0.2, drape=0.1)
        half = join(pts((0, float(top))), side, hem_line(tier, float(side[-1, 0])))
        gathers = [
            Fold(pts((x, float(top) + 0.02), (x * 1.05, float(top) + 0.28)), 0.03, 0.16)
            for x in np.linspace(-side[0, 0] * 0.92, side[0, 0] * 0.92, 13)
        ]
        pieces.append(Piece([mirror(half)], fabric, folds=gathers, drape=cut.drape, shadow=0.3))
    return pieces


def _folds(cut: Cut, body: Body, rng: random.Random) -> list[Fold]:
    """Creases from the underarms and at the waist."""
    folds: list[Fold] = []
    w = body.half_width(2.2) + cut.ease
    for sign in (-1, 1):
        lean = rng.uniform(0.9, 1.1)
        for dx, dy, strength in ((0.30, 0.42, 0.17), (0.2, 0.7, 0.12)):
            line = smooth((w, 2.2), (w - dx * 0.6, 2.2 + dy * 0.5 * lean), (w - dx * 1.3, 2.2 + dy * lean))
            folds.append(Fold(line * (sign, 1), 0.04, strength))
            folds.append(Fold(shift(line * (sign, 1), 0, 0.07), 0.03, -strength * 0.5))
        if cut.hem > WAIST + 0.4 and not cut.flare:
            waist = body.half_width(WAIST) + cut.ease
            for y in (WAIST - 0.05, WAIST + 0.2):
                line = smooth((waist + 0.1, y), (waist - 0.18, y + 0.1), (waist - 0.36, y + 0.08))
                folds.append(Fold(line * (sign, 1), 0.04, 0.12))
    if cut.hem > CROTCH + 0.4:
        for x in (-0.42, -0.1, 0.26, 0.5):
            spread = 1 + cut.flare * (cut.hem - WAIST)
            x += rng.uniform(-0.06, 0.06)
            line = smooth((x * 0.7, WAIST + 0.25), (x, 4.2), (x * spread, cut.hem))
            folds.append(Fold(line, 0.06, 0.12))
            folds.append(Fold(shift(line, 0.09, 0), 0.05, -0.07))
    return folds


def _hem_marks(cut: Cut, half: Points) -> list[Mark]:
    hem = hem_line(cut, float(half[-22, 0]))
    line = join(hem, flip(hem)[::-1])
    marks = [Mark(line - (0, 0.055), None, 0.22, 0.016)]
    neck = neck_line(cut)
    if cut.neck in ("crew", "scoop", "vee", "roll"):
        marks.append(Mark(shift(join(flip(neck)[::-1], neck), 0, 0.06), None, 0.25, 0.016))
    if cut.ribbed:
        y = cut.hem - 0.2
        marks.append(Mark(pts((-2, y), (2, y)), None, 0.28, 0.02))
        marks += [
            Mark(pts((x, y), (x, cut.hem + 0.2)), None, 0.14, 0.014) for x in np.arange(-1.2, 1.2, 0.055)
        ]
    return marks


def _knit_marks(cut: Cut, fabric: Fabric, body: Body) -> list[Mark]:
    """The fine ribs of knitwear."""
    if not cut.knit or fabric.pattern not in ("solid", "striped"):
        return []
    wide = body.half_width(2.2) + cut.ease
    return [Mark(pts((x, 1.3), (x, cut.hem)), None, 0.055, 0.02) for x in np.arange(-wide, wide, 0.07)]
