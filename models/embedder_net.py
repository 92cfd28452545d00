"""The embedder's network: one look at a picture, three small blocks that say kind, look and colour.

In: square pictures (N, S, S, 3) uint8 RGB, S a multiple of 32. Out: embeddings (N, DIM), unit rows: the three
blocks side by side, each of unit length and weighted by its share, so that the similarity of two garments is

    share of kind x affinity of kinds + share of look x cosine of looks + share of colour x affinity of
    colours

* kind: the square roots of the probabilities of `KINDS` (the cosine is Bhattacharyya's affinity). Within a
  kind it hardly varies, so it does not drown what the other two say.
* look: a projection of pooled features, trained so that views and halves of one garment lie together.
* colour: the square roots of a histogram of 45 colours in CIELAB, the middle counting most. Not trained.

Importing this imports torch.
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.lite0 import FEATURES, Lite0

KINDS: Final = (
    "dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt", "bag",
)  # fmt: skip
FROZEN_BLOCKS: Final = 5  # edges and textures: ImageNet's are as good as any
LOOK_DIM: Final = 200
COLOURS: Final = 45
DIM: Final = len(KINDS) + LOOK_DIM + COLOURS
_MAP_CHANNELS: Final = 40  # of the last frozen block
_CELLS: Final = 32  # a side of the grid that colours are counted on
_COLOUR_WIDTH: Final = 8.0  # how far in Lab a colour is counted to its neighbours
_LIGHTNESS: Final = 0.5**0.5  # lightness counts half: it changes most with the light
_MIDDLE: Final = 0.35  # deviation of the weights round the middle, in sides


class Blocks(NamedTuple):
    """Logits of the kinds (N, KINDS) and looks (N, LOOK_DIM), unit rows, both float32."""

    kinds: Tensor
    looks: Tensor


class EmbedderNet(nn.Module):
    """See the module. The lower blocks of the trunk stay as ImageNet left them."""

    colours: Tensor
    shares: Tensor

    def __init__(self) -> None:
        """Start from ImageNet's weights. Raises WeightsError when they are not the pinned ones."""
        super().__init__()
        trunk = Lite0().net
        self.stem = cast(nn.Conv2d, trunk._conv_stem)
        blocks = cast(nn.ModuleList, trunk._blocks)
        self.lower, self.upper = blocks[:FROZEN_BLOCKS], blocks[FROZEN_BLOCKS:]
        self.head = cast(nn.Conv2d, trunk._conv_head)
        self.activation = cast(nn.Module, trunk._swish)
        self.to_kinds = nn.Linear(FEATURES, len(KINDS))
        self.to_looks = nn.Linear(FEATURES + 2 * _MAP_CHANNELS, LOOK_DIM)
        self.register_buffer("colours", torch.zeros(COLOURS, 3))
        self.register_buffer("shares", torch.tensor([0.4, 0.4, 0.2]))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return unit embeddings (N, DIM) float32 of pictures (N, S, S, 3) uint8."""
        found = self.blocks(*self.features(self.maps(pictures)))
        return self.joined(found, colour_block(pictures, self.colours))

    def maps(self, pictures: Tensor) -> Tensor:
        """Return what the frozen blocks make of pictures: (N, 40, S / 8, S / 8)."""
        # A view of NHWC as NCHW is what channels_last means: no copy.
        scaled = ((pictures.float() - 127.0) / 128.0).to(self.stem.weight.dtype).permute(0, 3, 1, 2)
        maps = self.activation(self.stem(scaled))
        for block in self.lower:
            maps = block(maps)
        return cast(Tensor, maps)

    def features(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return pooled features (N, 1280) and means and deviations (N, 80) of the maps, float32."""
        textures = torch.cat([maps.float().mean((2, 3)), maps.float().std((2, 3))], dim=1)
        for block in self.upper:
            maps = block(maps)
        pooled = self.activation(self.head(maps)).float().mean((2, 3))
        return pooled, textures

    def blocks(self, pooled: Tensor, textures: Tensor, *, dropout: float = 0.0) -> Blocks:
        """Return what the heads say; `dropout` of the features is hidden from the kinds."""
        looks = functional.normalize(self.to_looks(torch.cat([pooled, textures], dim=1)))
        return Blocks(self.to_kinds(functional.dropout(pooled, dropout)), looks)

    def joined(self, found: Blocks, colours: Tensor) -> Tensor:
        """Return the embeddings (N, DIM) of blocks and unit colours (N, COLOURS)."""
        kinds = found.kinds.softmax(1).sqrt()
        weights = self.shares.float().sqrt()
        rows = torch.cat([weights[0] * kinds, weights[1] * found.looks, weights[2] * colours], dim=1)
        return functional.normalize(rows)


def colour_block(pictures: Tensor, colours: Tensor) -> Tensor:
    """Return how much of each colour (COLOURS, 3 in Lab) is in pictures (N, S, S, 3) uint8: unit rows."""
    weight = torch.tensor([_LIGHTNESS, 1.0, 1.0], device=pictures.device)
    cells = lab_cells(pictures) * weight
    away = torch.cdist(cells, (colours.float() * weight).expand(len(cells), -1, -1)).square()
    counted = (-away / (2 * _COLOUR_WIDTH**2)).softmax(dim=2)
    place = (torch.arange(_CELLS, device=pictures.device) + 0.5) / _CELLS - 0.5
    near = torch.exp(-place.square() / (2 * _MIDDLE**2))
    middle = (near[:, None] * near[None]).flatten()
    return functional.normalize((middle @ counted).clamp_min(1e-12).sqrt())


def lab_cells(pictures: Tensor) -> Tensor:
    """Return the mean colours of a grid of cells (N, 1024, 3) in CIELAB, D65, of (N, S, S, 3) uint8 sRGB."""
    means = functional.adaptive_avg_pool2d(pictures.permute(0, 3, 1, 2).float() / 255, _CELLS)
    signal = means.flatten(2).transpose(1, 2)
    linear = torch.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    to_xyz = torch.tensor(_XYZ_OF_RGB, device=pictures.device)
    xyz = linear @ (to_xyz / torch.tensor(_WHITE_XYZ, device=pictures.device)[:, None]).T
    root = torch.where(
        xyz > (6 / 29) ** 3, xyz.clamp_min(1e-9) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29
    )
    x, y, z = root.unbind(2)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=2)


_XYZ_OF_RGB: Final = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE_XYZ: Final = (0.95047, 1.0, 1.08883)
