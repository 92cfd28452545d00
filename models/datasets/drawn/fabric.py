"""Fabrics: a colour and a pattern that can be looked up at any place of the cloth.

In: cloth coordinates u, v in pixels, float32 of shape (h, w), and the pixels in a head. Out: colours in
[0, 1], float32 of shape (3, h, w). Raises ValueError for a pattern that is not one of `PATTERNS`.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.datasets.drawn.colour import COLOURS, DENIM, Rgb, jittered
from models.datasets.drawn.florals import floral_tile
from models.datasets.drawn.noise import Field

PATTERNS = ("solid", "striped", "checked", "dotted", "floral", "denim")


@dataclass(frozen=True)
class Fabric:
    """A cloth: pattern, its two colours, the size of a repeat in heads, the kind within the pattern."""

    pattern: str
    base: Rgb
    accent: Rgb
    repeat: float = 0.2
    kind: int = 0
    seed: int = 0
    weave: float = 0.015
    cool: float = 1.0  # shadows of cloth turn cool, those of skin (negative) warm
    gloss: float = 0.0


def plain(rgb: Rgb, weave: float = 0.01, cool: float = 1.0, gloss: float = 0.0) -> Fabric:
    """A cloth of one colour."""
    return Fabric("solid", rgb, rgb, weave=weave, cool=cool, gloss=gloss)


def make_fabric(pattern: str, colour: str, rng: random.Random) -> Fabric:
    """A cloth of the named pattern and colour, its details chosen by `rng`.

    Raises ValueError for a pattern that is not one of `PATTERNS`.
    """
    if pattern not in PATTERNS:
        raise ValueError(f"pattern was {pattern!r}, expected one of {', '.join(PATTERNS)}")
    base = jittered((DENIM if pattern == "denim" else COLOURS)[colour], rng)
    pale = sum(base) / 3 > 0.62
    partners = ("navy", "coral", "teal", "red", "black") if pale else ("ivory", "ivory", "blush", "sky")
    accent = COLOURS[rng.choice(partners)]
    repeat = {"striped": 0.17, "checked": 0.24, "dotted": 0.16, "floral": 1.25}.get(pattern, 0.2)
    return Fabric(
        pattern=pattern,
        base=base,
        accent=accent,
        repeat=repeat * rng.uniform(0.85, 1.25),
        kind=rng.randrange(6),
        seed=rng.randrange(1 << 30),
        weave=0.03 if pattern == "denim" else 0.012,
    )


def texture(fabric: Fabric, u: Field, v: Field, head_px: float) -> Field:
    """The fabric's colours at (u, v), float32 of shape (3, h, w)."""
    base = np.array(fabric.base, np.float32)[:, None, None]
    accent = np.array(fabric.accent, np.float32)[:, None, None]
    repeat_px = fabric.repeat * head_px
    if fabric.pattern == "floral":
        return sample(_tile(fabric), u / np.float32(repeat_px), v / np.float32(repeat_px), repeat_px)
    if fabric.pattern in ("solid", "denim"):
        return np.broadcast_to(base, (3, *u.shape)).copy()
    kinds = {"striped": stripes, "checked": checks, "dotted": dots}
    amount = kinds[fabric.pattern](fabric.kind, max(5.0, repeat_px), u, v)
    return base + (accent - base) * amount


@lru_cache(maxsize=64)
def _tile(fabric: Fabric) -> Field:
    return floral_tile(fabric.base, fabric.seed, fabric.kind)


def sample(tile: Field, u: Field, v: Field, repeat_px: float) -> Field:
    """A periodic tile looked up at (u, v) in repeats, averaged over four places in each pixel."""
    size = tile.shape[1]
    pixel = size / repeat_px
    total = np.zeros((3, *u.shape), np.float32)
    for du, dv in ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)):
        column = (u * size + du * pixel).astype(np.int32) % size
        row = (v * size + dv * pixel).astype(np.int32) % size
        total += tile[:, row, column]
    total *= np.float32(0.25)
    return total


def band(x: Field, period_px: float, duty: float, centre: float = 0.5) -> Field:
    """1 inside a periodic band of `duty` of the period, 0 outside, with an edge one pixel soft."""
    place = x / np.float32(period_px)
    away = np.abs(place - np.floor(place) - np.float32(centre)) * np.float32(period_px)
    result: Field = np.clip(np.float32(duty * period_px / 2 + 0.5) - away, 0, 1)
    return result


def stripes(kind: int, p: float, u: Field, v: Field) -> Field:
    """Stripes across, along, or in pairs: how much of the accent shows."""
    across = u if kind == 1 else v
    if kind in (2, 5):
        return np.maximum(band(across, p * 1.3, 0.32, 0.3), band(across, p * 1.3, 0.1, 0.7))
    return band(across, p, 0.38 if kind == 0 else 0.48)


def checks(kind: int, p: float, u: Field, v: Field) -> Field:
    """Gingham, tartan or window-pane: how much of the accent shows."""
    if kind % 3 == 0:
        return np.float32(0.5) * (band(u, p * 0.8, 0.5) + band(v, p * 0.8, 0.5))
    if kind % 3 == 1:
        wide = np.float32(0.35) * (band(u, p * 1.5, 0.42) + band(v, p * 1.5, 0.42))
        thin = np.maximum(band(u, p * 1.5, 0.06, 0.02), band(v, p * 1.5, 0.06, 0.02))
        return np.clip(wide + np.float32(0.75) * thin, 0, 1)
    return np.float32(0.85) * np.maximum(band(u, p * 1.1, 0.1), band(v, p * 1.1, 0.1))


def dots(kind: int, p: float, u: Field, v: Field) -> Field:
    """Polka dots in staggered rows: how much of the accent shows."""
    p *= (0.75, 1.0, 1.35)[kind % 3]
    row = np.floor(v / np.float32(p * 0.866))
    across = u + np.float32(p / 2) * (row % 2)
    dx = (across / np.float32(p) - np.floor(across / np.float32(p)) - 0.5) * np.float32(p)
    dy = v - (row + 0.5) * np.float32(p * 0.866)
    result: Field = np.clip(np.float32(p * 0.27 + 0.5) - np.hypot(dx, dy), 0, 1)
    return result


def twill(u: Field, v: Field) -> Field:
    """The diagonal grain of denim around 0."""
    result: Field = np.sin((u + v * 0.6) * np.float32(math.pi / 1.7)).astype(np.float32)
    return result
