"""What every data set is read into: labelled photos, and the entries that could not be read.

A reader yields `LabelledPhoto`s one by one, so that no data set has to fit into memory, and tells a `Skipped`
of every entry that it leaves out, with file, entry and reason. Photos are named, not decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from models.datasets.masks import Runs
from schemas.parts import Part

Box: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the photo, right and bottom exclusive."""
Polygons: TypeAlias = tuple[tuple[float, ...], ...]
"""Outlines, each x, y, x, y, … in pixels."""

KEPT_LINES: Final = 1000


class DatasetError(ValueError):
    """A data set as a whole cannot be read: a file is missing or is not in its format."""


class MalformedEntryError(ValueError):
    """One entry of a data set is not as its format says; the message says what, not where."""


@dataclass(frozen=True, slots=True)
class Landmark:
    """A place on a garment: its number among all of the data set's, pixels, and 1 hidden or 2 visible."""

    number: int
    x: float
    y: float
    visibility: int


@dataclass(frozen=True, slots=True)
class LabelledGarment:
    """One garment that somebody labelled.

    Attributes:
        category: the data set's own name for its kind.
        category_id: the data set's own number for it.
        part: the part that the kind belongs to, None where it is none of ours.
        box_xyxy: None where the data set has none.
        mask: outlines or runs of pixels, None where the data set has none.
        attributes: the data set's own names of what else is true of it.
        landmarks: those that are labelled, in the order of their numbers.
        style: DeepFashion2's: garments with the same `pair_id` and the same style above 0 are one product.
        score: 0 to 1 where a model said it, 1 where a person did.
    """

    category: str
    category_id: int
    part: Part | None
    box_xyxy: Box | None = None
    mask: Polygons | Runs | None = None
    attributes: tuple[str, ...] = ()
    landmarks: tuple[Landmark, ...] = ()
    style: int | None = None
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One photo of a data set with its garments; width and height in pixels where the data set tells them."""

    photo_id: str
    path: Path
    garments: tuple[LabelledGarment, ...]
    width: int | None = None
    height: int | None = None
    split: str | None = None
    pair_id: int | None = None


@dataclass
class Skipped:
    """Entries that a reader left out, counted by file; the first are kept word by word."""

    tell: Callable[[str], None] | None = None
    counts: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many entries were left out."""
        return sum(self.counts.values())

    def add(self, file: Path, entry: object, reason: object) -> None:
        """Count an entry of `file` that is left out, and say so."""
        self.counts[str(file)] = self.counts.get(str(file), 0) + 1
        line = f"{file}: {entry}: {reason}"
        if len(self.lines) < KEPT_LINES:
            self.lines.append(line)
        if self.tell is not None:
            self.tell(line)

    @contextmanager
    def entry(self, file: Path, entry: object) -> Iterator[None]:
        """Leave out the entry read inside this block if it turns out to be malformed."""
        try:
            yield
        except MalformedEntryError as error:
            self.add(file, entry, error)


def box_of(values: object, width: int | None = None, height: int | None = None) -> Box:
    """The box x1, y1, x2, y2 in `values`, cut to the photo where its size is known.

    Raises MalformedEntryError for anything but four finite numbers that enclose some of the photo.
    """
    x1, y1, x2, y2 = numbers(values, "box", 4)
    if width is not None and height is not None:
        x1, x2 = (min(max(x, 0.0), float(width)) for x in (x1, x2))
        y1, y2 = (min(max(y, 0.0), float(height)) for y in (y1, y2))
    if x2 <= x1 or y2 <= y1:
        raise MalformedEntryError(f"box is {values}, expected x1 < x2 and y1 < y2 inside the photo")
    return x1, y1, x2, y2


def numbers(values: object, what: str, count: int | None = None) -> tuple[float, ...]:
    """Finite numbers, `count` of them. Raises MalformedEntryError for anything else."""
    if not isinstance(values, (list, tuple)) or count not in (None, len(values)):
        raise MalformedEntryError(f"{what} is {str(values)[:80]}, expected {count or 'a list of'} numbers")
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise MalformedEntryError(f"{what} is {str(values)[:80]}, expected numbers") from None
    if any(abs(value) > 1e9 or value != value for value in found):
        raise MalformedEntryError(f"{what} is {str(values)[:80]}, expected finite numbers")
    return found


def integer(values: object, what: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`. Raises MalformedEntryError for anything else."""
    try:
        found = int(values) if isinstance(values, str) else values
    except ValueError:
        found = None
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise MalformedEntryError(f"{what} is {str(values)[:80]!r}, expected {low} to {high}")
    return found
