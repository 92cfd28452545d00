"""Where the garment is in a photo of one garment on a floor, a wall or a bed: box without labels.

In: the pixels (H, W, 3) uint8 of a photo with one thing in the middle. Out: its box in pixels. The colours of
the photo's edge are the background; what is least like them is the garment. Never fails: where the garment
cannot be told apart the box is most of the photo.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE_PX = 72
_EDGE = 0.06
_COLOURS = 5
_ROUNDS = 8
_DEFAULT = (0.06, 0.04, 0.94, 0.96)
_PLAUSIBLE = (0.2, 0.97)  # share of the photo that a garment's box may have


def garment_box(pixels: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """The box x1, y1, x2, y2 of the garment, right and bottom exclusive."""
    height, width = pixels.shape[:2]
    size = (_SIDE_PX, max(8, round(_SIDE_PX * height / width)))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX).convert("LAB"), np.float32)
    foreground = _central(_unlike_edge(small))
    x1, y1, x2, y2 = _DEFAULT
    if foreground.any():
        ys, xs = np.nonzero(foreground)
        low, high = (0.01, 0.99)
        found = (*np.quantile(xs, (low, high)), *np.quantile(ys, (low, high)))
        left, right, top, bottom = (float(value) for value in found)
        box = (left / size[0], top / size[1], (right + 1) / size[0], (bottom + 1) / size[1])
        if _PLAUSIBLE[0] <= (box[2] - box[0]) * (box[3] - box[1]) <= _PLAUSIBLE[1]:
            x1, y1, x2, y2 = box
    return x1 * width, y1 * height, x2 * width, y2 * height


def _unlike_edge(lab: NDArray[np.float32]) -> NDArray[np.bool_]:
    height, width = lab.shape[:2]
    rows, columns = max(2, round(_EDGE * height)), max(2, round(_EDGE * width))
    inside = np.zeros((height, width), bool)
    inside[rows:-rows, columns:-columns] = True
    edge = lab[~inside]
    centres = edge[np.linspace(0, len(edge) - 1, _COLOURS).astype(int)]
    for _ in range(_ROUNDS):  # k-means
        nearest = ((edge[:, None] - centres) ** 2).sum(-1).argmin(1)
        centres = np.stack(
            [edge[nearest == k].mean(0) if (nearest == k).any() else centres[k] for k in range(len(centres))]
        )
    common = np.bincount(nearest, minlength=len(centres)) >= 0.04 * len(edge)
    distance = np.sqrt(((lab[:, :, None] - centres[common]) ** 2).sum(-1).min(-1))
    return np.asarray(distance > _otsu(distance))


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold between two groups of values that lie furthest apart (Otsu, 1979)."""
    counts, edges = np.histogram(values, 64)
    weights, middles = counts / counts.sum(), (edges[:-1] + edges[1:]) / 2
    below, sums = weights.cumsum(), (weights * middles).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below - sums) ** 2 / (below * (1 - below))
    return float(middles[np.nan_to_num(between[:-1]).argmax()])


def _central(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of a mask, without its thin parts, that are large or in the middle of the photo."""
    from scipy import ndimage

    pieces, count = ndimage.label(ndimage.binary_opening(mask, iterations=2))
    if count == 0:
        return mask
    ys, xs = np.ogrid[-1 : 1 : mask.shape[0] * 1j, -1 : 1 : mask.shape[1] * 1j]
    weight = np.exp(-1.5 * (ys**2 + xs**2))
    weights = ndimage.sum(weight, pieces, np.arange(1, count + 1))
    return np.isin(pieces, 1 + np.flatnonzero(weights >= 0.25 * weights.max()))
