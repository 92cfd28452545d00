"""The light pose gate's network: a photo in, how surely its person is seen whole and from the front.

In: photos as (N, 192, 128, 3) uint8 RGB (`pose_picture`). Out: probabilities (N, 3) that the head is in the
photo, that the feet are, and that the face looks this way; 2 ms a photo. Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

HEIGHT_PX: Final = 192
WIDTH_PX: Final = 128
OUTPUTS: Final = ("head", "feet", "face")
_CHANNELS: Final = (16, 32, 48, 64, 96)
_GREY: Final = (127, 127, 127)


class PoseNet(nn.Module):
    """Five convolutions, each halving; the rows of the last map stay apart: a head is above, feet below."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels in _CHANNELS:
            layers += [
                nn.Conv2d(before, channels, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            ]
            before = channels
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(2 * before * (HEIGHT_PX // 32), len(OUTPUTS))
        self.drop = nn.Dropout(0.2)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits (N, 3) of pictures (N, 192, 128, 3) uint8."""
        scaled = ((pictures.float() - 127.0) / 64.0).permute(0, 3, 1, 2)
        maps = self.trunk(scaled)  # (N, C, 6, 4)
        rows = torch.cat([maps.amax(dim=3), maps.mean(dim=3)], dim=1)  # (N, 2C, 6)
        return cast(Tensor, self.head(self.drop(rows.flatten(1))))


class SeesWithNet:
    """The network ready to look at photos one by one."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """`tensors` as `models.training.fit_pose` writes them; counters of batch norms are not among them."""
        self._net = PoseNet().eval().requires_grad_(False)
        self._net.load_state_dict(self._net.state_dict() | dict(tensors))

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[float, float, float]:
        """How surely head, feet and a face that looks here are in a photo (H, W, 3): 0 to 1 each."""
        with torch.inference_mode():
            picture = torch.from_numpy(pose_picture(pixels).copy())[None]
            head, feet, face = torch.sigmoid(self._net(picture))[0].tolist()
        return head, feet, face


def pose_picture(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (192, 128, 3) uint8: the whole photo (H, W, 3), undistorted, on grey where it is not 3:2."""
    height, width = pixels.shape[:2]
    scale = min(HEIGHT_PX / height, WIDTH_PX / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), _GREY)
    picture.paste(scaled, ((WIDTH_PX - size[0]) // 2, (HEIGHT_PX - size[1]) // 2))
    return np.asarray(picture)
