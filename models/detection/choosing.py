"""From the network's answers for one photo to its garments: which boxes stay, and how sure each is.

In: scores and boxes of all places. Out: `Found`s, surest first. A score of 0.5 is the shipped threshold of
its kind, so 0.5 means the same for a hat as for a coat. One thing gets one answer: a box that shares too much
with a surer one is left out (same kind) or pressed below 0.5 (a kind that cannot be there as well, such as a
coat that is also a dress). Nothing fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

from models.detection.kinds import CATEGORY_NAMES, KIND_OF_CATEGORY, KINDS, SLOT_OF_KIND

THRESHOLD: Final = 0.5  # of calibrated scores
_LEAST_SCORE: Final = 0.004
_CANDIDATES: Final = 400
_MOST: Final = 100
# Boxes of one kind: above the first IoU the less sure one is dropped, above the second the surer one takes
# its advice, above the third the less sure one is doubted (a linear soft-NMS, Bodla et al., ICCV 2017).
_REPEATED_IOU: Final = 0.5
_VOTES_IOU: Final = 0.5
_DOUBTED_IOU: Final = 0.3
# Of the smaller box that may lie in a surer one of the same kind, if both are shown.
_NESTED: Final = 0.7
# Kinds that the same cloth could be taken for, and the IoU from which it was.
_RIVALS: Final = {
    frozenset(("inner", "outer")): 0.75,
    frozenset(("inner", "full_body")): 0.6,
    frozenset(("outer", "full_body")): 0.6,
    frozenset(("lower", "full_body")): 0.6,
    frozenset(("inner", "lower")): 0.5,
    frozenset(("outer", "lower")): 0.6,
    frozenset(("bag", "accessory")): 0.5,
    frozenset(("headwear", "accessory")): 0.5,
    frozenset(("bag", "footwear")): 0.5,
}
_OF_KIND: Final = torch.tensor(
    [[KIND_OF_CATEGORY[name] == kind for name in CATEGORY_NAMES] for kind in KINDS]
)


@dataclass(frozen=True, eq=False)
class Found:
    """What was found: `boxes_xyxy` (D, 4), `kinds` and `categories` (D,) by number, `scores` (D,) 0 to 1."""

    boxes_xyxy: NDArray[np.float32]
    kinds: NDArray[np.int64]
    categories: NDArray[np.int64]
    scores: NDArray[np.float32]


def candidates(kinds: Tensor, boxes: Tensor, categories: Tensor) -> Found:
    """All that may be a garment, with raw scores: the answers of one photo without the repetitions.

    From logits `kinds` (P, kinds), `boxes` (P, slots, 4) in pixels and logits `categories` (P, C).
    """
    scores = kinds.sigmoid()
    place, kind = (scores > _LEAST_SCORE).nonzero(as_tuple=True)
    sure = scores[place, kind]
    if len(sure) > _CANDIDATES:
        sure, best = sure.topk(_CANDIDATES)
        place, kind = place[best], kind[best]
    said = boxes[place, torch.tensor(SLOT_OF_KIND)[kind]]
    kept = batched_nms(said, sure, kind, _REPEATED_IOU)[:_MOST]
    agreed = _agreed(said, sure, kind, kept)
    named = categories[place[kept]].masked_fill(~_OF_KIND[kind[kept]], -torch.inf).argmax(dim=1)
    return Found(
        agreed.numpy().astype(np.float32),
        kind[kept].numpy(),
        named.numpy(),
        (sure[kept] * _own_share(agreed, kind[kept])).numpy().astype(np.float32),
    )


def _agreed(boxes: Tensor, scores: Tensor, kinds: Tensor, kept: Tensor) -> Tensor:
    """Each kept box as the mean of all that mean the same thing (box voting): worth 4 points of mAP."""
    overlap = box_iou(boxes[kept], boxes)
    same = (overlap > _VOTES_IOU) & (kinds[kept][:, None] == kinds)
    weights = same * overlap * scores
    return (weights @ boxes) / weights.sum(dim=1, keepdim=True)


def _own_share(boxes: Tensor, kinds: Tensor) -> Tensor:
    """What to multiply a score with (surest first): less the more of a surer box of its kind it repeats."""
    if len(boxes) == 0:
        return torch.ones(0)
    overlap = (box_iou(boxes, boxes) * (kinds[:, None] == kinds)).tril(-1).amax(dim=1)
    return torch.where(overlap > _DOUBTED_IOU, 1 - overlap, 1.0)


def calibrate(scores: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores on a scale on which each one's threshold is 0.5; the order within a kind stays."""
    below = THRESHOLD * scores / thresholds
    above = THRESHOLD + (1 - THRESHOLD) * (scores - thresholds) / (1 - thresholds)
    return np.where(scores < thresholds, below, above).astype(np.float32)


def settle(found: Found, thresholds: NDArray[np.float32]) -> Found:
    """The candidates with calibrated scores, surest first, one answer for each thing.

    `thresholds` (kinds,) are of raw scores, above 0 and below 1.
    """
    scores = calibrate(found.scores, thresholds[found.kinds])
    order = np.argsort(-scores, kind="stable")
    boxes, kinds, scores = found.boxes_xyxy[order], found.kinds[order], scores[order]
    shown: list[int] = []
    for number in np.flatnonzero(scores >= THRESHOLD):
        if any(_is_rival(boxes[number], KINDS[kinds[number]], boxes[k], KINDS[kinds[k]]) for k in shown):
            scores[number] *= THRESHOLD  # below the threshold, but still there for those who want all
        else:
            shown.append(int(number))
    last = np.argsort(-scores, kind="stable")
    return Found(boxes[last], kinds[last], found.categories[order][last], scores[last])


def _is_rival(box: NDArray[np.float32], kind: str, surer: NDArray[np.float32], surer_kind: str) -> bool:
    """Whether a box is likely the same thing as a surer one."""
    width, height = np.minimum(box[2:], surer[2:]) - np.maximum(box[:2], surer[:2])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [float((b[2] - b[0]) * (b[3] - b[1])) for b in (box, surer)]
    if kind == surer_kind:
        return bool(shared > _NESTED * min(areas))
    least = _RIVALS.get(frozenset((kind, surer_kind)))
    return least is not None and bool(shared > least * (sum(areas) - shared))
