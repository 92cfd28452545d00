"""The losses that the embedder can be trained with.

In: what the network says of a batch of views, and which garment and kinds each view is of. Out: scalar
tensors. Nothing fails; a batch of one garment has no negatives and teaches nothing about looks.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_NEVER: Final = -1e4
_SMOOTHING: Final = 0.08
_TEMPERATURE: Final = 0.1
MARGIN: Final = 0.2
"""Of the triplet loss, in 1 - cosine."""


def kind_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """Cross-entropy with the probability of all `allowed` (N, K) kinds together, labels smoothed."""
    logs = logits.log_softmax(dim=1)
    right = torch.where(allowed, logs, torch.full_like(logs, _NEVER)).logsumexp(dim=1)
    return -((1 - _SMOOTHING) * right + _SMOOTHING * logs.mean(dim=1)).mean()


def contrast_loss(looks: Tensor, garments: Tensor, remembered: Tensor, of_garments: Tensor) -> Tensor:
    """NT-Xent (Chen et al., ICML 2020): of all views, the other one of the same garment is the nearest.

    `looks` (2 N, D) are two views a garment, the first of all and then the second of all; `garments` (2 N,)
    names them. Earlier batches' `remembered` views (M, D) `of_garments` (M,) are further negatives
    (cross-batch memory, Wang et al., CVPR 2020).
    """
    batch = len(looks) // 2
    similar = looks @ looks.T / _TEMPERATURE
    similar = similar.masked_fill(torch.eye(len(looks), dtype=torch.bool, device=looks.device), _NEVER)
    earlier = looks @ remembered.T / _TEMPERATURE
    earlier = earlier.masked_fill(garments[:, None] == of_garments[None], _NEVER)
    other = (torch.arange(2 * batch, device=looks.device) + batch) % (2 * batch)
    return functional.cross_entropy(torch.cat([similar, earlier], dim=1), other)


def triplet_loss(rows: Tensor, same: Tensor) -> Tensor:
    """Triplet loss with batch-hard mining (Hermans et al., arXiv 1703.07737), as arXiv 2008.11638 trains.

    For each row its farthest of the `same` (N, N) and its nearest of the others; distance is 1 - cosine.
    max(0, D(anchor, positive) - D(anchor, negative) + MARGIN), mean over rows that have both.
    """
    away = 1 - rows @ rows.T
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    positive = away.masked_fill(~same | itself, _NEVER).amax(dim=1)
    negative = away.masked_fill(same, -_NEVER).amin(dim=1)
    usable = (same & ~itself).any(dim=1) & (~same).any(dim=1)
    losses = functional.relu(positive - negative + MARGIN)
    return (losses * usable).sum() / usable.sum().clamp_min(1)
