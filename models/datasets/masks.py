"""Masks as runs of pixels, column by column, as COCO and iMaterialist write them.

In: run lengths, outlines or pixels. Out: the same in another form. Fails with ValueError for runs that do
not fit the photo. COCO's compressed strings are read by its own rule (base 48, 5 bits a character).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


@dataclass(frozen=True, slots=True)
class Runs:
    """A mask of a photo: lengths of runs, first of 0, then of 1, and so on, down each column in turn."""

    height: int
    width: int
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises ValueError when the runs are not as many pixels as the photo has."""
        if min(self.counts, default=0) < 0 or sum(self.counts) != self.height * self.width:
            raise ValueError(
                f"mask: runs of {sum(self.counts)} pixels, expected {self.width} x {self.height}"
            )

    def pixels(self) -> NDArray[np.bool_]:
        """The mask, (height, width)."""
        values = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(values, self.counts).reshape(self.width, self.height).T

    @property
    def area_px(self) -> int:
        """How many pixels are in the mask."""
        return sum(self.counts[1::2])

    def box_xyxy(self) -> tuple[float, float, float, float] | None:
        """The box round the mask, None round an empty one; needs no pixels."""
        ends = np.cumsum(self.counts)
        starts, stops = ends[:-1:2], ends[1::2]
        kept = stops > starts
        if not kept.any():
            return None
        starts, last = starts[kept[: len(starts)]], stops[kept] - 1
        columns = np.concatenate([starts, last]) // self.height
        tops, bottoms = starts % self.height, last % self.height
        crosses = (last // self.height) > (starts // self.height)  # such a run reaches both edges
        top = 0 if crosses.any() else int(tops.min())
        bottom = self.height - 1 if crosses.any() else int(bottoms.max())
        return float(columns.min()), float(top), float(columns.max() + 1), float(bottom + 1)


def from_start_lengths(values: Sequence[int], height: int, width: int) -> Runs:
    """Runs from pairs of a start, counted from 1, and a length. Raises ValueError when they do not fit."""
    if len(values) % 2:
        raise ValueError(f"mask: {len(values)} numbers, expected pairs of start and length")
    counts, at = [], 0
    for start, length in zip(values[::2], values[1::2], strict=True):
        if start - 1 < at or length < 1:
            raise ValueError(f"mask: run {start} {length}, expected one after pixel {at} and not empty")
        counts += [start - 1 - at, length]
        at = start - 1 + length
    if at > height * width:
        raise ValueError(f"mask: ends at pixel {at}, expected at most {width} x {height}")
    return Runs(height, width, (*counts, height * width - at))


def from_pixels(mask: NDArray[np.bool_]) -> Runs:
    """Runs of a mask (H, W)."""
    flat = np.asarray(mask, bool).T.reshape(-1)
    changes = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate([[0], changes, [flat.size]]) if flat.size else np.zeros(1, int)
    counts = np.diff(edges).tolist()
    first = [0] if flat.size and flat[0] else []
    return Runs(mask.shape[0], mask.shape[1], tuple(first + counts))


def from_outlines(outlines: Sequence[Sequence[float]], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (height, width) of outlines x, y, x, y, …; each needs at least three corners."""
    picture = Image.new("1", (width, height))
    draw = ImageDraw.Draw(picture)
    for outline in outlines:
        draw.polygon(list(outline), fill=1)
    return np.array(picture, dtype=bool)


def from_coco(value: Any) -> Runs:
    """Runs of COCO's {"size": [h, w], "counts": list or compressed string}. Raises ValueError."""
    try:
        height, width = (int(side) for side in value["size"])
        counts = value["counts"]
        runs = _decompressed(counts) if isinstance(counts, str) else [int(count) for count in counts]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"mask: {error}, expected size and counts") from None
    return Runs(height, width, tuple(runs))


def to_coco(runs: Runs) -> dict[str, Any]:
    """COCO's uncompressed form."""
    return {"size": [runs.height, runs.width], "counts": list(runs.counts)}


def _decompressed(text: str) -> list[int]:
    counts: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(text[at]) - 48
            value |= (bits & 0x1F) << shift
            more, shift, at = bool(bits & 0x20), shift + 5, at + 1
            if not more and bits & 0x10:
                value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts
