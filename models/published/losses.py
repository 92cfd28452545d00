"""Losses of the published embedders.

In: embeddings or what heads say, and what is true. Out: one number to make small. Raises ValueError for an
unknown distance.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from models.published.embedders import Tasks

Distance: TypeAlias = Literal["euclidean", "cosine"]


def distance_of(a: Tensor, b: Tensor, distance: Distance) -> Tensor:
    """Distances (N,) between rows (N, D): Euclidean, or 1 - cosine."""
    if distance == "euclidean":
        return functional.pairwise_distance(a, b, eps=1e-12)
    if distance == "cosine":
        return 1 - functional.cosine_similarity(a, b, dim=1)
    raise ValueError(f"distance: got {distance!r}, expected euclidean or cosine")


def triplet_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.2, distance: Distance = "euclidean"
) -> Tensor:
    """The mean of max(0, D(anchor, positive) - D(anchor, negative) + margin) over rows (N, D).

    As published in "Buy Me That Look" (arXiv 2008.11638).
    """
    near, far = distance_of(anchor, positive, distance), distance_of(anchor, negative, distance)
    return (near - far + margin).clamp_min(0).mean()


def hardest_triplets(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (anchor, farthest of the same label, nearest of another) of a batch (N, D), labels (N,).

    Rows whose label has no second one, or is the only label, are left out.
    """
    distances = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels[None, :]
    other_row = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    kept = (same & other_row).any(dim=1) & (~same).any(dim=1)
    positive = distances.masked_fill(~(same & other_row), -1).argmax(dim=1)
    negative = distances.masked_fill(same, torch.inf).argmin(dim=1)
    return embeddings[kept], embeddings[positive[kept]], embeddings[negative[kept]]


def multi_task_loss(said: Tasks, classes: Tensor, boxes: Tensor) -> Tensor:
    """Cross-entropy of the classes (N,) plus the smooth L1 of the boxes (N, 4), in shares of the picture."""
    return functional.cross_entropy(said.classes, classes) + functional.smooth_l1_loss(said.boxes, boxes)
