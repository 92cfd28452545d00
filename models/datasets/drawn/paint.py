"""Paint and labels: pieces in heads become pixels.

In: pieces from back to front and a `View` (size and place of a head in the picture). Out: a canvas of
colours in [0, 1], float32 (3, h, w), or a map of owners, int8 (h, w), -1 where nobody's. Pieces that lie
outside the picture are left out silently.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.datasets.drawn.colour import Rgb
from models.datasets.drawn.fabric import texture, twill
from models.datasets.drawn.geometry import Points
from models.datasets.drawn.noise import NOISE_PX, Field, blurred, crop, drift, grain, soften, streaks
from models.datasets.drawn.pieces import Fold, Mark, Piece

OVERSAMPLE = 4
Labels = NDArray[np.int8]


@dataclass(frozen=True)
class View:
    """The picture's size in pixels, the pixels of one head, and where (0, 0) lies."""

    width: int
    height: int
    head_px: float
    x: float
    y: float

    @property
    def cloth_px(self) -> float:
        """The pixels of a head of cloth: prints and creases of small things stay fine."""
        return min(self.head_px, 115.0)

    def pixels(self, points: Points) -> Points:
        """Heads to pixels."""
        return np.asarray(points * self.head_px + np.array([self.x, self.y]))


@dataclass(frozen=True)
class Region:
    """A rectangle of the picture, in pixels; right and bottom are beyond its last pixel."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> tuple[int, int]:
        return self.right - self.left, self.bottom - self.top


def region_of(shapes: list[Points], view: View, pad: int) -> Region | None:
    """The pixels that the shapes (in pixels) cover, with a margin; None outside the picture."""
    every = np.concatenate(shapes)
    low = np.floor(every.min(axis=0)).astype(int) - pad
    high = np.ceil(every.max(axis=0)).astype(int) + pad
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    region = Region(left, top, min(view.width, int(high[0])), min(view.height, int(high[1])))
    return region if region.right > region.left + 1 and region.bottom > region.top + 1 else None


def coverage(shapes: list[Points], cuts: list[Points], region: Region) -> Field:
    """How much of each pixel of the region the united shapes, less the cuts, cover: (h, w) in [0, 1]."""
    image = Image.new("L", (region.size[0] * OVERSAMPLE, region.size[1] * OVERSAMPLE))
    draw = ImageDraw.Draw(image)
    origin = np.array([region.left, region.top])
    for group, value in ((shapes, 255), (cuts, 0)):
        for shape in group:
            draw.polygon(((shape - origin) * OVERSAMPLE).ravel().tolist(), fill=value)
    return np.asarray(image.reduce(OVERSAMPLE), np.float32) / np.float32(255)


class Canvas:
    """A picture being painted from back to front; `solid` says where something throws shadows on."""

    def __init__(self, view: View, ground: Field) -> None:
        self.view = view
        self.pixels = ground
        self.solid = np.zeros(ground.shape[1:], np.float32)
        self._count = 0

    def paint(self, pieces: Iterable[Piece]) -> None:
        """Paints the pieces, the first at the back."""
        for piece in pieces:
            self._paint(piece)

    def _paint(self, piece: Piece) -> None:
        self._count += 1
        shapes = [self.view.pixels(s) for s in piece.shapes]
        region = region_of(shapes, self.view, 8)
        if region is None:
            return
        mask = coverage(shapes, [self.view.pixels(c) for c in piece.cuts], region)
        below, solid = self.pixels[:, *region.slices], self.solid[region.slices]
        if piece.shadow and solid.any():
            self._throw_shadow(piece, mask, below, solid)
        colours = self._lit(piece, mask, region)
        colours -= below
        colours *= mask
        below += colours
        np.maximum(solid, mask, out=solid)

    def _throw_shadow(self, piece: Piece, mask: Field, below: Field, solid: Field) -> None:
        """Darkens what lies below, just right of and under the piece (the light comes from the left)."""
        reach = max(1, round(self.view.cloth_px * 0.03))
        moved = np.zeros_like(mask)
        moved[reach:, reach:] = mask[:-reach, :-reach]
        dark = blurred(moved, 1.0 + self.view.cloth_px * 0.03) * solid * np.float32(piece.shadow)
        below *= 1 - dark

    def _lit(self, piece: Piece, mask: Field, region: Region) -> Field:
        """The piece's cloth with its pattern, marks, folds and light."""
        w, h = region.size
        cloth_px = self.view.cloth_px
        at = (self._count * 97 + piece.fabric.seed) % NOISE_PX
        waves = crop(streaks(), region.left + at, region.top + at * 3, (w, h))
        light = self._light(piece, mask, region, waves)
        x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
        middle = self.view.pixels(piece.shapes[0]).mean(axis=0)
        x += np.float32(region.left - middle[0])
        y += np.float32(region.top - middle[1])
        bend = np.float32(cloth_px * 0.022) * crop(drift(), region.left + at * 5, region.top + at, (w, h))
        c, s = np.float32(np.cos(np.radians(piece.turn))), np.float32(np.sin(np.radians(piece.turn)))
        u, v = c * x - s * y + bend, s * x + c * y + bend[::-1]
        colours = texture(piece.fabric, u, v, cloth_px)
        if piece.fabric.pattern == "denim":
            fade = 0.05 * waves + 0.035 * twill(u, v)
            colours *= 1 + fade
        self._draw_marks(piece.marks, colours, region)
        light += np.float32(piece.fabric.weave) * crop(grain(), at, at, (w, h))
        for channel, tint in enumerate((1.0 + 0.06 * piece.fabric.cool, 1.0, 1.0 - 0.10 * piece.fabric.cool)):
            colours[channel] *= 1 + (light - 1) * np.float32(tint)
        if piece.fabric.gloss:
            colours += np.clip(light - 1.03, 0, 1) * np.float32(piece.fabric.gloss)
        return np.clip(colours, 0, 1, out=colours)

    def _light(self, piece: Piece, mask: Field, region: Region, waves: Field) -> Field:
        """Light around 1: rounded form, light from the upper left, creases and flutes."""
        head = self.view.cloth_px
        reach = max(1.5, min(head * 0.085, min(region.size) * 0.09))
        soft = blurred(mask, reach)
        form = np.clip((soft - 0.42) * 2.0, 0, 1)
        step = max(1, round(reach * 0.8))
        slope = np.zeros_like(soft)
        slope[step:, step:] = soft[step:, step:] - soft[:-step, :-step]
        relief = np.float32(piece.relief)
        light = 1 + relief * (np.float32(0.16) * (form - 0.75) + np.float32(0.22) * np.clip(slope, -0.5, 0.5))
        light -= relief * np.float32(0.10) * np.clip(1 - form * 3.0, 0, 1)
        light += np.float32(0.05) * relief * waves
        if piece.drape:
            light += np.float32(piece.drape) * flutes(mask, waves, head)
        if piece.folds:
            light += self._creases(piece.folds, region)
        return np.asarray(light, np.float32)

    def _creases(self, folds: list[Fold], region: Region) -> Field:
        """Soft strokes, as light around 0."""
        image = Image.new("L", (region.size[0] * 2, region.size[1] * 2), 128)
        draw = ImageDraw.Draw(image)
        for fold in folds:
            line = (self.view.pixels(fold.points) - (region.left, region.top)) * 2
            tone = int(np.clip(128 - 127 * fold.strength, 0, 255))
            width = max(2, round(fold.width * self.view.head_px * 2))
            draw.line(line.ravel().tolist(), fill=tone, width=width, joint="curve")
        soft = soften(image.reduce(2), max(0.9, self.view.cloth_px * 0.028))
        return (np.asarray(soft, np.float32) - np.float32(128)) / np.float32(127)

    def _draw_marks(self, marks: list[Mark], colours: Field, region: Region) -> None:
        """Seams, buttons and prints, those of one colour and strength together."""
        grouped: dict[tuple[Rgb | None, float], list[Mark]] = {}
        for mark in marks:
            grouped.setdefault((mark.rgb, mark.alpha), []).append(mark)
        for (rgb, alpha), group in grouped.items():
            amount = self._mark_mask(group, region) * np.float32(abs(alpha))
            if rgb is not None:
                colours += (np.array(rgb, np.float32)[:, None, None] - colours) * amount
            elif alpha > 0:
                colours *= 1 - amount
            else:
                colours += (1 - colours) * amount

    def _mark_mask(self, marks: list[Mark], region: Region) -> Field:
        image = Image.new("L", (region.size[0] * OVERSAMPLE, region.size[1] * OVERSAMPLE))
        draw = ImageDraw.Draw(image)
        for mark in marks:
            points = (self.view.pixels(mark.points) - (region.left, region.top)) * OVERSAMPLE
            if mark.width:
                width = max(2, round(mark.width * self.view.head_px * OVERSAMPLE))
                draw.line(points.ravel().tolist(), fill=255, width=width, joint="curve")
            else:
                draw.polygon(points.ravel().tolist(), fill=255)
        return np.asarray(image.reduce(OVERSAMPLE), np.float32) / np.float32(255)


def flutes(mask: Field, waves: Field, head_px: float) -> Field:
    """Vertical pleats of soft cloth that fan out with the shape and deepen towards its hem, around 0."""
    filled = mask > 0.5
    rows = filled.any(axis=1)
    left = np.where(rows, filled.argmax(axis=1), 0).astype(np.float32)
    right = np.where(rows, mask.shape[1] - filled[:, ::-1].argmax(axis=1), 1).astype(np.float32)
    x = np.arange(mask.shape[1], dtype=np.float32)[None, :]
    across = (x - left[:, None]) / np.maximum(right - left, 1)[:, None]
    count = max(2.0, float(np.max(right - left)) / (head_px * 0.3))
    deeper = np.cumsum(rows).astype(np.float32)[:, None] / max(1, int(rows.sum()))
    turns = np.float32(2 * np.pi * count) * across
    wave = np.sin(turns + 1.6 * waves) + 0.5 * np.sin(1.7 * turns + 2)
    return np.asarray((0.25 + 0.75 * deeper) * wave * 0.6, np.float32)


def labels(pieces: Iterable[Piece], view: View) -> Labels:
    """Who is seen at each pixel: int8 (h, w), the garment's number or -1."""
    image = Image.new("L", (view.width, view.height), 0)
    draw = ImageDraw.Draw(image)
    for piece in pieces:
        target, value = (Image.new("L", image.size), 255) if piece.cuts else (image, piece.owner + 1)
        pen = ImageDraw.Draw(target) if piece.cuts else draw
        for shape in piece.shapes:
            pen.polygon(view.pixels(shape).ravel().tolist(), fill=value)
        for cut in piece.cuts:
            pen.polygon(view.pixels(cut).ravel().tolist(), fill=0)
        if piece.cuts:
            image.paste(piece.owner + 1, (0, 0), target)
    return np.asarray(image).astype(np.int8) - np.int8(1)
