"""Rooms and streets behind a figure, out of focus.

In: a size in pixels and a `random.Random`. Out: float32 of shape (h, w, 3) in about [0, 1]. Pure.
"""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageDraw

from models.datasets.drawn.colour import Rgb, tinted
from models.datasets.drawn.noise import Field, soften

WALLS: tuple[Rgb, ...] = (
    (0.90, 0.87, 0.82),
    (0.82, 0.85, 0.82),
    (0.88, 0.82, 0.78),
    (0.80, 0.83, 0.87),
    (0.92, 0.89, 0.88),
    (0.83, 0.78, 0.72),
)


def ramp(size: tuple[int, int], light: Rgb, dark: Rgb, x: float, y: float) -> Field:
    """Light around (x, y), both fractions, falling off to `dark` in the corners."""
    w, h = size
    columns = (np.arange(w, dtype=np.float32)[None, :] / w - x) ** 2
    rows = (np.arange(h, dtype=np.float32)[:, None] / h - y) ** 2
    far = np.clip((columns + rows) * np.float32(1.1), 0, 1)
    ramp = np.empty((3, h, w), np.float32)
    for channel in range(3):
        np.multiply(far, np.float32(dark[channel] - light[channel]), out=ramp[channel])
        ramp[channel] += np.float32(light[channel])
    return ramp.transpose(1, 2, 0)


def _photo(image: Image.Image, radius: float) -> Field:
    return np.asarray(soften(image, radius), np.float32) / np.float32(255)


def _ink(rgb: Rgb) -> tuple[int, int, int]:
    return (round(min(1, rgb[0]) * 255), round(min(1, rgb[1]) * 255), round(min(1, rgb[2]) * 255))


def room(size: tuple[int, int], rng: random.Random) -> Field:
    """A wall with skirting and a wooden floor, a window's light, sometimes a plant and a picture."""
    w, h = size
    wall, floor = rng.choice(WALLS), rng.choice(((0.70, 0.56, 0.43), (0.78, 0.69, 0.58), (0.60, 0.50, 0.42)))
    image = Image.new("RGB", size, _ink(wall))
    draw = ImageDraw.Draw(image)
    line = round(h * rng.uniform(0.77, 0.81))
    _furnish(draw, w, h, line, rng)
    draw.rectangle((0, line - round(h * 0.03), w, line), fill=_ink(tinted(wall, 1.5)))
    draw.rectangle((0, line, w, h), fill=_ink(floor))
    for i in range(-3, 12):
        x = w * i / 8
        draw.line(
            (w / 2 + (x - w / 2) * 0.8, line, w / 2 + (x - w / 2) * 1.7, h),
            fill=_ink(tinted(floor, 0.88)),
            width=1,
        )
    shade = ramp(size, (1.03, 1.02, 1.01), (0.84, 0.84, 0.85), 0.4, 0.4)
    warm = np.array([0.10, 0.085, 0.05], np.float32)
    return _photo(image, 2.2) * shade + _window_light(size, rng) * warm


def _window_light(size: tuple[int, int], rng: random.Random) -> Field:
    """The light of a window's four panes on the wall, (h, w, 1)."""
    w, h = size
    glow = Image.new("L", size)
    pen = ImageDraw.Draw(glow)
    pane = [(0.0, 0.0), (0.18, 0.03), (0.22, 0.27), (0.04, 0.24)]
    start = rng.uniform(0.05, 0.45)
    for i in range(2):
        for j in range(2):
            x, y = start + i * 0.21 + j * 0.05, 0.08 + j * 0.27
            pen.polygon([((x + dx) * w, (y + dy) * h) for dx, dy in pane], fill=190)
    return np.asarray(soften(glow, 5), np.float32)[..., None] / np.float32(255)


def _furnish(draw: ImageDraw.ImageDraw, w: int, h: int, line: int, rng: random.Random) -> None:
    if rng.random() < 0.55:
        x, y, wide = w * rng.choice((0.04, 0.74)), h * 0.14, w * 0.2
        draw.rectangle((x, y, x + wide, y + h * 0.2), fill=(112, 92, 74))
        draw.rectangle((x + 4, y + 4, x + wide - 4, y + h * 0.2 - 4), fill=(242, 238, 230))
        art = rng.choice(((206, 150, 124), (140, 158, 142), (128, 148, 176)))
        draw.ellipse((x + wide * 0.25, y + h * 0.05, x + wide * 0.75, y + h * 0.05 + wide * 0.5), fill=art)
    if rng.random() < 0.7:
        x = w * rng.choice((0.12, 0.88))
        draw.polygon(
            (x - 20, line - 42, x + 20, line - 42, x + 15, line + 8, x - 15, line + 8), fill=(196, 150, 122)
        )
        for _ in range(13):
            lean, rise = rng.uniform(-34, 34), rng.uniform(60, 130)
            tip = (x + lean, line - 40 - rise)
            middle = (x + lean * 0.35, line - 40 - rise * 0.6)
            green = rng.choice(((92, 120, 86), (112, 140, 100), (76, 104, 80)))
            draw.polygon((x, line - 42, middle[0] - 7, middle[1], *tip, middle[0] + 7, middle[1]), fill=green)


def street(size: tuple[int, int], rng: random.Random) -> Field:
    """House fronts with windows and shop lights, out of focus, and a pavement."""
    w, h = size
    image = Image.new("RGB", size, (203, 214, 224))
    draw = ImageDraw.Draw(image)
    line = round(h * rng.uniform(0.76, 0.80))
    x = -rng.randrange(40)
    while x < w:
        wide = rng.randrange(70, 130)
        top = rng.randrange(-60, round(h * 0.2))
        wall = rng.choice(
            ((176, 128, 108), (150, 148, 150), (190, 176, 158), (128, 134, 146), (164, 112, 96))
        )
        draw.rectangle((x, top, x + wide, line), fill=wall)
        _windows(draw, x, wide, top, line, wall, rng)
        x += wide
    draw.rectangle((0, line, w, h), fill=(168, 166, 166))
    draw.rectangle((0, line, w, line + 7), fill=(140, 138, 140))
    ground = _photo(image, 4.5)
    bokeh = Image.new("L", size)
    pen = ImageDraw.Draw(bokeh)
    for _ in range(9):
        r, cx, cy = rng.uniform(5, 12), rng.uniform(0, w), rng.uniform(h * 0.3, h * 0.74)
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=rng.randrange(50, 120))
    lights = np.asarray(soften(bokeh, 1.2), np.float32)[..., None] / np.float32(255)
    ground = ground + (np.array([1.0, 0.9, 0.72], np.float32) - ground) * lights
    return ground * ramp(size, (1.08, 1.07, 1.05), (0.84, 0.85, 0.88), 0.45, 0.4)


def _windows(
    draw: ImageDraw.ImageDraw,
    x: int,
    wide: int,
    top: int,
    line: int,
    wall: tuple[int, int, int],
    rng: random.Random,
) -> None:
    shop = line - 92
    lit = rng.choice(((236, 208, 158), (90, 98, 110), (206, 196, 176)))
    draw.rectangle((x + 8, shop + 18, x + wide - 8, line - 6), fill=lit)
    awning = rng.choice(((70, 96, 92), (148, 62, 58), (60, 70, 96), (214, 188, 132)))
    draw.rectangle((x + 4, shop, x + wide - 4, shop + 18), fill=awning)
    for y in range(shop - 64, top, -66):
        for column in range(x + 12, x + wide - 24, 34):
            glass = rng.choice(((96, 108, 124), (120, 134, 150), (226, 204, 160)))
            draw.rectangle((column, y, column + 20, y + 40), fill=glass)
            draw.rectangle(
                (column - 2, y + 40, column + 22, y + 44), fill=tuple(min(255, c + 30) for c in wall)
            )
