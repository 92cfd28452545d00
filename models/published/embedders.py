"""ResNet50 and DenseNet121 of torchvision as embedders, with the heads that they are trained with.

In: pictures (N, 224, 224, 3) uint8 RGB. Out: unit embeddings (N, 2048), (N, 1024), or (N, D) behind a triplet
head. Euclidean distance between unit embeddings orders as the cosine does. The multi-task head (46 classes
and a box, dense sizes as published) is used in training only. Raises WeightsError when weights do not fit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import DenseNet121_Weights, ResNet50_Weights, densenet121, resnet50

from models.published.names import EMBEDDERS, Model, read_about
from models.published.weights import device, fill, tensors_of, torchvision_weights

SIDE_PX: Final = 224
CLASSES: Final = 46
"""Of DeepFashion's 50 categories, those that have photos."""
LAST_LAYERS: Final = 12
"""How many layers of ResNet50 the published service left unfrozen."""
L2: Final = 0.001
_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)


class Trunk(nn.Module):
    """A network without its last layer: pictures to pooled features."""

    def __init__(self, kind: str) -> None:
        """Raises ValueError for a kind that is none."""
        super().__init__()
        if kind not in EMBEDDERS:
            raise ValueError(f"embedder: got {kind!r}, expected one of {', '.join(EMBEDDERS)}")
        self.kind, self.features = kind, EMBEDDERS[kind]
        self.mean: Tensor
        self.std: Tensor
        if kind == "resnet50":
            self.net = resnet50(weights=None)
            self.net.fc = nn.Identity()
        else:
            self.net = densenet121(weights=None)
            self.net.classifier = nn.Identity()
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return features (N, D) of pictures (N, 224, 224, 3) uint8."""
        scaled = pictures.permute(0, 3, 1, 2).float() / 255
        return cast(Tensor, self.net((scaled - self.mean) / self.std))

    def load_imagenet(self) -> None:
        """Fill with torchvision's ImageNet weights. Raises WeightsError where they cannot be had."""
        weights = (
            ResNet50_Weights.IMAGENET1K_V2 if self.kind == "resnet50" else DenseNet121_Weights.IMAGENET1K_V1
        )
        tensors = torchvision_weights(weights)
        if self.kind == "densenet121":
            tensors = {_densenet_name(name): tensor for name, tensor in tensors.items()}
        top = ("fc.", "classifier.")
        fill(self.net, {name: t for name, t in tensors.items() if not name.startswith(top)}, str(weights))

    def unfreeze_last(self, layers: int = LAST_LAYERS) -> None:
        """Freeze all but the last `layers` layers that have weights (convolutions and batch norms count)."""
        self.requires_grad_(False)
        for layer in list(self.weighted_layers())[-layers:] if layers else []:
            layer.requires_grad_(True)

    def weighted_layers(self) -> Iterator[nn.Module]:
        """The layers that have weights of their own, from the first to the last that is computed."""
        yield from (m for m in self.net.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d)))

    def train(self, mode: bool = True) -> Trunk:
        """Frozen batch norms keep their statistics, also while training."""
        super().train(mode)
        for layer in self.weighted_layers():
            if isinstance(layer, nn.BatchNorm2d) and not layer.weight.requires_grad:
                layer.eval()
        return self


def _densenet_name(name: str) -> str:
    """torchvision's file is older than its network: `norm.1` in it is `norm1` there."""
    for old, new in (("norm.1", "norm1"), ("norm.2", "norm2"), ("conv.1", "conv1"), ("conv.2", "conv2")):
        name = name.replace(f".{old}.", f".{new}.")
    return name


class Tasks(NamedTuple):
    """What the multi-task heads say: logits (N, 46) and boxes (N, 4), in shares of the picture's sides."""

    classes: Tensor
    boxes: Tensor


class MultiTask(nn.Module):
    """A trunk with the published service's heads: a class behind 512 ELU, a box behind 512 and 128 ReLU."""

    def __init__(self, trunk: Trunk, classes: int = CLASSES) -> None:
        super().__init__()
        self.trunk = trunk
        self.class_head = nn.Sequential(
            OrderedDict(dense=nn.Linear(trunk.features, 512), elu=nn.ELU(), classes=nn.Linear(512, classes))
        )
        self.box_head = nn.Sequential(
            OrderedDict(
                dense=nn.Linear(trunk.features, 512),
                relu=nn.ReLU(),
                narrow=nn.Linear(512, 128),
                relu2=nn.ReLU(),
                box=nn.Linear(128, 4),
            )
        )

    def forward(self, pictures: Tensor) -> Tasks:
        """Return what both heads say of pictures (N, 224, 224, 3) uint8."""
        features = self.trunk(pictures)
        return Tasks(self.class_head(features), self.box_head(features))

    def penalty(self) -> Tensor:
        """L2 of the hidden dense layers, weighted as published."""
        layers = (self.class_head.dense, self.box_head.dense, self.box_head.narrow)
        return L2 * torch.stack([cast(nn.Linear, layer).weight.square().sum() for layer in layers]).sum()


class TripletNet(nn.Module):
    """A trunk and, with `dim`, a linear head behind it; embeddings have unit length."""

    def __init__(self, trunk: Trunk, dim: int | None = None) -> None:
        super().__init__()
        self.trunk, self.dim = trunk, dim or trunk.features
        self.triplet_head = nn.Identity() if dim is None else nn.Linear(trunk.features, dim)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return unit embeddings (N, dim) of pictures (N, 224, 224, 3) uint8."""
        return nn.functional.normalize(self.triplet_head(self.trunk(pictures)), dim=1)


class PublishedEmbedder:
    """Crops to unit embeddings, behind the same seam as lookstream's own embedders."""

    side_px = SIDE_PX

    def __init__(self, net: TripletNet, name: str) -> None:
        self._net = net.eval().requires_grad_(False).to(device())
        self.name, self.dim = name, net.dim

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit embeddings (N, dim) float32 of pictures (N, 224, 224, 3) uint8 RGB."""
        with torch.inference_mode():
            embeddings = self._net(torch.from_numpy(pictures).to(device()))
        return np.asarray(embeddings.float().cpu().numpy(), dtype=np.float32)


def open_embedder(model: Model) -> PublishedEmbedder:
    """An embedder with the weights of its file, or torchvision's. Raises WeightsError.

    Of a file that was trained with a class and a box head, those heads are left out.
    """
    trunk = Trunk(model.kind)
    if model.file is None:
        trunk.load_imagenet()
        return PublishedEmbedder(TripletNet(trunk), model.version)
    checkpoint = model.checkpoint()
    dim = read_about(checkpoint.path).get("dim")
    net = TripletNet(trunk, None if dim is None else int(dim))
    heads = ("class_head.", "box_head.")
    tensors = {name: t for name, t in tensors_of(checkpoint).items() if not name.startswith(heads)}
    fill(net, tensors, checkpoint.name)
    return PublishedEmbedder(net, model.version)
