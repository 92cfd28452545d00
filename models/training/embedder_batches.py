"""Small steps on arrays that the training of the embedder takes: a palette of colours, disturbed maps.

In: numpy arrays. Out: arrays or tensors. The same seed gives the same result; nothing fails.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.embedder_net import COLOURS

_HIDDEN_SHARE: Final = 0.3


def palette(colours: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return COLOURS colours (COLOURS, 3) that stand for `colours` (N, 3): k-means, ten rounds."""
    random = np.random.default_rng(seed)
    chosen = colours[random.choice(len(colours), COLOURS, replace=len(colours) < COLOURS)].copy()
    for _ in range(10):
        own = np.linalg.norm(colours[:, None] - chosen[None], axis=2).argmin(axis=1)
        for number in np.unique(own):
            chosen[number] = colours[own == number].mean(axis=0)
    return chosen


def disturbed(maps: NDArray[np.float16], random: np.random.Generator) -> Tensor:
    """Half of the maps flipped, and a piece of some hidden."""
    found = maps.astype(np.float32)
    turned = random.random(len(found)) < 0.5
    found[turned] = found[turned, :, :, ::-1]
    side = found.shape[2]
    for number in np.flatnonzero(random.random(len(found)) < _HIDDEN_SHARE):
        height, width = random.integers(side // 4, side // 2 + 1, 2)
        top, left = random.integers(0, side - height), random.integers(0, side - width)
        found[number, :, top : top + height, left : left + width] = 0
    return torch.from_numpy(found).contiguous(memory_format=torch.channels_last)
