"""Fine-tuning of ResNet50 and DenseNet121: classes and boxes together, or triplets.

In: labelled photos, of each its first garment, and what to start from: torchvision's ImageNet weights, a file
of this module's, or nothing. Out: a safetensors file for the vision `DETECTOR+EMBEDDER:FILE`. Photos that
cannot be decoded are told to `Skipped`. Raises ValueError where there is nothing to tell apart, WeightsError
for weights that cannot be had. The same seed on the same CPU gives the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from models.datasets.records import LabelledPhoto, Skipped
from models.photo import Photo
from models.published.detectors import Detection
from models.published.embedders import LAST_LAYERS, SIDE_PX, MultiTask, TripletNet, Trunk
from models.published.losses import Distance, hardest_triplets, multi_task_loss, triplet_loss
from models.published.names import Model
from models.published.photos import batches, step
from models.published.train_detector import Start
from models.published.vision import crop_picture
from models.published.weights import device, fill, save, tensors_of

Net = MultiTask | TripletNet


@dataclass(frozen=True, slots=True)
class EmbedderSchedule:
    """How long, how fast, and which loss; `dim` puts a triplet head of so many numbers behind the trunk."""

    task: Literal["multi-task", "triplet"] = "multi-task"
    epochs: int = 120
    batch: int = 32
    rate: float = 1e-4
    last_layers: int = LAST_LAYERS
    dim: int | None = None
    margin: float = 0.2
    distance: Distance = "euclidean"
    seed: int = 0


def train_embedder(
    kind: str,
    photos: Sequence[LabelledPhoto],
    start: Start,
    schedule: EmbedderSchedule,
    out: Path,
    skipped: Skipped,
) -> str:
    """Fine-tune `resnet50` or `densenet121`; returns the file's SHA-256.

    All layers are trained from nothing; else only the last `last_layers` and what is behind them.
    """
    usable = [photo for photo in photos if photo.garments]
    classes = sorted({photo.garments[0].category for photo in usable})
    if len(classes) < 2:
        raise ValueError(f"{kind}: got {len(classes)} categories, expected at least two to tell apart")
    torch.manual_seed(schedule.seed)
    net = _network(kind, start, schedule, len(classes)).to(device()).train()
    trained = [weight for weight in net.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(trained, schedule.rate)
    rows = batches(usable, schedule.batch, schedule.seed, skipped)
    steps = schedule.epochs * -(-len(usable) // schedule.batch)
    for _ in tqdm(range(steps), "steps", disable=None):
        pairs = next(rows)
        if len(pairs) > 1:  # a batch norm cannot learn from one picture
            step(optimizer, _loss(net, pairs, classes, schedule), trained)
    about: dict[str, Any] = {"kind": kind, "classes": classes, "task": schedule.task}
    return save(net, about | ({"dim": schedule.dim} if schedule.dim else {}), out)


def _network(kind: str, start: Start, schedule: EmbedderSchedule, classes: int) -> Net:
    trunk = Trunk(kind)
    if start == "torchvision":
        trunk.load_imagenet()
    triplet = schedule.task == "triplet"
    net: Net = TripletNet(trunk, schedule.dim) if triplet else MultiTask(trunk, classes)
    if isinstance(start, Path):  # the trunk of whatever it was trained for; heads only of the same kind
        tensors = net.state_dict() | {
            name: tensor
            for name, tensor in tensors_of(Model(kind, start).checkpoint()).items()
            if name.startswith("trunk.") or _fits(net, name, tensor)
        }
        fill(net, tensors, kind)
    if start != "nothing":
        trunk.unfreeze_last(schedule.last_layers)
    return net


def _fits(net: Net, name: str, tensor: Tensor) -> bool:
    own = net.state_dict().get(name)
    return own is not None and own.shape == tensor.shape


def _loss(
    net: Net,
    pairs: Sequence[tuple[LabelledPhoto, Photo]],
    classes: Sequence[str],
    schedule: EmbedderSchedule,
) -> Tensor:
    at = device()
    crops = [_picture(labelled, photo) for labelled, photo in pairs]
    pictures = torch.from_numpy(np.stack([picture for picture, _ in crops])).to(at)
    labels = torch.tensor([classes.index(labelled.garments[0].category) for labelled, _ in pairs], device=at)
    if isinstance(net, MultiTask):
        boxes = torch.tensor([box for _, box in crops], device=at)
        return multi_task_loss(net(pictures), labels, boxes) + net.penalty()
    anchor, positive, negative = hardest_triplets(net(pictures), labels)
    if len(anchor) == 0:
        return torch.zeros(())
    return triplet_loss(anchor, positive, negative, schedule.margin, schedule.distance)


def _picture(labelled: LabelledPhoto, photo: Photo) -> tuple[Any, tuple[float, ...]]:
    """A photo as the network sees it, and its garment's box in shares of that picture's sides."""
    garment = labelled.garments[0]
    whole = Detection(garment.category, (0.0, 0.0, float(photo.width), float(photo.height)), 1.0)
    picture = crop_picture(photo.pixels, whole, SIDE_PX)
    side = max(photo.width, photo.height)
    left, top = (side - photo.width) / 2, (side - photo.height) / 2
    source = (0.0, 0.0, float(photo.source_width), float(photo.source_height))
    x1, y1, x2, y2 = (value / photo.scale for value in garment.box_xyxy or source)
    return picture, ((x1 + left) / side, (y1 + top) / side, (x2 + left) / side, (y2 + top) / side)
