"""Weights of the published models: files that were fine-tuned, and torchvision's own, only when named.

In: a model's file, or a weights enum of torchvision. Out: tensors by name. A file is hashed before it is
parsed; torchvision's are fetched once into torch's cache, checked against the SHA-256 in their names, and
read without pickled code. Raises WeightsError where weights cannot be had or do not fit the network.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from models.weights import Checkpoint, WeightsError


def torchvision_weights(weights: WeightsEnum) -> dict[str, Tensor]:
    """torchvision's own weights. Raises WeightsError where they can be had neither from cache nor network."""
    name = Path(urlparse(weights.url).path).name
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    pin = re.search(r"-([0-9a-f]{8,64})\.pth$", name)
    if pin is None:
        raise WeightsError(f"{weights}: {name} does not say its SHA-256")
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(weights.url, str(file), pin[1], progress=False)
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"{weights}: cannot be fetched: {error}; expected {file}") from None
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if not found.startswith(pin[1]):
        raise WeightsError(f"{weights}: SHA-256 of {file} is {found}, expected {pin[1]}…")
    return tensors_of(Checkpoint(str(weights), file, found))


def tensors_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """A file's tensors. Raises WeightsError for a file that is neither safetensors nor plain tensors."""
    try:
        return checkpoint.tensors()
    except (RuntimeError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        if isinstance(error, WeightsError):
            raise
        reason = str(error).splitlines()[0][:200]
        raise WeightsError(f"{checkpoint.name}: {checkpoint.path}: {reason}, expected tensors only") from None


def fill(net: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Load tensors into a network. Raises WeightsError naming what is missing or of another shape."""
    try:
        net.load_state_dict(dict(tensors))
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:4]]
        raise WeightsError(f"{name}: {' '.join(lines)[:400]}") from None


def save(net: nn.Module, about: Mapping[str, Any], out: Path) -> str:
    """Write a network's weights as safetensors, `about` in their header; returns the file's SHA-256."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    data = safetensors.torch.save(tensors, metadata={"about": json.dumps(dict(about), sort_keys=True)})
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def device() -> torch.device:
    """The GPU when there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
