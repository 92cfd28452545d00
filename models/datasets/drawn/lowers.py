"""Trousers, shorts and skirts, cut for a body.

In: a `LowerCut`, a `Body`, a `Fabric`. Out: the garment's layers (`Dressed`). Pure, cannot fail.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from models.datasets.drawn.body import HIP, LEG_WIDTHS, Body
from models.datasets.drawn.colour import Rgb, tinted
from models.datasets.drawn.fabric import Fabric
from models.datasets.drawn.fastenings import STITCH
from models.datasets.drawn.geometry import (
    Points,
    join,
    mirror,
    normals,
    pts,
    shift,
    smooth,
    stretch,
    tube,
)
from models.datasets.drawn.lower_cuts import LowerCut
from models.datasets.drawn.pieces import Dressed, Fold, Mark, Piece
from models.datasets.drawn.skirts import skirt
from models.datasets.drawn.waistbands import RISE, band_edge, waistband


def build_lower(cut: LowerCut, body: Body, fabric: Fabric, rng: random.Random, skin: Rgb | None) -> Dressed:
    """The garment's layers; `skin` shows through the slits of ripped jeans (None: pale threads only)."""
    if cut.kind == "skirt":
        return Dressed(body=[p.moved(body.warp) for p in skirt(cut, body, fabric, rng)])
    return Dressed(body=_legs(cut, body, fabric, rng, skin))


def _legs(cut: LowerCut, body: Body, fabric: Fabric, rng: random.Random, skin: Rgb | None) -> list[Piece]:
    top = RISE + cut.rise
    side = body.torso_side(top, HIP + 0.12, cut.ease[0] * 0.8 + 0.01, 1.0)
    pelvis = mirror(join(pts((0, top)), side, pts((0.05, HIP + 0.24), (0, HIP + 0.24))))
    shapes = [body.warp(pelvis)]
    marks: list[Mark] = []
    folds: list[Fold] = []
    turn_ups: list[Piece] = []
    for index in (0, 1):
        line, widths = _leg_tube(cut, body, index)
        shapes += tube(line, widths)
        leg_marks, leg_folds = _leg_details(cut, line, widths, 1 if index else -1, fabric, skin)
        marks += leg_marks
        folds += leg_folds
        if cut.turn_up:
            turn_ups.append(_turn_up(line, widths[-1], fabric))
    marks += [Mark(body.warp(m.points), m.rgb, m.alpha, m.width) for m in _front_marks(cut, fabric, body)]
    folds += [Fold(body.warp(f.points), f.width, f.strength) for f in _crotch_folds()]
    main = Piece(shapes, fabric, marks=marks, folds=folds, shadow=0.25)
    return [main, *turn_ups, *(p.moved(body.warp) for p in waistband(cut, body, fabric))]


def _leg_tube(cut: LowerCut, body: Body, side: int) -> tuple[Points, list[float]]:
    """The middle line of a trouser leg and its half-widths."""
    leg = body.leg(side)
    if cut.length > 1:
        tip = leg[-1] + (leg[-1] - leg[-4]) / np.hypot(*(leg[-1] - leg[-4])) * 0.25
        leg = np.concatenate([leg, tip[None]])
    end = min(1.0, cut.length)
    line = stretch(leg, 0.0, end, 30)
    sign = 1.0 if side else -1.0
    overlap = (
        cut.ease[-1]
        + float(np.interp(end, np.linspace(0, 1, len(LEG_WIDTHS)), LEG_WIDTHS))
        - sign * line[-1, 0]
    )
    apart = max(0.0, overlap + (0.07 if body.flat else 0.015)) if body.flat or cut.length < 0.6 else 0.0
    line[:, 0] += sign * apart * np.linspace(0, 1, len(line))
    places = np.linspace(0, end, 12)
    own = np.interp(places, np.linspace(0, 1, len(LEG_WIDTHS)), LEG_WIDTHS)
    ease = np.interp(np.linspace(0, 1, 12), np.linspace(0, 1, len(cut.ease)), cut.ease)
    return line, [float(w) for w in own + ease]


def _turn_up(line: Points, half: float, fabric: Fabric) -> Piece:
    up = line[-1] - line[-4]
    up = up / np.hypot(*up) * 0.17
    band = np.stack([line[-1] - up, line[-1] + up * 0.15])
    inside = replace(fabric, base=tinted(fabric.base, 1.35), pattern="solid", weave=0.03)
    return Piece(tube(band, [half + 0.015, half + 0.025], cap_start=False), inside, shadow=0.3, relief=0.7)


def _leg_details(
    cut: LowerCut, line: Points, widths: list[float], sign: int, fabric: Fabric, skin: Rgb | None
) -> tuple[list[Mark], list[Fold]]:
    """Seams, hem, creases behind the knee and rips of one leg."""
    across = normals(line) * -sign  # outwards
    half = np.interp(np.linspace(0, 1, len(line)), np.linspace(0, 1, len(widths)), widths)[:, None]
    denim = fabric.pattern == "denim"
    outer = line + across * half * 0.8
    marks = [Mark(outer[4:], STITCH if denim else None, 0.45 if denim else 0.12, 0.012)]
    inner = line - across * half * 0.97
    marks.append(Mark(inner[3:], None, 0.28, 0.03))
    end, up = line[-1], (line[-1] - line[-3]) / np.hypot(*(line[-1] - line[-3]))
    hem = np.stack([end - across[-1] * 2 * half[-1], end + across[-1] * 2 * half[-1]]) - up * 0.07
    marks.append(Mark(hem, STITCH if denim else None, 0.6 if denim else 0.25, 0.014))
    if cut.noun in ("chinos", "wide-leg trousers", "tailored shorts"):
        marks += [Mark(line[2:], None, 0.16, 0.02), Mark(shift(line[2:], 0.02, 0), None, -0.10, 0.015)]
    if cut.ripped:
        for place, size in ((0.36, 0.7), (0.53, 1.0), (0.57, 0.8)) if sign > 0 else ((0.3, 0.6), (0.55, 1.0)):
            i = int(place * (len(line) - 1))
            marks += _rip(line[i], across[i], float(half[i, 0]) * size, skin)
    return marks, _leg_folds(cut, line, across, half)


def _leg_folds(cut: LowerCut, line: Points, across: Points, half: Points) -> list[Fold]:
    folds: list[Fold] = []
    if cut.length < 0.6:
        i = len(line) // 2
        return [Fold(np.stack([line[i] - across[i] * half[i], line[i + 6]]), 0.05, 0.14)]
    for place, strength in ((0.46, 0.16), (0.52, 0.14), (0.58, 0.10), (0.9, 0.16), (0.95, 0.12)):
        i = min(int(place * (len(line) - 1)), len(line) - 2)
        start = line[i] - across[i] * half[i]
        finish = line[i + 1] + across[i] * half[i] * 0.25
        folds.append(Fold(np.stack([start, finish]), 0.04, strength))
        folds.append(Fold(shift(np.stack([start, finish]), 0, 0.07), 0.03, -strength * 0.6))
    folds.append(Fold(line[3:-8] + across[3:-8] * half[3:-8] * 0.1, 0.12, -0.10))
    return folds


def _rip(at: Points, across: Points, half: float, skin: Rgb | None) -> list[Mark]:
    """A frayed slit across the leg with threads left in it."""
    inside = skin or (0.80, 0.82, 0.86)
    cut = np.array(
        [[-0.72, -0.05], [-0.2, -0.085], [0.5, -0.07], [0.68, -0.02], [0.6, 0.06], [0.1, 0.085], [-0.6, 0.07]]
    )
    shape = at + cut[:, :1] * across * half + cut[:, 1:] * np.array([0.0, 1.0])
    rim = at + cut[:, :1] * across * half * 1.1 + cut[:, 1:] * np.array([0.0, 1.35])
    marks = [Mark(rim, (0.86, 0.89, 0.93), 0.6), Mark(shape, inside, 1.0)]
    for dy, lean in ((-0.055, 0.01), (-0.02, -0.012), (0.012, 0.008), (0.05, -0.01)):
        thread = np.stack([at - across * half * 0.74 + (0, dy), at + across * half * 0.7 + (0, dy + lean)])
        marks.append(Mark(thread, (0.93, 0.94, 0.97), 0.8, 0.017))
    return marks


def _crotch_folds() -> list[Fold]:
    folds = [
        Fold(smooth((0.02, HIP + 0.16), (s * 0.2, HIP + 0.06), (s * 0.42, HIP - 0.02)), 0.04, 0.17)
        for s in (-1, 1)
    ]
    return [*folds, *(Fold(shift(f.points, 0, 0.11), 0.03, -0.07) for f in folds)]


def _front_marks(cut: LowerCut, fabric: Fabric, body: Body) -> list[Mark]:
    """Fly, pockets and the line between the legs."""
    denim = fabric.pattern == "denim"
    rgb, alpha = (STITCH, 0.75) if denim else (None, 0.25)
    top = RISE + cut.rise
    marks = [Mark(pts((0, HIP + 0.1), (0, HIP + 0.5)), None, 0.4, 0.02)]
    if cut.waistband == "jeans":
        fly = smooth((0.11, top), (0.11, HIP - 0.4), (0.05, HIP - 0.1), (0, HIP - 0.04))
        marks += [Mark(fly, rgb, alpha, 0.014), Mark(pts((0, top), (0, HIP + 0.1)), None, 0.3, 0.014)]
    edge = band_edge(cut, body)
    for sign in (-1, 1):
        if cut.waistband == "jeans" and denim:
            pocket = smooth((edge * 0.55, top + 0.12), (edge * 0.66, top + 0.36), (edge + 0.2, top + 0.46))
        else:
            pocket = pts((edge * 0.72, top + 0.15), (edge + 0.14, top + 0.62))
        marks += [
            Mark(pocket * (sign, 1), None, 0.3, 0.02),
            Mark(pocket * (sign, 1) + (0, 0.03), rgb, alpha, 0.013),
        ]
    return marks
