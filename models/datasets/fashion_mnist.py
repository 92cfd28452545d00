"""FashionMNIST and all else in the IDX format: 28 x 28 grey pictures with one of ten classes.

In: a folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the `t10k-` pair, with or without
`.gz`. Out: pictures and labels as arrays. A file that is not IDX, is cut short or does not fit the other is a
DatasetError that names it; a label that is no class is left out and told to `Skipped`.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.datasets.records import DatasetError, Skipped

CLASSES: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_PREFIXES: Final = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTES: Final = 8
_MAX_BYTES: Final = 1 << 30


@dataclass(frozen=True, eq=False)
class Pictures:
    """Grey pictures (N, H, W) uint8 and the number of each one's class (N,)."""

    pixels: NDArray[np.uint8]
    classes: NDArray[np.uint8]

    def names(self) -> list[str]:
        """The name of each one's class."""
        return [CLASSES[number] for number in self.classes]


def read_fashion_mnist(root: Path, split: str | None, skipped: Skipped) -> Pictures:
    """The pictures of `train` or `test`; `split` None means train."""
    split = split or "train"
    if split not in _PREFIXES:
        raise DatasetError(f"split is {split!r}, expected one of {', '.join(_PREFIXES)}")
    images = _find(root, f"{_PREFIXES[split]}-images-idx3-ubyte")
    labels = _find(root, f"{_PREFIXES[split]}-labels-idx1-ubyte")
    pixels, classes = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(classes):
        raise DatasetError(
            f"{labels}: {len(classes)} labels, expected one for each of {len(pixels)} pictures"
        )
    known = classes < len(CLASSES)
    for at in np.flatnonzero(~known):
        skipped.add(labels, f"label {at}", f"is {classes[at]}, expected 0 to {len(CLASSES) - 1}")
    return Pictures(pixels[known], classes[known])


def read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file. Raises DatasetError."""
    data = _bytes(file)
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise DatasetError(f"{file}: {len(data)} bytes, expected at least {header}")
    zeros, kind, count = struct.unpack(">HBB", data[:4])
    if (zeros, kind, count) != (0, _UNSIGNED_BYTES, dimensions):
        raise DatasetError(f"{file}: begins with {data[:4].hex()}, expected 000008{dimensions:02x}")
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    size = 1
    for side in shape:
        size *= side
    if len(data) - header != size:
        raise DatasetError(f"{file}: {len(data) - header} bytes of data, expected {size} for {shape}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _find(root: Path, name: str) -> Path:
    for path in (root / name, root / f"{name}.gz"):
        if path.is_file():
            return path
    raise DatasetError(f"{root}: no {name}, expected it there, plain or as .gz")


def _bytes(file: Path) -> bytes:
    try:
        if file.suffix != ".gz":
            return file.read_bytes()
        with gzip.open(file) as opened:
            data = opened.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{file}: {error}") from None
    if len(data) > _MAX_BYTES:
        raise DatasetError(f"{file}: unpacks to more than {_MAX_BYTES} bytes")
    return data
