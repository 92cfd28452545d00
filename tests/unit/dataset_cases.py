"""Tiny data sets in the published formats, made here: a few photos of noise, and their annotations."""

from __future__ import annotations

import csv
import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.datasets.deepfashion2 import LANDMARK_ENDS

LONG_SLEEVE_OUTWEAR, SKIRT = 4, 9


def write_photo(path: Path, width: int = 60, height: int = 80, seed: int = 0) -> Path:
    """A photo of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def item(category: int, **changes: Any) -> dict[str, Any]:
    """A DeepFashion2 item of a category, all its landmarks at x = their number among all 294."""
    first, end = LANDMARK_ENDS[category - 1], LANDMARK_ENDS[category]
    marks = [value for at in range(first, end) for value in (at, 7, 2 if at % 2 else 1)]
    return {
        "category_id": category,
        "category_name": "not looked at",
        "bounding_box": [5, 10, 45, 70],
        "segmentation": [[5, 10, 45, 10, 45.5, 70, 5, 70]],
        "landmarks": marks,
        "style": 1,
        "scale": 2,
        "viewpoint": 2,
        "zoom_in": 1,
        "occlusion": 2,
    } | changes


def write_deepfashion2(root: Path, *photos: dict[str, Any]) -> Path:
    """Photos 000001.jpg, … of the split `train`, each with these annotations."""
    (root / "train" / "annos").mkdir(parents=True)
    for number, items in enumerate(photos, 1):
        write_photo(root / "train" / "image" / f"{number:06}.jpg", seed=number)
        annotation = {"source": "shop", "pair_id": 100 + number} | items
        (root / "train" / "annos" / f"{number:06}.json").write_text(json.dumps(annotation))
    return root


IMATERIALIST_NAMES = {
    "categories": [
        {"id": 0, "name": "shirt, blouse"},
        {"id": 23, "name": "shoe"},
        {"id": 31, "name": "sleeve"},
    ],
    "attributes": [{"id": 2, "name": "denim"}, {"id": 5, "name": "floral"}],
}


def runs_of(mask: NDArray[np.bool_]) -> str:
    """Pairs of start (from 1) and length down each column, said the long way."""
    flat = [bool(mask[y, x]) for x in range(mask.shape[1]) for y in range(mask.shape[0])]
    pairs, at = [], 0
    while at < len(flat):
        if flat[at]:
            end = at
            while end < len(flat) and flat[end]:
                end += 1
            pairs.append(f"{at + 1} {end - at}")
            at = end
        at += 1
    return " ".join(pairs)


def write_imaterialist(root: Path, rows: list[dict[str, Any]]) -> Path:
    """A `train.csv` of these rows, with the names beside it."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "label_descriptions.json").write_text(json.dumps(IMATERIALIST_NAMES))
    with (root / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["ImageId", "EncodedPixels", "Height", "Width", "ClassId"])
        writer.writeheader()
        writer.writerows(rows)
    return root


def mask_row(photo: str, mask: NDArray[np.bool_], kind: str) -> dict[str, Any]:
    """One row of the CSV."""
    height, width = mask.shape
    return {
        "ImageId": photo,
        "EncodedPixels": runs_of(mask),
        "Height": height,
        "Width": width,
        "ClassId": kind,
    }


DEEPFASHION_PHOTOS = ("img/Sheer_Blouse/img_1.jpg", "img/Ripped_Jeans/img_2.jpg", "img/Maxi_Dress/img_3.jpg")


def write_deepfashion(root: Path, **changed: list[str]) -> Path:
    """Three photos, a blouse (train), jeans (val) and a dress (test); `changed` replaces a list's lines."""
    names = DEEPFASHION_PHOTOS
    lists = {
        "list_category_cloth": ["Blouse   1", "Jeans  2", "Dress    3"],
        "list_category_img": [f"{names[0]}   1", f"{names[1]} 2", f"{names[2]}   3"],
        "list_attr_cloth": ["a-line   3", "floral print  1", "acid wash 2"],
        "list_attr_img": [f"{names[0]} -1 1 -1", f"{names[1]}  -1 -1  1", f"{names[2]} 1 1 0"],
        "list_bbox": [f"{name}  10 20 50 70" for name in names],
        "list_eval_partition": [
            f"{name} {split}" for name, split in zip(names, ("train", "val", "test"), strict=True)
        ],
    } | changed
    for at, name in enumerate(names):
        write_photo(root / name, seed=at)
    for name, lines in lists.items():
        folder = root / ("Eval" if name == "list_eval_partition" else "Anno")
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.txt").write_text(
            "\n".join([str(len(lines)), "first_column second_column", *lines]) + "\n"
        )
    return root


def write_fashion_mnist(root: Path, labels: list[int], *, zipped: bool = True, split: str = "train") -> Path:
    """Pictures that are each as bright as their number times ten."""
    root.mkdir(parents=True, exist_ok=True)
    pixels = np.repeat(np.arange(len(labels), dtype=np.uint8) * 10, 28 * 28).tobytes()
    images = struct.pack(">4B3I", 0, 0, 8, 3, len(labels), 28, 28) + pixels
    classes = struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + bytes(labels)
    for name, data in ((f"{split}-images-idx3-ubyte", images), (f"{split}-labels-idx1-ubyte", classes)):
        if zipped:
            (root / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (root / name).write_bytes(data)
    return root
