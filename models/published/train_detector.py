"""Fine-tuning of Faster R-CNN and Mask R-CNN, on any data set with boxes that `models.datasets` reads.

In: labelled photos, and what to start from: torchvision's COCO weights, a file of this module's, or nothing.
Out: a safetensors file that names its classes, for the vision `DETECTOR:FILE+EMBEDDER`. Photos that cannot be
decoded are told to `Skipped`. Raises ValueError where nothing is left to train on, WeightsError for weights
that cannot be had. The same seed on the same CPU gives the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_V2_Weights, MaskRCNN_ResNet50_FPN_V2_Weights
from tqdm import tqdm

from models.datasets import masks
from models.datasets.records import LabelledPhoto, Skipped
from models.photo import Photo
from models.published.detectors import build_detector
from models.published.names import Model
from models.published.photos import batches, step
from models.published.weights import device, fill, save, tensors_of, torchvision_weights

Start: TypeAlias = Path | Literal["torchvision", "nothing"]
_COCO: Final = {
    "faster-rcnn": FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
    "mask-rcnn": MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
}
_CLASS_LAYERS: Final = ("box_predictor", "mask_predictor.mask_fcn_logits")


@dataclass(frozen=True, slots=True)
class DetectorSchedule:
    """How long and how fast; the defaults are the published service's."""

    steps: int = 1500
    batch: int = 4
    rate: float = 0.001
    warm_up_steps: int = 1000
    rois: int = 64
    seed: int = 0


def train_detector(
    kind: str,
    photos: Sequence[LabelledPhoto],
    start: Start,
    schedule: DetectorSchedule,
    out: Path,
    skipped: Skipped,
) -> str:
    """Fine-tune `faster-rcnn` or `mask-rcnn` on the garments that have boxes; returns the file's SHA-256."""
    usable = [photo for photo in photos if any(g.box_xyxy is not None for g in photo.garments)]
    if not usable:
        raise ValueError(f"{kind}: got no photos with boxes, expected some to train on")
    torch.manual_seed(schedule.seed)
    classes = sorted({g.category for photo in usable for g in photo.garments if g.box_xyxy is not None})
    net: Any = build_detector(kind, len(classes))
    _start_from(net, kind, start)
    net.roi_heads.fg_bg_sampler.batch_size_per_image = schedule.rois
    net.to(device()).train()
    trained = [weight for weight in net.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(trained, schedule.rate, momentum=0.9, weight_decay=1e-4)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.001, total_iters=max(1, schedule.warm_up_steps))
    rows = batches(usable, schedule.batch, schedule.seed, skipped)
    for _ in tqdm(range(schedule.steps), "steps", disable=None):
        targets = [_target(labelled, photo, classes, kind) for labelled, photo in next(rows)]
        losses = net([picture for picture, _ in targets], [target for _, target in targets])
        step(optimizer, torch.stack(list(losses.values())).sum(), trained)
        warm_up.step()
    return save(net, {"kind": kind, "classes": classes}, out)


def _start_from(net: nn.Module, kind: str, start: Start) -> None:
    """Fill with weights; the layers that name classes stay as they are where there were others."""
    if start == "nothing":
        return
    own = net.state_dict()
    if isinstance(start, Path):
        tensors = tensors_of(Model(kind, start).checkpoint())
    else:
        tensors = torchvision_weights(_COCO[kind])
    for name in tensors.keys() & own.keys():
        if any(layer in name for layer in _CLASS_LAYERS) and own[name].shape != tensors[name].shape:
            tensors[name] = own[name]
    fill(net, tensors, kind)


def _target(
    labelled: LabelledPhoto, photo: Photo, classes: Sequence[str], kind: str
) -> tuple[Tensor, dict[str, Tensor]]:
    """A photo (3, H, W) and its garments as torchvision's detectors want them."""
    garments = [g for g in labelled.garments if g.box_xyxy is not None and (kind != "mask-rcnn" or g.mask)]
    boxes = np.array([g.box_xyxy for g in garments], np.float32).reshape(-1, 4) / photo.scale
    target = {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.tensor([classes.index(g.category) + 1 for g in garments], dtype=torch.int64),
    }
    if kind == "mask-rcnn":
        shown = np.zeros((len(garments), photo.height, photo.width), np.uint8)
        for at, garment in enumerate(garments):
            shown[at] = mask_in(photo, garment.mask)
        target["masks"] = torch.from_numpy(shown)
    picture = torch.from_numpy(photo.pixels.copy()).permute(2, 0, 1).float() / 255
    at_device = device()
    return picture.to(at_device), {name: tensor.to(at_device) for name, tensor in target.items()}


def mask_in(photo: Photo, mask: Any) -> NDArray[np.bool_]:
    """A data set's mask as (H, W) of the decoded photo, which may be smaller than its source."""
    if isinstance(mask, masks.Runs):
        whole = mask.pixels()
        rows = np.minimum((np.arange(photo.height) * photo.scale).astype(int), whole.shape[0] - 1)
        columns = np.minimum((np.arange(photo.width) * photo.scale).astype(int), whole.shape[1] - 1)
        return np.asarray(whole[rows][:, columns])
    outlines = [[value / photo.scale for value in outline] for outline in mask]
    return masks.from_outlines(outlines, photo.height, photo.width)
