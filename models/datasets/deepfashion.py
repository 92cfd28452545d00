"""DeepFashion, category and attribute prediction: lists of photos with category, attributes and a box.

In: the data set's folder with list_category_cloth.txt, list_category_img.txt, list_attr_cloth.txt,
list_attr_img.txt, list_bbox.txt (in it, `Anno` or `Anno_coarse`) and list_eval_partition.txt (`Eval`). Each
list begins with a count and a line of column names. Out: labelled photos with one garment each, in the order
of list_category_img.txt. Lines that are not as the format says are left out and told to `Skipped`;
DatasetError when a list is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.datasets.parts import part_of
from models.datasets.records import (
    Box,
    DatasetError,
    LabelledGarment,
    LabelledPhoto,
    MalformedEntryError,
    Skipped,
    box_of,
    integer,
)

_FOLDERS: Final = ("", "Anno", "Anno_coarse", "Eval")
SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class _Lists:
    """What is known of each photo by its name in the lists."""

    categories: list[str]
    attributes: list[str]
    boxes: dict[str, Box]
    splits: dict[str, str]
    true_of: dict[str, tuple[int, ...]]


def read_deepfashion(root: Path, split: str | None, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The photos of a split (train, val, test), or all with `split` None."""
    lists = _read_lists(root, skipped)
    file = find(root, "list_category_img.txt")
    for line, (name, number) in _pairs(file, skipped):
        of = lists.splits.get(name)
        if split is not None and of is not None and of != split:
            continue
        with skipped.entry(file, f"line {line} ({name})"):
            yield _photo(root, name, number, lists, of)


def category_names(root: Path, skipped: Skipped) -> list[str]:
    """The names of list_category_cloth.txt; a category's number in the other lists counts from 1.

    The published list has 50, of which 46 have photos.
    """
    file = find(root, "list_category_cloth.txt")
    return [name for _, (name, _) in _pairs(file, skipped)]


def find(root: Path, name: str) -> Path:
    """Where a list is. Raises DatasetError when it is in none of the known folders."""
    for folder in _FOLDERS:
        if (path := root / folder / name).is_file():
            return path
    raise DatasetError(f"{root}: no {name}, expected it there or in {', '.join(_FOLDERS[1:])}")


def _read_lists(root: Path, skipped: Skipped) -> _Lists:
    attributes = [name for _, (name, _) in _pairs(find(root, "list_attr_cloth.txt"), skipped)]
    return _Lists(
        category_names(root, skipped),
        attributes,
        _boxes(find(root, "list_bbox.txt"), skipped),
        _splits(find(root, "list_eval_partition.txt"), skipped),
        _true_of(find(root, "list_attr_img.txt"), len(attributes), skipped),
    )


def _photo(root: Path, name: str, number: str, lists: _Lists, split: str | None) -> LabelledPhoto:
    category_id = integer(number, "category", 1, len(lists.categories))
    if split is None:
        raise MalformedEntryError("no line in list_eval_partition.txt")
    if name not in lists.boxes:
        raise MalformedEntryError("no line in list_bbox.txt")
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise MalformedEntryError("photo outside the data set's folder")
    category = lists.categories[category_id - 1]
    garment = LabelledGarment(
        category=category,
        category_id=category_id,
        part=part_of(category),
        box_xyxy=lists.boxes[name],
        attributes=tuple(lists.attributes[at] for at in lists.true_of.get(name, ())),
    )
    return LabelledPhoto(name, path, (garment,), split=split)


def _lines(file: Path, skipped: Skipped) -> Iterator[tuple[int, str]]:
    """The lines after count and column names, with their numbers; a wrong count is told at the end."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            first, _ = opened.readline().strip(), opened.readline()
            if not first.isdigit():
                raise DatasetError(f"{file}: line 1 is {first[:60]!r}, expected how many lines follow")
            count = 0
            for number, line in enumerate(opened, 3):
                if line.strip():
                    count += 1
                    yield number, line
    except OSError as error:
        raise DatasetError(f"{file}: {error.strerror}") from None
    if count != int(first):
        skipped.add(file, "line 1", f"says {first} lines, there are {count}")


def _pairs(file: Path, skipped: Skipped) -> Iterator[tuple[int, tuple[str, str]]]:
    """Lines of a name, which may have spaces in it, and one word."""
    for number, line in _lines(file, skipped):
        words = line.rsplit(maxsplit=1)
        if len(words) == 2:
            yield number, (words[0].strip(), words[1])
        else:
            skipped.add(file, f"line {number}", f"is {line.strip()[:80]!r}, expected a name and a value")


def _boxes(file: Path, skipped: Skipped) -> dict[str, Box]:
    boxes = {}
    for number, line in _lines(file, skipped):
        name, *words = line.split()
        with skipped.entry(file, f"line {number} ({name})"):
            boxes[name] = box_of(words)
    return boxes


def _splits(file: Path, skipped: Skipped) -> dict[str, str]:
    splits = {}
    for number, (name, split) in _pairs(file, skipped):
        with skipped.entry(file, f"line {number} ({name})"):
            if split not in SPLITS:
                raise MalformedEntryError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
            splits[name] = split
    return splits


def _true_of(file: Path, count: int, skipped: Skipped) -> dict[str, tuple[int, ...]]:
    """The numbers, from 0, of the attributes that are 1 (not -1 or 0) for each photo."""
    true_of = {}
    for number, line in _lines(file, skipped):
        name, *words = line.split()
        with skipped.entry(file, f"line {number} ({name})"):
            if len(words) != count or not {"-1", "0", "1"}.issuperset(words):
                raise MalformedEntryError(f"{len(words)} values, expected {count} of -1, 0 and 1")
            true_of[name] = tuple(at for at, word in enumerate(words) if word == "1")
    return true_of
