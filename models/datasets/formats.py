"""All data sets by the name of their format.

In: a format's name, a folder or file, a split. Out: labelled photos one by one, and the categories of the
data set. FashionMNIST has pictures instead of photos: `models.datasets.fashion_mnist`. Raises ValueError for
an unknown name or split, DatasetError when the data set is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.datasets import class_folders, coco, deepfashion, deepfashion2, imaterialist
from models.datasets.coco_writer import Category
from models.datasets.records import LabelledPhoto, Skipped

Reader = Callable[[Path, str | None, Skipped], Iterator[LabelledPhoto]]


@dataclass(frozen=True, slots=True)
class Format:
    """How a data set is read, and the splits that it may have (empty: any folder's name)."""

    read: Reader
    splits: tuple[str, ...]


def _read_coco(root: Path, split: str | None, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """`root` is the JSON file; its photos lie beside it, or in the sub-folder that `split` names."""
    return coco.read_coco(root, root.parent / (split or ""), skipped)


FORMATS: Final[dict[str, Format]] = {
    "deepfashion": Format(deepfashion.read_deepfashion, deepfashion.SPLITS),
    "deepfashion2": Format(deepfashion2.read_deepfashion2, deepfashion2.SPLITS),
    "imaterialist": Format(imaterialist.read_imaterialist, ("train",)),
    "class-folders": Format(class_folders.read_class_folders, ()),
    "coco": Format(_read_coco, ()),
}


def read(name: str, root: Path, split: str | None, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The labelled photos of a data set."""
    if name not in FORMATS:
        raise ValueError(f"format: got {name!r}, expected one of {', '.join(FORMATS)}")
    splits = FORMATS[name].splits
    if split is not None and splits and split not in splits:
        raise ValueError(f"split: got {split!r}, expected one of {', '.join(splits)}")
    return FORMATS[name].read(root, split, skipped)


def categories(name: str, root: Path) -> list[Category] | None:
    """The categories of a data set with their numbers; None where only reading it tells them."""
    if name == "deepfashion2":
        ends = deepfashion2.LANDMARK_ENDS
        return [
            Category(number, category, ends[number - 1], ends[number])
            for number, category in enumerate(deepfashion2.CATEGORIES, 1)
        ]
    if name == "imaterialist":
        named, _ = imaterialist.names(root / "label_descriptions.json")
        return [Category(number, category) for number, category in sorted(named.items())]
    if name == "deepfashion":
        return [Category(n, text) for n, text in enumerate(deepfashion.category_names(root, Skipped()), 1)]
    return None
