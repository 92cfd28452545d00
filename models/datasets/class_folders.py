"""Class folders: photos in sub-folders named by their class.

In: a folder `<class>/photo.jpg` (or, with a split, `<split>/<class>/photo.jpg`). Out: labelled photos with
one garment each, without a box, sorted by path. Files that are no photos are left out and told to `Skipped`;
DatasetError when there are no class folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from models.datasets.parts import part_of
from models.datasets.records import DatasetError, LabelledGarment, LabelledPhoto, Skipped

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def read_class_folders(root: Path, split: str | None, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The photos; a class's number is its place among the folder names in alphabetical order."""
    folder = root / split if split else root
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes:
        raise DatasetError(f"{folder}: got no sub-folders, expected one a class")
    for number, of_class in enumerate(classes):
        garment = LabelledGarment(of_class.name, number, part_of(of_class.name))
        for path in sorted(of_class.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                yield LabelledPhoto(str(path.relative_to(folder)), path, (garment,), split=split)
            elif path.is_file() and not path.name.startswith("."):
                skipped.add(path, "file", f"ends in {path.suffix!r}, expected {', '.join(sorted(SUFFIXES))}")
