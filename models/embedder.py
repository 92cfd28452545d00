"""The embedder of garments as it is used: pictures in, unit embeddings out.

In: (N, 224, 224, 3) uint8 RGB. Out: (N, 256) float32, made of the blocks that `models.embedder_net`
describes. Fails with WeightsError when a checkpoint is missing or not the pinned one. Importing this imports
torch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.embedder_net import DIM, EmbedderNet
from models.lite0 import SIDE_PX, fast_bf16
from models.weights import garment_embedder


class GarmentEmbedder:
    """Kind, look and colour of a garment in one embedding (docs/models/lite0-looks.md)."""

    name = "lite0-looks-1"
    side_px = SIDE_PX
    dim = DIM

    def __init__(self, tensors: Mapping[str, Tensor] | None = None) -> None:
        """Load the shipped checkpoint, or take these `tensors` of a training. Raises WeightsError."""
        net = EmbedderNet()
        state = garment_embedder().tensors() if tensors is None else tensors
        net.load_state_dict({name: value.float() for name, value in state.items()})
        net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        if fast_bf16():  # the convolutions only: heads and colours are small and want their digits
            for part in (net.stem, net.lower, net.upper, net.head):
                part.to(torch.bfloat16)
        self._net = net

    @property
    def shares(self) -> tuple[float, ...]:
        """What kind, look and colour have of a similarity; together 1."""
        shares: list[float] = self._net.shares.tolist()
        return tuple(shares)

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit embeddings (N, dim) float32 of pictures (N, 224, 224, 3) uint8 RGB."""
        with torch.inference_mode():  # here, because it holds only for the thread that enters it
            return np.asarray(self._net(torch.from_numpy(pictures)).numpy(), dtype=np.float32)
