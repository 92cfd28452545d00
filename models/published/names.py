"""Names of published visions: which models they mean, and what those are called in events. No torch.

In: `DETECTOR[:FILE]+EMBEDDER[:FILE]`, such as `faster-rcnn:garments.safetensors+resnet50`. A FILE is weights
that `models.published.train_*` or torch wrote; `FILE#SHA256` pins it. Out: the two models, their names with
versions, the embedding's length. The version of a file is the beginning of its SHA-256, so two files never
share a name. Raises ValueError for a name that means nothing, WeightsError for a file that is not there or
not the pinned one.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from models.datasets.deepfashion2 import CATEGORIES
from models.weights import Checkpoint, WeightsError

DETECTORS: Final = ("faster-rcnn", "mask-rcnn", "tops-and-bottoms", "whole-photo")
"""`tops-and-bottoms` is Faster R-CNN with the published service's two crops."""
EMBEDDERS: Final = {"resnet50": 2048, "densenet121": 1024}
_OWN_VERSIONS: Final = {
    "resnet50": "resnet50-imagenet1k-v2",
    "densenet121": "densenet121-imagenet1k-v1",
    "whole-photo": "whole-photo-1",
}
_VERSION_DIGITS: Final = 12
_MAX_HEADER_BYTES: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Model:
    """One model: what it is, and the file of its weights; None means torchvision's own."""

    kind: str
    file: Path | None = None
    sha256: str | None = None

    def checkpoint(self) -> Checkpoint:
        """The file as it is now. Raises WeightsError when it is not there or not the pinned one."""
        assert self.file is not None
        found = _sha256_of(self.kind, self.file)
        if self.sha256 is not None and not found.startswith(self.sha256):
            raise WeightsError(f"{self.kind}: SHA-256 of {self.file} is {found}, expected {self.sha256}")
        return Checkpoint(self.kind, self.file, found)

    @property
    def version(self) -> str:
        """Kind and version, as events name it."""
        if self.file is None:
            return _OWN_VERSIONS[self.kind]
        return f"{self.kind}-{self.checkpoint().sha256[:_VERSION_DIGITS]}"


@dataclass(frozen=True, slots=True)
class PublishedNames:
    """The two models that a name means."""

    detector: Model
    embedder: Model

    @property
    def dim(self) -> int:
        """Length of an embedding: the network's own, or that of the triplet head in the embedder's file."""
        own = EMBEDDERS[self.embedder.kind]
        if self.embedder.file is None:
            return own
        about = read_about(self.embedder.checkpoint().path)
        return int(about.get("dim", own))


def parse(name: str) -> PublishedNames | None:
    """The models that `name` means; None where it is not of this form."""
    embedders = "|".join(EMBEDDERS)
    match = re.fullmatch(rf"({'|'.join(DETECTORS)})(?::(.+))?\+({embedders})(?::(.+))?", name)
    if match is None:
        return None
    detector, embedder = _model(match[1], match[2]), _model(match[3], match[4])
    if detector.kind == "whole-photo" and detector.file is not None:
        raise ValueError("vision: whole-photo has no weights, expected whole-photo without a file")
    if detector.kind != "whole-photo" and detector.file is None:
        raise ValueError(
            f"vision: {detector.kind} has no weights for clothes of its own, expected {detector.kind}:FILE "
            f"with weights fine-tuned on {len(CATEGORIES)} classes of garments"
        )
    return PublishedNames(detector, embedder)


def _model(kind: str, file: str | None) -> Model:
    if file is None:
        return Model(kind)
    path, _, pin = file.rpartition("#") if "#" in file else (file, "", "")
    if "#" in file and not re.fullmatch(r"[0-9a-f]{8,64}", pin):
        raise ValueError(f"vision: {kind}: got {pin!r} after #, expected 8 to 64 digits of a SHA-256")
    return Model(kind, Path(path).expanduser(), pin or None)


def _sha256_of(kind: str, file: Path) -> str:
    try:
        status = file.stat()
        return _hashed(file, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise WeightsError(f"{kind}: cannot read {file}: {error.strerror}") from None


@lru_cache(maxsize=16)
def _hashed(file: Path, mtime_ns: int, size: int) -> str:
    """Hashing 200 MB takes a third of a second; a file that has not changed is hashed once."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_about(file: Path) -> dict[str, Any]:
    """What a safetensors file says of itself under `about`; nothing for another's or a .pth file.

    Raises WeightsError where it is damaged.
    """
    if file.suffix != ".safetensors":
        return {}
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > _MAX_HEADER_BYTES:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(opened.read(length))
        about = json.loads(header.get("__metadata__", {}).get("about", "{}"))
    except (OSError, ValueError, struct.error, AttributeError) as error:
        raise WeightsError(f"{file}: {error}, expected safetensors") from None
    return about if isinstance(about, dict) else {}
