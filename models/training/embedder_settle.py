"""The end of a training: looks learned once more from all views at once, kinds made as sure as they may be.

In: a trained network and the maps of all views. Out: the same network, its head of looks trained further on
features that no longer change, which allows batches of hundreds of garments and so as many negatives; its
kinds sharpened, because smoothed labels left them doubtful. The same input gives the same weights.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from tqdm import tqdm

from models.embedder_net import EmbedderNet
from models.training.embedder_views import PAIRS

SHARPER: Final = 2.0
_BATCH, _RATE, _DECAY, _DROPOUT, _TEMPERATURE = 360, 2e-3, 0.01, 0.1, 0.07
_HALVES = 3  # the pair of views that are halves; it is every other step's


def settle(net: EmbedderNet, maps: NDArray[np.float16], *, steps: int, seed: int, device: str) -> None:
    """Train the looks for `steps` and sharpen the kinds, in place."""
    torch.manual_seed(seed)
    random, features = np.random.default_rng(seed), _features(net, maps, device)
    optimizer = AdamW(net.to_looks.parameters(), lr=_RATE, weight_decay=_DECAY)
    net.to_looks.requires_grad_(True)
    for step in tqdm(range(steps), "settling looks", disable=None):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 + math.cos(math.pi * step / steps)) / 2
        garments = random.permutation(len(features))[:_BATCH]
        first, second = PAIRS[_HALVES if step % 2 else random.integers(_HALVES)]
        rows = torch.cat([features[garments, first], features[garments, second]])
        looks = functional.normalize(net.to_looks(functional.dropout(rows, _DROPOUT)))
        loss = _contrast(looks)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    net.requires_grad_(False)
    net.to_kinds.weight.mul_(SHARPER)
    net.to_kinds.bias.mul_(SHARPER)


def _contrast(looks: Tensor) -> Tensor:
    """NT-Xent among the views of one batch (2 N, D)."""
    itself = torch.eye(len(looks), dtype=torch.bool, device=looks.device)
    similar = (looks @ looks.T / _TEMPERATURE).masked_fill(itself, -1e4)
    places = torch.arange(len(looks), device=looks.device)
    return functional.cross_entropy(similar, places.roll(len(looks) // 2))


@torch.no_grad()
def _features(net: EmbedderNet, maps: NDArray[np.float16], device: str) -> Tensor:
    """Return what the heads see of every view, (garments, VIEWS, 1360)."""
    net.eval()
    found = []
    for of_garment in tqdm(maps, "features of views", disable=None):
        pooled, textures = net.features(torch.from_numpy(np.asarray(of_garment, dtype=np.float32)).to(device))
        found.append(torch.cat([pooled, textures], dim=1))
    return torch.stack(found)
