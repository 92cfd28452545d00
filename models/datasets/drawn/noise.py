"""Chance: seeded dice, noise that is made once and cut from, and blurring.

In: sizes and offsets in pixels. Out: float32 fields. Pure, the same in every run; cannot fail.
"""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Field = NDArray[np.float32]
NOISE_PX = 512


def seeded(*names: object) -> random.Random:
    """The dice of a place in the catalogue, such as a seed, "plan" and an index: not for secrets."""
    return random.Random("/".join(str(name) for name in names))  # noqa: S311


def _band(seed: int, waves: float, spread: float, tall: float) -> Field:
    """Periodic noise in about [-1, 1] of `waves` waves across, `tall` times longer than wide."""
    rng = np.random.default_rng(seed)
    fx = np.fft.fftfreq(NOISE_PX)[None, :] * NOISE_PX
    fy = np.fft.fftfreq(NOISE_PX)[:, None] * NOISE_PX
    keep = np.exp(-((np.hypot(fx, fy * tall) - waves) ** 2) / (2 * spread**2))
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((NOISE_PX, NOISE_PX))) * keep).real
    # Twice side by side, so that every cut is one plain slice.
    return np.tile(np.asarray(field / (2.2 * field.std()), np.float32), (2, 2))


@lru_cache(maxsize=1)
def streaks() -> Field:
    """Soft vertical streaks, for light on cloth."""
    return _band(1867, 11, 5.0, 2.2)


@lru_cache(maxsize=1)
def drift() -> Field:
    """Slow undulation, for cloth that does not lie quite straight."""
    return _band(1868, 4, 1.5, 1.0)


@lru_cache(maxsize=1)
def grain() -> Field:
    """Fine noise around 0."""
    fine = np.random.default_rng(1900).standard_normal((NOISE_PX, NOISE_PX))
    return np.tile(np.asarray(np.clip(fine, -2.5, 2.5), np.float32), (2, 2))


def crop(noise: Field, x: int, y: int, size: tuple[int, int]) -> Field:
    """A piece of periodic noise of `size` (w, h), each at most `NOISE_PX`."""
    x, y = x % NOISE_PX, y % NOISE_PX
    return noise[y : y + size[1], x : x + size[0]]


def blurred(mask: Field, radius: float) -> Field:
    """A Gaussian blur of values in [0, 1]; wide ones are done on a smaller picture."""
    image = Image.fromarray((mask * 255).astype(np.uint8))
    return np.asarray(soften(image, radius), np.float32) / np.float32(255)


def soften(image: Image.Image, radius: float) -> Image.Image:
    """A Gaussian blur of a picture; wide ones are done on a smaller picture."""
    factor = 1 if radius < 2.5 else (2 if radius < 6 else 4)
    if factor == 1 or min(image.size) < 4 * factor:
        return image.filter(ImageFilter.GaussianBlur(radius))
    small = image.reduce(factor).filter(ImageFilter.GaussianBlur(radius / factor))
    return small.resize(image.size, Image.Resampling.BILINEAR)
