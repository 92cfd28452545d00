"""A contact sheet: what was asked for, and the nearest that was found.

In: `Measured`. Out: a Pillow image: a row per query, the query first and then its neighbours, framed green
where they are of the query's class (part, garment) and red where not. Nothing is chosen by how well it went:
queries are spread evenly over each class. Raises ValueError for a photo that can no longer be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.datasets.parts import part_of
from models.embedder_pictures import Box, garment_picture
from models.evaluation import embedder_scores as scores
from models.evaluation.embedder import Measured, Shop, Street, read_pixels
from models.vision import square_picture

SIDE_PX: Final = 96
NEIGHBOURS: Final = 8
_GAP, _TITLE_PX = 6, 18
_GREEN, _RED, _GREY = (30, 150, 60), (210, 40, 40), (120, 120, 120)


@dataclass(frozen=True, slots=True)
class Cell:
    """A picture to draw: photo, box (None: the whole), whether it is flipped, and its frame."""

    path: Path
    box: Box | None
    flipped: bool
    frame: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A query with its neighbours."""

    title: str
    cells: list[Cell]


def contact_sheet(measured: Measured, *, rows_a_class: int = 2) -> Image.Image:
    """Draw queries of the shop, and halves and garments of the street where it was measured."""
    rows = list(_same_class(measured.gallery, measured.queries, rows_a_class))
    if measured.street is not None:
        rows += list(_halves(measured.street, 5 * rows_a_class))
        rows += list(_street_to_shop(measured.street, measured.gallery, rows_a_class))
    step = SIDE_PX + _GAP
    picture = Image.new("RGB", ((NEIGHBOURS + 1) * step + 3 * _GAP, len(rows) * (step + _TITLE_PX)), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for number, row in enumerate(rows):
        top = number * (step + _TITLE_PX)
        draw.text((_GAP, top + 3), row.title, (40, 40, 40), font)
        for place, cell in enumerate(row.cells):
            left = _GAP + place * step + (2 * _GAP if place else 0)
            draw.rectangle(
                (left - 2, top + _TITLE_PX - 2, left + SIDE_PX + 1, top + _TITLE_PX + SIDE_PX + 1), cell.frame
            )
            picture.paste(_drawn(cell), (left, top + _TITLE_PX))
    return picture


def _same_class(gallery: Shop, queries: Shop, each: int) -> Iterator[Row]:
    ranks = scores.nearest(queries.embeddings, gallery.embeddings)
    for label in np.unique(queries.labels):
        for query in _spread(np.flatnonzero(queries.labels == label), each):
            found = [
                Cell(gallery.paths[n], None, False, _GREEN if gallery.labels[n] == label else _RED)
                for n in ranks[query, :NEIGHBOURS]
            ]
            yield Row(
                f"{label}: nearest in the gallery", [Cell(queries.paths[query], None, False, _GREY), *found]
            )


def _halves(street: Street, count: int) -> Iterator[Row]:
    ranks = scores.nearest(street.left, street.right)
    for query in _spread(np.arange(len(street.worn)), count):
        worn = street.worn[query]
        found = [
            Cell(street.worn[n].path, _right(street.worn[n].box), True, _GREEN if n == query else _RED)
            for n in ranks[query, :NEIGHBOURS]
        ]
        yield Row(
            f"left half of {worn.category}: nearest right halves",
            [Cell(worn.path, _left(worn.box), False, _GREY), *found],
        )


def _street_to_shop(street: Street, gallery: Shop, each: int) -> Iterator[Row]:
    ranks = scores.nearest(street.whole, gallery.embeddings)
    parts = np.array([part_of(label) or "" for label in gallery.labels])
    worn_parts = np.array([worn.part for worn in street.worn])
    for part in np.unique(worn_parts):
        if part not in parts:
            continue
        for query in _spread(np.flatnonzero(worn_parts == part), 2 * each):
            worn = street.worn[query]
            found = [
                Cell(gallery.paths[n], None, False, _GREEN if parts[n] == part else _RED)
                for n in ranks[query, :NEIGHBOURS]
            ]
            yield Row(
                f"worn {worn.category}: nearest in the gallery",
                [Cell(worn.path, worn.box, False, _GREY), *found],
            )


def _spread(rows: Sequence[int] | np.ndarray[tuple[int, ...], np.dtype[np.intp]], count: int) -> list[int]:
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return [int(rows[place]) for place in places]


def _left(box: Box) -> Box:
    return box[0], box[1], (box[0] + box[2]) / 2, box[3]


def _right(box: Box) -> Box:
    return (box[0] + box[2]) / 2, box[1], box[2], box[3]


def _drawn(cell: Cell) -> Image.Image:
    pixels = read_pixels(cell.path)
    seen = square_picture(pixels, SIDE_PX) if cell.box is None else garment_picture(pixels, cell.box, SIDE_PX)
    return Image.fromarray(np.ascontiguousarray(seen[:, ::-1] if cell.flipped else seen))
