"""Flower prints: one periodic tile of blossoms, buds and leaves.

In: a ground colour, a seed and a kind. Out: float32 of shape (3, TILE_PX, TILE_PX) in [0, 1] that
repeats without a seam. Pure, cannot fail.
"""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.datasets.drawn.colour import Rgb
from models.datasets.drawn.noise import seeded

TILE_PX = 256
OVERSAMPLE = 3

PALETTES: tuple[tuple[Rgb, ...], ...] = (
    ((0.93, 0.45, 0.50), (0.98, 0.74, 0.70), (0.99, 0.93, 0.88)),
    ((0.99, 0.97, 0.92), (0.98, 0.85, 0.55), (0.95, 0.62, 0.45)),
    ((0.56, 0.42, 0.72), (0.80, 0.70, 0.90), (0.96, 0.80, 0.86)),
    ((0.86, 0.24, 0.28), (0.96, 0.52, 0.44), (0.99, 0.88, 0.82)),
    ((0.30, 0.48, 0.78), (0.66, 0.80, 0.95), (0.99, 0.97, 0.93)),
    ((0.95, 0.62, 0.30), (0.98, 0.80, 0.42), (0.90, 0.38, 0.40)),
)
LEAVES: tuple[Rgb, ...] = ((0.38, 0.52, 0.36), (0.50, 0.62, 0.44), (0.24, 0.42, 0.36))


def floral_tile(ground: Rgb, seed: int, kind: int) -> NDArray[np.float32]:
    """The tile: large blossoms placed apart from each other, small ones and leaves between."""
    rng = seeded("floral", seed)
    sheet = _Sheet(ground)
    palette = _palette(ground, kind)
    large, small = ((7, 18), (0, 46), (12, 20))[kind % 3]
    places: list[tuple[float, float, float]] = []
    for radius, wanted in ((34.0, large), (15.0, small)):
        for _ in range(wanted * 14):
            x, y = rng.uniform(0, TILE_PX), rng.uniform(0, TILE_PX)
            r = radius * rng.uniform(0.8, 1.15)
            if all(_apart(x - px, y - py) > (r + pr) * 0.98 for px, py, pr in places):
                places.append((x, y, r))
            if len(places) >= wanted + (large if radius < 20 else 0):
                break
    for x, y, r in places:
        _leaves(sheet, x, y, r, rng)
    for x, y, r in places:
        _blossom(sheet, x, y, r, rng, palette)
    return sheet.pixels()


def _apart(dx: float, dy: float) -> float:
    """Distance on the torus, since the tile repeats."""
    dx, dy = abs(dx), abs(dy)
    return math.hypot(min(dx, TILE_PX - dx), min(dy, TILE_PX - dy))


def _palette(ground: Rgb, kind: int) -> tuple[Rgb, ...]:
    """The palette of `kind`, or the next one whose blossoms stand out from the ground."""
    for step in range(len(PALETTES)):
        palette = PALETTES[(kind + step) % len(PALETTES)]
        if sum(abs(a - b) for a, b in zip(palette[0], ground, strict=True)) > 0.75:
            return palette
    return PALETTES[1]


class _Sheet:
    """An oversampled tile on which everything drawn across an edge comes in again at the other."""

    def __init__(self, ground: Rgb) -> None:
        self.size = TILE_PX * OVERSAMPLE
        self.image = Image.new("RGB", (self.size, self.size), _bytes(ground))
        self.draw = ImageDraw.Draw(self.image)

    def polygon(self, points: NDArray[np.float64], rgb: Rgb) -> None:
        low, high = points.min(axis=0), points.max(axis=0)
        for dx in (-TILE_PX, 0, TILE_PX):
            for dy in (-TILE_PX, 0, TILE_PX):
                if low[0] + dx < TILE_PX and high[0] + dx > 0 and low[1] + dy < TILE_PX and high[1] + dy > 0:
                    moved = (points + np.array([dx, dy])) * OVERSAMPLE
                    self.draw.polygon(moved.ravel().tolist(), fill=_bytes(rgb))

    def pixels(self) -> NDArray[np.float32]:
        tile = np.asarray(self.image.reduce(OVERSAMPLE), np.float32) / np.float32(255)
        return np.ascontiguousarray(tile.transpose(2, 0, 1))


def _bytes(rgb: Rgb) -> tuple[int, int, int]:
    return (round(rgb[0] * 255), round(rgb[1] * 255), round(rgb[2] * 255))


def _petal(
    x: float, y: float, angle: float, length: float, width: float, blunt: float
) -> NDArray[np.float64]:
    """A petal or leaf from (x, y) outwards; `blunt` 1 is round at the tip, 0 pointed."""
    t = np.linspace(0, 1, 9)
    half = width * np.sin(math.pi * t ** (0.75 + 0.9 * blunt)) ** (1.2 - 0.6 * blunt)
    along, across = np.concatenate([t, t[::-1]]) * length, np.concatenate([half, -half[::-1]])
    c, s = math.cos(angle), math.sin(angle)
    return np.stack([x + along * c - across * s, y + along * s + across * c], axis=1)


def _leaves(sheet: _Sheet, x: float, y: float, r: float, rng: random.Random) -> None:
    start = rng.uniform(0, 2 * math.pi)
    for i in range(rng.choice((2, 2, 3))):
        angle = start + i * rng.uniform(1.6, 2.6)
        rgb = rng.choice(LEAVES)
        sheet.polygon(_petal(x, y, angle, r * 1.55, r * 0.3, 0.15), rgb)
        vein = _petal(x, y, angle, r * 1.4, r * 0.035, 0.0)
        sheet.polygon(vein, (rgb[0] * 0.8, rgb[1] * 0.8, rgb[2] * 0.8))


def _blossom(
    sheet: _Sheet, x: float, y: float, r: float, rng: random.Random, palette: tuple[Rgb, ...]
) -> None:
    """Two rings of petals and a heart; small blossoms have one ring."""
    outer, inner = rng.sample(palette, 2)
    petals = rng.choice((5, 5, 6, 8)) if r > 20 else 5
    start = rng.uniform(0, 2 * math.pi)
    shade = (outer[0] * 0.86, outer[1] * 0.84, outer[2] * 0.86)
    for i in range(petals):
        angle = start + i * 2 * math.pi / petals
        width = r * 2.1 / petals
        sheet.polygon(_petal(x, y, angle, r * 1.02, width * 1.06, 0.9), shade)
        sheet.polygon(_petal(x, y, angle, r * 0.96, width * 0.88, 0.9), outer)
    if r > 20:
        for i in range(petals):
            angle = start + (i + 0.5) * 2 * math.pi / petals
            sheet.polygon(_petal(x, y, angle, r * 0.58, r * 1.15 / petals, 0.8), inner)
    heart = np.linspace(0, 2 * math.pi, 14)[:-1]
    disc = np.stack([np.cos(heart), np.sin(heart)], axis=1)
    sheet.polygon(disc * r * 0.24 + np.array([x, y]), (0.55, 0.36, 0.16))
    sheet.polygon(disc * r * 0.17 + np.array([x, y]), (0.95, 0.78, 0.30))
