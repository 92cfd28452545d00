"""EfficientNet-Lite0 as an embedder: square pictures in, unit embeddings out.

In: (N, 224, 224, 3) uint8 RGB. Out: pooled ImageNet features (N, 1280), or their centred projection to
(N, 256), which takes a fifth of the room and finds more of the same kind (docs/models/lite0-pca256.md).
Batch norm is folded into the convolutions: same numbers, a third less time. Importing this imports torch.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from models.weights import lite0_imagenet, lite0_projection

SIDE_PX = 224
FEATURES = 1280


class Lite0(nn.Module):
    """The convolutional part of EfficientNet-Lite0 with its mean pooling, for inference only."""

    def __init__(self) -> None:
        """Load the ImageNet weights. Raises WeightsError when they are not the pinned ones."""
        super().__init__()
        net = EfficientNet.from_name("efficientnet-lite0")
        net.load_state_dict(lite0_imagenet().tensors())
        del net._fc  # the ImageNet classes
        _fold_batch_norms(net)
        self.net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return pooled features (N, 1280) float32 of pictures (N, 224, 224, 3) uint8."""
        dtype = self.net._conv_stem.weight.dtype
        # A view of NHWC as NCHW is what channels_last means: no copy.
        scaled = ((pictures.float() - 127.0) / 128.0).to(dtype).permute(0, 3, 1, 2)
        maps = self.net.extract_features(scaled)
        return cast(Tensor, maps.float().mean(dim=(2, 3)))


class Lite0Embedder:
    """Pictures -> unit embeddings (N, 256): pooled features, unit, centred, projected, unit again."""

    name = "lite0-pca256-1"
    side_px = SIDE_PX

    def __init__(self) -> None:
        """Load the network and the projection. Raises WeightsError when a file is not the pinned one."""
        self._net = Lite0()
        if fast_bf16():
            self._net.to(torch.bfloat16)
        projection = lite0_projection().tensors()
        self._mean = projection["mean"].float()  # (1280,)
        self._components = projection["components"].float()  # (256, 1280)
        self.dim = int(self._components.shape[0])

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit embeddings (N, 256) float32 of pictures (N, 224, 224, 3) uint8 RGB."""
        with torch.inference_mode():  # here, because it holds only for the thread that enters it
            features = _unit(self._net(torch.from_numpy(pictures)))
            embeddings = _unit((features - self._mean) @ self._components.T)
        return np.asarray(embeddings.numpy(), dtype=np.float32)


def fast_bf16() -> bool:
    """Return whether this CPU computes in bfloat16 natively: twice as quick and as good (model card)."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def _unit(rows: Tensor) -> Tensor:
    """Return rows of length 1; a row of zeros, which has no direction, becomes the first axis."""
    norms = rows.norm(dim=1, keepdim=True)
    first_axis = torch.zeros_like(rows)
    first_axis[:, 0] = 1.0
    return torch.where(norms > 1e-12, rows / norms.clamp_min(1e-12), first_axis)


def _fold_batch_norms(net: nn.Module) -> None:
    """Fold each batch norm into the convolution before it, in place, and drop padding done as a layer."""
    _fold(net, "_conv_stem", "_bn0")
    _fold(net, "_conv_head", "_bn1")
    for block in cast(nn.ModuleList, net._blocks):
        if hasattr(block, "_expand_conv"):
            _fold(block, "_expand_conv", "_bn0")
        _fold(block, "_depthwise_conv", "_bn1")
        _fold(block, "_project_conv", "_bn2")


def _fold(parent: nn.Module, conv_name: str, norm_name: str) -> None:
    conv, norm = getattr(parent, conv_name), getattr(parent, norm_name)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    setattr(parent, norm_name, nn.Identity())
    padding = getattr(conv.static_padding, "padding", None)
    if padding is not None and len(set(padding)) == 1:  # the convolution pads evenly without copying
        conv.padding = (padding[0], padding[0])
        conv.static_padding = nn.Identity()
