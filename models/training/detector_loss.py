"""What the detector's network is punished for.

In: its answers, and the garments of each picture. Out: a loss. Which places answer for a garment is decided
by what the network says itself (SimOTA, Ge et al., arXiv:2107.08430): those in its middle that already come
closest. Kinds are learnt with the overlap of the box as their target (quality focal loss, Li et al., NeurIPS
2020), boxes with generalised IoU (Rezatofighi et al., CVPR 2019), and the masks of the photos teach the
finest maps what each pixel is, which keeps a network of few photos from learning them by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from models.detection.boxes import box_iou, generalised_iou
from models.detection.kinds import SLOT_OF_KIND, SLOTS
from models.detection.network import Answers
from models.training.detector_sources import UNKNOWN

_RADIUS = 2.5  # strides from the middle of a box in which places may answer for it
_CANDIDATES = 10
_BOX, _CATEGORY, _REGIONS = 2.0, 0.25, 0.4  # weights of the parts; kinds count 1
_FAR = 1e5


class Truth(NamedTuple):
    """The G garments of one picture: as `View` has them, as tensors; `regions` (H / 8, W / 8) int64."""

    boxes_xyxy: Tensor
    kinds: Tensor
    categories: Tensor
    weights: Tensor
    regions: Tensor


class Losses(NamedTuple):
    """The whole loss and its parts, already weighted."""

    whole: Tensor
    kinds: Tensor
    boxes: Tensor
    categories: Tensor
    regions: Tensor


def losses(answers: Answers, truths: Sequence[Truth], places: Tensor, strides: Tensor) -> Losses:
    """The losses of N pictures; `places` (P, 2) and `strides` (P,) as `places_xy` gives them."""
    targets = torch.zeros_like(answers.kinds)
    boxes = categories = answers.kinds.new_zeros(())
    for number, truth in enumerate(truths):
        if len(truth.kinds) == 0:
            continue
        logits, found = answers.kinds[number], answers.boxes_xyxy[number]
        place, garment = assigned(logits.detach(), found.detach(), truth, places, strides)
        kinds = truth.kinds[garment]
        predicted = found[place, _slots(kinds)]
        overlap = box_iou(predicted.detach(), truth.boxes_xyxy[garment])
        # A guessed box must not teach that a good answer is a bad one.
        sure = truth.weights[garment]
        targets[number, place, kinds] = overlap * sure + overlap.clamp_min(0.7) * (1 - sure)
        weights = targets[number, place, kinds]
        boxes = boxes + ((1 - generalised_iou(predicted, truth.boxes_xyxy[garment])) * weights * sure).sum()
        of_category = functional.cross_entropy(
            answers.categories[number, place], truth.categories[garment], ignore_index=-1, reduction="none"
        )
        categories = categories + (of_category * weights).sum()
    # At first no box fits and the overlaps sum to nothing: then the garments are counted.
    garments = sum(len(truth.kinds) for truth in truths)
    share = 1.0 / targets.sum().clamp_min(max(1.0, garments))
    of_kinds = _quality_focal(answers.kinds, targets) * share
    boxes, categories = _BOX * share * boxes, _CATEGORY * share * categories
    regions = _REGIONS * _region_loss(answers, truths)
    return Losses(of_kinds + boxes + categories + regions, of_kinds, boxes, categories, regions)


@torch.no_grad()
def assigned(
    logits: Tensor, boxes: Tensor, truth: Truth, places: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor]:
    """Return which place (A,) answers for which garment (A,); a place answers for one garment a slot."""
    slots = _slots(truth.kinds)
    predicted = boxes[:, slots].transpose(0, 1)  # (G, P, 4)
    wanted = truth.boxes_xyxy[:, None, :].expand_as(predicted)
    overlap = box_iou(predicted, wanted)
    inside = _near_middle(truth.boxes_xyxy, places, strides)
    scores = logits[:, truth.kinds].T
    unlike = (overlap - scores.sigmoid()).square() * functional.binary_cross_entropy_with_logits(
        scores, overlap, reduction="none"
    )
    cost = unlike - 3.0 * torch.log(overlap + 1e-7) + _FAR * ~inside
    best = (overlap * inside).topk(min(_CANDIDATES, overlap.shape[1]), dim=1).values
    counts = best.sum(dim=1).int().clamp_min(1)
    matched = torch.zeros_like(inside)
    for row, count in enumerate(counts.tolist()):
        matched[row, cost[row].topk(count, largest=False).indices] = True
    for slot in range(SLOTS):  # the cheaper garment keeps a place that two of one slot want
        rows = (slots == slot).nonzero()[:, 0]
        if len(rows) > 1:
            cheapest = torch.where(matched[rows], cost[rows], torch.inf).argmin(dim=0)
            matched[rows] &= torch.arange(len(rows), device=rows.device)[:, None] == cheapest
    garment, place = matched.nonzero(as_tuple=True)
    return place, garment


def _near_middle(boxes: Tensor, places: Tensor, strides: Tensor) -> Tensor:
    """Return (G, P): whether a place is inside a box and near its middle, for its stride."""
    xs, ys = places[:, 0], places[:, 1]
    x1, y1, x2, y2 = (side[:, None] for side in boxes.unbind(1))
    inside = (xs > x1) & (xs < x2) & (ys > y1) & (ys < y2)
    reach = _RADIUS * strides
    near = ((xs - (x1 + x2) / 2).abs() < reach) & ((ys - (y1 + y2) / 2).abs() < reach)
    both = inside & near
    # A box smaller than its stride may hold no place at all: then those near its middle may answer.
    return torch.where(both.any(dim=1, keepdim=True), both, near)


def _slots(kinds: Tensor) -> Tensor:
    return torch.tensor(SLOT_OF_KIND, device=kinds.device)[kinds]


def _quality_focal(logits: Tensor, targets: Tensor) -> Tensor:
    difference = (targets - logits.sigmoid()).square()
    return (difference * functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")).sum()


def _region_loss(answers: Answers, truths: Sequence[Truth]) -> Tensor:
    assert answers.regions is not None
    regions = torch.stack([truth.regions for truth in truths])
    each = functional.cross_entropy(answers.regions, regions, ignore_index=UNKNOWN, reduction="none")
    return each.sum() / (regions != UNKNOWN).sum().clamp_min(1)
