"""Boxes: overlaps of tensors for training, and which detections of a photo stay, in numpy.

In: boxes x1 y1 x2 y2, scores, kinds. Out: overlaps, the detections that are kept. Nothing fails.
"""

from __future__ import annotations

import torch
from torch import Tensor


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the IoU (...) of boxes (..., 4), pair by pair, broadcast."""
    shared, union, _ = _measures(first, second)
    return shared / union.clamp_min(1e-6)


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalised IoU (...) of boxes (..., 4), pair by pair: -1 far apart, 1 the same."""
    shared, union, hull = _measures(first, second)
    return shared / union.clamp_min(1e-6) - (hull - union) / hull.clamp_min(1e-6)


def _measures(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Areas of what two boxes share, cover together, and of the box round both."""
    low, high = torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp_min(0).prod(dim=-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp_min(0).prod(dim=-1) for box in (first, second)]
    outer_low = torch.minimum(first[..., :2], second[..., :2])
    outer_high = torch.maximum(first[..., 2:], second[..., 2:])
    return shared, areas[0] + areas[1] - shared, (outer_high - outer_low).clamp_min(0).prod(dim=-1)
