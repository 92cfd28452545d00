"""The detector's network: EfficientNet-Lite0, a feature pyramid, and one small head for all its levels.

In: pictures (N, 3, H, W), H and W multiples of 32, scaled as `scaled` does. Out: raw answers for every place
of four grids (strides 8, 16, 32, 64): a score per kind, a box per slot, a category. After FCOS (Tian et al.,
ICCV 2019): no anchors. Nothing fails that was given such pictures. Importing this imports torch.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.detection.kinds import CATEGORY_NAMES, KINDS, SLOTS
from models.lite0 import Lite0

STRIDES = (8, 16, 32, 64)
FROZEN_BLOCKS = 5  # edges and textures: ImageNet's are as good as any
REGIONS = 12  # what the mask of a training photo tells apart
_TAPS = {4: 40, 10: 112, 15: 320}  # block of the trunk -> its channels
_WIDTH = 128
_LONGEST = 8.0  # log of the longest distance in strides; exp of more would overflow in half precision


class Answers(NamedTuple):
    """What the network says of P places.

    `kinds` (N, P, kinds) and `categories` (N, P, categories) are logits, `boxes_xyxy` (N, P, slots, 4) is in
    pixels of the picture, all float32. `regions` (N, REGIONS, H / 8, W / 8) is None outside training.
    """

    kinds: Tensor
    boxes_xyxy: Tensor
    categories: Tensor
    regions: Tensor | None


class DetectorNet(nn.Module):
    """See the module. The lower blocks of the trunk stay as ImageNet left them."""

    def __init__(self) -> None:
        """Start from ImageNet's weights. Raises WeightsError when they are not the pinned ones."""
        super().__init__()
        trunk = Lite0().net
        self.stem = cast(nn.Conv2d, trunk._conv_stem)
        self.blocks = cast(nn.ModuleList, trunk._blocks)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, _WIDTH, 1) for channels in _TAPS.values())
        self.smooth = nn.ModuleList(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1) for _ in _TAPS)
        self.coarsest = nn.Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1)
        self.shared = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)
        self.to_kinds = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)
        self.to_boxes = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)
        self.kinds = nn.Conv2d(_WIDTH, len(KINDS), 3, padding=1)
        self.categories = nn.Conv2d(_WIDTH, len(CATEGORY_NAMES), 1)
        self.boxes = nn.Conv2d(_WIDTH, 4 * SLOTS, 3, padding=1)
        self.sizes = nn.Parameter(torch.full((len(STRIDES), SLOTS), 1.0))
        self.regions = nn.Conv2d(_WIDTH, REGIONS, 1)
        self._initialise()
        self.requires_grad_(True)
        self.stem.requires_grad_(False)
        self.blocks[:FROZEN_BLOCKS].requires_grad_(False)
        for block in self.blocks:
            depthwise = cast(nn.Conv2d, block._depthwise_conv)
            if depthwise.kernel_size == (5, 5):
                # The gradient of 25 weights a channel costs a fifth of a training step on CPUs, and the
                # convolutions around them learn as well what they would.
                depthwise.requires_grad_(False)
        self.to(memory_format=torch.channels_last)

    def _initialise(self) -> None:
        for part in (self.lateral, self.smooth, self.coarsest, self.shared, self.to_kinds, self.to_boxes):
            for conv in part.modules():
                if isinstance(conv, nn.Conv2d):
                    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
                    nn.init.zeros_(cast(Tensor, conv.bias))
        for conv in (self.kinds, self.categories, self.boxes, self.regions):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(cast(Tensor, conv.bias))
        nn.init.constant_(cast(Tensor, self.kinds.bias), -math.log(99.0))  # nearly every place is empty
        nn.init.constant_(cast(Tensor, self.boxes.bias), 1.0)

    def forward(self, pictures: Tensor) -> Answers:
        """Return the answers for pictures (N, 3, H, W)."""
        levels = self._pyramid(self.upper_trunk(self.lower_trunk(pictures)))
        kinds, boxes, categories = [], [], []
        for level, (maps, stride) in enumerate(zip(levels, STRIDES, strict=True)):
            shared = functional.relu(self.shared(maps))
            of_kind = functional.relu(self.to_kinds(shared))
            kinds.append(_rows(self.kinds(of_kind)))
            categories.append(_rows(self.categories(of_kind)))
            raw = _rows(self.boxes(functional.relu(self.to_boxes(shared)))).reshape(len(maps), -1, SLOTS, 4)
            log_strides = (raw * self.sizes[level, :, None].float()).clamp(-_LONGEST, _LONGEST)
            boxes.append(_boxes(log_strides.exp() * stride, maps.shape[-1], stride))
        return Answers(
            torch.cat(kinds, 1),
            torch.cat(boxes, 1),
            torch.cat(categories, 1),
            self.regions(levels[0]).float() if self.training else None,
        )

    def lower_trunk(self, pictures: Tensor) -> Tensor:
        """The blocks that are never trained."""
        maps = functional.relu6(self.stem(pictures), inplace=True)
        for block in self.blocks[:FROZEN_BLOCKS]:
            maps = _block(block, maps)
        return maps

    def upper_trunk(self, maps: Tensor) -> list[Tensor]:
        """The maps that the pyramid starts from, from fine to coarse."""
        tapped = [maps]
        for number, block in enumerate(self.blocks):
            if number >= FROZEN_BLOCKS:
                maps = _trained_block(block, maps) if self.training else _block(block, maps)
                if number in _TAPS:
                    tapped.append(maps)
        return tapped

    def _pyramid(self, tapped: list[Tensor]) -> list[Tensor]:
        levels = [lateral(maps) for lateral, maps in zip(self.lateral, tapped, strict=True)]
        for fine in (1, 0):
            levels[fine] = levels[fine] + functional.interpolate(
                levels[fine + 1], size=levels[fine].shape[-2:]
            )
        levels = [smooth(maps) for smooth, maps in zip(self.smooth, levels, strict=True)]
        return [*levels, self.coarsest(levels[-1])]


def scaled(pictures: Tensor) -> Tensor:
    """Return float32 (N, 3, H, W) in channels_last as the trunk takes it, of uint8 (N, H, W, 3)."""
    return ((pictures.float() - 127.0) / 128.0).permute(0, 3, 1, 2)


def places_xy(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the middles (P, 2) in pixels of all places of a picture, and the stride (P,) of each."""
    middles, strides = [], []
    for stride in STRIDES:
        # A stride of 64 on an odd number of 32s: the convolution rounds up.
        rows, columns = -(-height // stride), -(-width // stride)
        middles.append(_middles(rows, columns, stride))
        strides.append(torch.full((rows * columns,), float(stride)))
    return torch.cat(middles), torch.cat(strides)


def _middles(rows: int, columns: int, stride: int) -> Tensor:
    ys, xs = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return (torch.stack((xs, ys), dim=-1).reshape(-1, 2).float() + 0.5) * stride


def _rows(maps: Tensor) -> Tensor:
    """Return (N, H * W, C) float32 of (N, C, H, W)."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2).float()


def _boxes(distances: Tensor, columns: int, stride: int) -> Tensor:
    """Return x1 y1 x2 y2 from the distances left, up, right, down (N, P, slots, 4) of a grid's places."""
    middles = _middles(distances.shape[1] // columns, columns, stride).to(distances.device)[:, None, :]
    return torch.cat((middles - distances[..., :2], middles + distances[..., 2:]), dim=-1)


def _block(block: nn.Module, maps: Tensor) -> Tensor:
    """An inverted bottleneck without gradients: its activations are cut off in place."""
    inner = maps
    if hasattr(block, "_expand_conv"):  # the first block has none
        inner = functional.relu6(cast(nn.Conv2d, block._expand_conv)(inner), inplace=True)
    inner = functional.relu6(block._depthwise_conv(inner), inplace=True)  # type: ignore[operator]
    out = block._project_conv(inner)  # type: ignore[operator]
    return cast(Tensor, out.add_(maps) if out.shape == maps.shape else out)


def _trained_block(block: nn.Module, maps: Tensor) -> Tensor:
    """An inverted bottleneck, its depthwise convolution in float32 under autocast.

    The gradient of a depthwise convolution in bfloat16 takes several times as long on CPUs.
    """
    inner = functional.relu6(block._expand_conv(maps))  # type: ignore[operator]
    with torch.autocast(maps.device.type, enabled=False):
        inner = functional.relu6(block._depthwise_conv(inner.float()))  # type: ignore[operator]
    out = block._project_conv(inner)  # type: ignore[operator]
    return cast(Tensor, out + maps if out.shape == maps.shape else out)
