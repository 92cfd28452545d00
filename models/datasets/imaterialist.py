"""iMaterialist (Fashion) 2019: a CSV of masks as runs of pixels, with a category and its attributes.

In: a folder with `train.csv` (ImageId, EncodedPixels, Height, Width, ClassId), `label_descriptions.json` and
the photos in `train/`. Runs are pairs of a start from 1 and a length, down each column in turn; a ClassId is
a category's number, or `category_attribute_attribute`. Out: labelled photos. Rows that are not as the format
says are left out and told to `Skipped`; DatasetError when a file or a column is missing.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from models.datasets import masks
from models.datasets.parts import part_of
from models.datasets.records import (
    DatasetError,
    LabelledGarment,
    LabelledPhoto,
    MalformedEntryError,
    Skipped,
    integer,
)

COLUMNS: Final = ("ImageId", "EncodedPixels", "Height", "Width", "ClassId")
_MAX_SIDE_PX: Final = 65_535
Row = tuple[int, Mapping[str, str]]
"""Line in the file and its fields by column."""


def read_imaterialist(root: Path, split: str | None, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The photos of `<split>.csv` in its order; `split` None means train."""
    split = split or "train"
    file = root / f"{split}.csv"
    categories, attributes = names(root / "label_descriptions.json")
    done: set[str] = set()
    for photo_id, group in groupby(_rows(file), key=lambda row: row[1]["ImageId"] or ""):
        rows = list(group)
        if photo_id in done or not photo_id:
            for line, _ in rows:
                skipped.add(file, f"line {line}", f"photo {photo_id!r}, expected its rows in one place")
            continue
        done.add(photo_id)
        garments = []
        for line, row in rows:
            with skipped.entry(file, f"line {line}"):
                garments.append(_garment(row, categories, attributes))
        with skipped.entry(file, f"lines {rows[0][0]} to {rows[-1][0]}"):
            yield _photo(root / split, photo_id, garments, split)


def names(file: Path) -> tuple[dict[int, str], dict[int, str]]:
    """The names of categories and of attributes by number. Raises DatasetError."""
    try:
        data = json.loads(file.read_bytes())
        return tuple(
            {int(row["id"]): str(row["name"]) for row in data[key]} for key in ("categories", "attributes")
        )  # type: ignore[return-value]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{file}: {error!r}, expected categories and attributes with id and name"
        ) from None


def _rows(file: Path) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)  # the mask of one garment is one field
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            reader = csv.DictReader(opened)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(f"{file}: no column {', '.join(missing)}, expected {', '.join(COLUMNS)}")
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file}: {error}") from None


def _photo(folder: Path, photo_id: str, garments: list[LabelledGarment], split: str) -> LabelledPhoto:
    if Path(photo_id).name != photo_id:
        raise MalformedEntryError(f"ImageId is {photo_id!r}, expected a file name")
    if not garments:
        raise MalformedEntryError(f"photo {photo_id!r} has no row that can be read")
    sizes = {
        (mask.width, mask.height) for garment in garments if isinstance(mask := garment.mask, masks.Runs)
    }
    if len(sizes) != 1:
        raise MalformedEntryError(f"photo {photo_id!r} has several sizes {sorted(sizes)}, expected one")
    ((width, height),) = sizes
    name = photo_id if Path(photo_id).suffix else f"{photo_id}.jpg"
    return LabelledPhoto(photo_id, folder / name, tuple(garments), width, height, split)


def _garment(
    row: Mapping[str, str], categories: dict[int, str], attributes: dict[int, str]
) -> LabelledGarment:
    fields = {column: row.get(column) or "" for column in COLUMNS}
    height = integer(fields["Height"], "Height", 1, _MAX_SIDE_PX)
    width = integer(fields["Width"], "Width", 1, _MAX_SIDE_PX)
    number, *of_it = (integer(text, "ClassId", 0, 100_000) for text in fields["ClassId"].split("_"))
    unknown = [str(n) for n in of_it if n not in attributes]
    if number not in categories or unknown:
        raise MalformedEntryError(
            f"ClassId is {fields['ClassId']!r}, expected numbers that label_descriptions.json names"
        )
    try:
        runs = masks.from_start_lengths(
            [int(text) for text in fields["EncodedPixels"].split()], height, width
        )
    except ValueError as error:
        raise MalformedEntryError(str(error)) from None
    if runs.area_px == 0:
        raise MalformedEntryError("EncodedPixels is empty, expected a mask")
    return LabelledGarment(
        category=categories[number],
        category_id=number,
        part=part_of(categories[number]),
        box_xyxy=runs.box_xyxy(),
        mask=runs,
        attributes=tuple(attributes[n] for n in of_it),
    )
