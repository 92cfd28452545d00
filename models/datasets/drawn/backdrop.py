"""What is behind the clothes: studio paper, pastel card, linen, wood; rooms and streets out of focus.

In: a size in pixels and a `random.Random`. Out: float32 of shape (3, h, w) in [0, 1]. Raises KeyError
for a kind that is in neither `FLAT` nor `WORN`.
"""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

from models.datasets.drawn.colour import Rgb, tinted
from models.datasets.drawn.noise import Field, crop, grain, soften
from models.datasets.drawn.scenery import ramp, room, street

FLAT = ("studio", "studio", "studio", "pastel", "pastel", "linen", "wood")
WORN = ("sweep", "sweep", "sweep", "room", "room")
PASTELS: tuple[Rgb, ...] = (
    (0.93, 0.89, 0.86),
    (0.87, 0.90, 0.88),
    (0.90, 0.88, 0.93),
    (0.95, 0.90, 0.84),
    (0.86, 0.90, 0.94),
    (0.96, 0.91, 0.90),
)
SHADOW = 0.34


def backdrop(kind: str, size: tuple[int, int], rng: random.Random) -> Field:
    """The picture's background of `size` (w, h)."""
    makers = {
        "studio": _studio,
        "pastel": _pastel,
        "linen": _linen,
        "wood": _wood,
        "sweep": _sweep,
        "room": room,
        "street": street,
    }
    ground = makers[kind](size, rng)
    w, h = size
    ground += np.float32(0.0045) * crop(grain(), rng.randrange(512), rng.randrange(512), (w, h))[..., None]
    return np.ascontiguousarray(ground.transpose(2, 0, 1))


def _studio(size: tuple[int, int], rng: random.Random) -> Field:
    tone = rng.uniform(-0.012, 0.012)
    return ramp(size, (0.975 + tone, 0.97, 0.96 - tone), (0.87 + tone, 0.86, 0.845 - tone), 0.38, 0.3)


def _pastel(size: tuple[int, int], rng: random.Random) -> Field:
    tone = rng.choice(PASTELS)
    return ramp(size, tinted(tone, 1.25), tinted(tone, 0.88), 0.35, 0.3)


def _linen(size: tuple[int, int], rng: random.Random) -> Field:
    w, h = size
    noise = np.random.default_rng(rng.randrange(1 << 30))
    rows = (
        noise.standard_normal((h, 1), dtype=np.float32)
        + 0.7 * noise.standard_normal((h, w // 8 + 1), dtype=np.float32).repeat(8, 1)[:, :w]
    )
    columns = (
        noise.standard_normal((1, w), dtype=np.float32)
        + 0.7 * noise.standard_normal((h // 8 + 1, w), dtype=np.float32).repeat(8, 0)[:h]
    )
    threads = (rows + columns)[..., None] * np.float32(0.0075)
    return ramp(size, (0.92, 0.89, 0.83), (0.82, 0.78, 0.71), 0.4, 0.3) + threads


def _wood(size: tuple[int, int], rng: random.Random) -> Field:
    w, h = size
    tone = rng.choice(((0.84, 0.74, 0.62), (0.90, 0.85, 0.78), (0.62, 0.48, 0.37)))
    ground = ramp(size, tinted(tone, 1.1), tinted(tone, 0.85), 0.4, 0.3)
    noise = np.random.default_rng(rng.randrange(1 << 30))
    planks, edge = 4, 0
    for i in range(planks):
        left, edge = edge, round(w * (i + 1) / planks)
        streaks = np.cumsum(noise.standard_normal((1, edge - left)), axis=1).astype(np.float32)
        streaks -= np.linspace(streaks[0, 0], streaks[0, -1], edge - left, dtype=np.float32)
        wobble = np.cumsum(noise.standard_normal(h)).astype(np.int64)[:, None] // 9
        grain = streaks[0][(np.arange(edge - left)[None, :] + wobble) % (edge - left)]
        ground[:, left:edge] *= (1 + np.float32(0.012) * grain + np.float32(rng.uniform(-0.035, 0.035)))[
            ..., None
        ]
        ground[:, max(0, edge - 1) : edge] *= np.float32(0.72)
    return ground


def _sweep(size: tuple[int, int], rng: random.Random) -> Field:
    """Studio paper rolled from the wall to the floor."""
    h = size[1]
    tone = rng.choice((*PASTELS, (0.93, 0.925, 0.915), (0.95, 0.945, 0.94)))
    wall = ramp(size, tinted(tone, 1.3), tinted(tone, 0.86), 0.45, 0.35)
    y = np.arange(h, dtype=np.float32)[:, None, None] / h
    fall = np.clip((y - 0.74) / 0.14, 0, 1)
    light = (1 - 0.06 * np.exp(-((y - 0.80) ** 2) / 0.003)) * (1 + 0.03 * fall)
    return wall * light.astype(np.float32)


def cast_shadow(ground: Field, mask: Field, offset: tuple[int, int], radius: float, strength: float) -> None:
    """Darkens `ground` in place by the blurred, moved `mask`."""
    image = Image.fromarray((mask * 255).astype(np.uint8))
    moved = Image.new("L", image.size)
    moved.paste(image, offset)
    soft = np.asarray(soften(moved, radius), np.float32) / np.float32(255)
    ground *= 1 - soft * np.float32(strength)
