"""Colours by name, and shades of them.

In and out: `Rgb`, three floats in [0, 1]. Pure, cannot fail.
"""

from __future__ import annotations

import colorsys
import random

Rgb = tuple[float, float, float]

COLOURS: dict[str, Rgb] = {
    "ivory": (0.95, 0.92, 0.85),
    "black": (0.15, 0.15, 0.17),
    "charcoal": (0.38, 0.40, 0.43),
    "navy": (0.16, 0.22, 0.40),
    "sky": (0.55, 0.72, 0.88),
    "teal": (0.13, 0.47, 0.48),
    "sage": (0.60, 0.68, 0.54),
    "mustard": (0.87, 0.66, 0.22),
    "coral": (0.95, 0.50, 0.42),
    "red": (0.76, 0.16, 0.18),
    "blush": (0.95, 0.76, 0.76),
    "lavender": (0.70, 0.63, 0.85),
    "camel": (0.76, 0.58, 0.38),
}
DENIM: dict[str, Rgb] = {"navy": (0.20, 0.29, 0.45), "sky": (0.50, 0.64, 0.79), "black": (0.21, 0.22, 0.25)}


def tinted(rgb: Rgb, factor: float) -> Rgb:
    """The colour made darker (factor < 1) or lighter (> 1, towards white)."""
    if factor <= 1:
        return (rgb[0] * factor, rgb[1] * factor, rgb[2] * factor)
    lift = min(1.0, factor - 1)
    return (rgb[0] + (1 - rgb[0]) * lift, rgb[1] + (1 - rgb[1]) * lift, rgb[2] + (1 - rgb[2]) * lift)


def mixed(a: Rgb, b: Rgb, amount: float) -> Rgb:
    """`amount` of the way from one colour to the other."""
    return (a[0] + (b[0] - a[0]) * amount, a[1] + (b[1] - a[1]) * amount, a[2] + (b[2] - a[2]) * amount)


def jittered(rgb: Rgb, rng: random.Random) -> Rgb:
    """The colour with the small differences of real dye lots."""
    hue, light, satur = colorsys.rgb_to_hls(*rgb)
    hue = (hue + rng.uniform(-0.018, 0.018)) % 1.0
    light = min(0.95, max(0.08, light + rng.uniform(-0.035, 0.035)))
    return colorsys.hls_to_rgb(hue, light, min(1.0, satur * rng.uniform(0.9, 1.1)))
