"""Clothing Co-Parsing: street photos with a mask of labels each (Yang, Luo, Lin, CVPR 2014).

In: a folder of photos NNNN.jpg, one of masks NNNN.png (8-bit, pixel value = place in the list of labels), and
the list as JSON. Out: labelled photos by name, one garment per label and photo: its box is round the
connected pieces that have at least a twentieth of the largest one's pixels, and labels under 0.03 % of the
photo are left out. Masks that are missing or malformed are told to `Skipped`; DatasetError when the folders
or the list cannot be read. Needs scipy (extra `train`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.datasets.records import (
    Box,
    DatasetError,
    LabelledGarment,
    LabelledPhoto,
    MalformedEntryError,
    Skipped,
)
from models.detection.kinds import KIND_OF_CATEGORY, PART_OF_KIND

LEAST_SHARE: Final = 0.0003
LEAST_PIECE: Final = 0.05


def read_ccp(photos: Path, masks: Path, labels: Path, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The photos with their garments, sorted by name; labels that are no garment of ours are left out."""
    names = read_labels(labels)
    for folder in (photos, masks):
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder")
    paths = sorted(photos.glob("*.jpg"))
    if not paths:
        raise DatasetError(f"{photos}: got no photos, expected NNNN.jpg")
    for path in paths:
        file = masks / f"{path.stem}.png"
        with skipped.entry(file, "mask"):
            mask = read_mask(file, len(names))
            height, width = mask.shape
            yield LabelledPhoto(path.stem, path, tuple(_garments(mask, names)), width, height)


def read_labels(file: Path) -> list[str]:
    """The names of a mask's values, by value. Raises DatasetError for anything but a JSON list of names."""
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file}: {error}") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not names:
        raise DatasetError(f"{file}: got {str(names)[:80]}, expected a JSON list of label names")
    return names


def read_mask(file: Path, labels: int) -> NDArray[np.uint8]:
    """The label of each pixel, (H, W). Raises MalformedEntryError for another picture than a mask."""
    try:
        with Image.open(file, formats=("PNG",)) as image:
            if image.mode not in ("L", "P"):
                raise MalformedEntryError(f"mode is {image.mode}, expected 8 bits a pixel")
            mask = np.array(image, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise MalformedEntryError(str(error)) from None
    if int(mask.max()) >= labels:
        raise MalformedEntryError(f"value {mask.max()}, expected less than {labels}, the number of labels")
    return mask


def _garments(mask: NDArray[np.uint8], names: list[str]) -> Iterator[LabelledGarment]:
    for value in np.unique(mask):
        name = names[value]
        if name not in KIND_OF_CATEGORY:
            continue
        of_label = mask == value
        if of_label.mean() >= LEAST_SHARE:
            part = PART_OF_KIND[KIND_OF_CATEGORY[name]]
            yield LabelledGarment(name, int(value), part, box_of_pieces(of_label))


def box_of_pieces(mask: NDArray[np.bool_]) -> Box:
    """The box round a mask's pieces that are not much smaller than its largest; the mask is not empty."""
    from scipy import ndimage

    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())[1:]
    large = np.isin(pieces, 1 + np.flatnonzero(sizes >= LEAST_PIECE * sizes.max()))
    ys, xs = np.nonzero(large)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)
