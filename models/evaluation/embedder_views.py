"""What an embedder is asked with: garments' boxes as they are, changed, and in halves; colours of photos.

In: pixels (H, W, 3) uint8 RGB and boxes. Out: pictures, or colours in CIELAB (D65). The same seed gives the
same pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.embedder_pictures import Box, Pixels, cut, garment_picture

VIEWS: Final = 4
_XYZ_OF_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE_XYZ = np.array([0.95047, 1.0, 1.08883])


def views(pixels: Pixels, box: Box, side_px: int, random: np.random.Generator) -> Iterator[Pixels]:
    """Yield the garment, a changed one, its left half, and its right half flipped: each (side, side, 3)."""
    yield garment_picture(pixels, box, side_px)
    yield changed(garment_picture(pixels, part_of_box(box, random), side_px), random)
    left, top, right, bottom = box
    middle = (left + right) / 2
    yield garment_picture(pixels, (left, top, middle, bottom), side_px)
    yield garment_picture(pixels, (middle, top, right, bottom), side_px)[:, ::-1]


def part_of_box(box: Box, random: np.random.Generator) -> Box:
    """Return a box of 60 to 100 % of the area somewhere within the box, its sides in the same proportion."""
    left, top, right, bottom = box
    share = float(np.sqrt(random.uniform(0.6, 1.0)))
    width, height = (right - left) * share, (bottom - top) * share
    left += random.uniform(0, right - left - width)
    top += random.uniform(0, bottom - top - height)
    return left, top, left + width, top + height


def changed(picture: Pixels, random: np.random.Generator) -> Pixels:
    """Return the picture up to 20 % brighter or darker, with more or less contrast and colour, or flipped."""
    values = picture.astype(np.float32) * random.uniform(0.8, 1.2)
    grey = values.mean(axis=2, keepdims=True)
    values = grey + (values - grey) * random.uniform(0.8, 1.2)
    mean = values.mean()
    values = mean + (values - mean) * random.uniform(0.8, 1.2)
    flipped = values[:, ::-1] if random.random() < 0.5 else values
    return np.asarray(np.clip(flipped, 0, 255), dtype=np.uint8)


def middle_colour(pixels: Pixels) -> NDArray[np.float64]:
    """Return the mean colour (3,) in Lab of the photo's middle half, where a single garment lies."""
    height, width = pixels.shape[:2]
    middle = cut(pixels, (width / 4, height / 4, width * 3 / 4, height * 3 / 4))
    colour: NDArray[np.float64] = lab(middle.reshape(-1, 3)).mean(axis=0)
    return colour


def lab(rgb: Pixels) -> NDArray[np.float64]:
    """Return sRGB colours (N, 3) uint8 in CIELAB, white point D65."""
    signal = rgb.astype(np.float64) / 255
    linear = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ_OF_RGB.T / _WHITE_XYZ
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
