"""Pictures: texts fit, labels do not cover each other, and no photo or box, however odd, stops one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.pictures import (
    _EMPTY,
    _TEXT_PX,
    PART_COLOURS,
    Box,
    Pixels,
    Row,
    Tile,
    _label_place,
    _overlap,
    _width,
    _wrapped,
    beside,
    boxes,
    crop,
    grid,
)

RED = (200, 0, 0)


def plain(height: int, width: int, colour: tuple[int, int, int] = RED) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def test_a_sheet_grows_by_lines_of_tiles() -> None:
    tile = Tile(plain(40, 30), "Shorts", "0.83")
    one, full, two = (grid("t", [Row("r", [tile] * n)], columns=3) for n in (1, 3, 4))
    assert one.size == full.size
    assert (two.width, two.height > one.height) == (one.width, True)
    assert grid("nothing", []).height < one.height


def test_a_tile_shows_its_photo_and_a_missing_one_is_grey() -> None:
    sheet = np.asarray(grid("", [Row("", [Tile(plain(168, 132)), Tile(None)])], columns=2))
    height = np.flatnonzero((sheet == RED).all(axis=2).any(axis=1))
    assert len(height) == 168
    width = np.flatnonzero((sheet == RED).all(axis=2).any(axis=0))
    assert len(width) == 132
    assert tuple(sheet[height[20], sheet.shape[1] - 50]) == _EMPTY


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (500, 20)])
def test_odd_photos_fit(size: tuple[int, int]) -> None:
    assert grid("t", [Row("r", [Tile(plain(*size))])]).size == grid("t", [Row("r", [Tile(None)])]).size
    drawn = boxes(plain(*size), [Box((-5, -5, 1e6, 1e6), "whole 1.00", RED)], height_px=100)
    assert drawn.height <= 100
    assert drawn.width <= 200


def test_boxes_are_drawn_where_they_are() -> None:
    grey = plain(100, 100, (90, 90, 90))
    drawn = np.asarray(boxes(grey, [Box((20, 30, 60, 80), "", RED)], height_px=200))
    rows, columns = np.nonzero((drawn == RED).all(axis=2))
    assert (rows.max(), columns.min(), columns.max()) == (160, 40, 120)


coordinates = st.floats(-50, 500, allow_nan=False)


@settings(max_examples=30)
@given(st.lists(st.tuples(coordinates, coordinates), max_size=5), st.lists(st.text(max_size=12), min_size=5))
def test_labels_stay_inside_and_apart(corners: list[tuple[float, float]], texts: list[str]) -> None:
    taken: list[tuple[int, int, int, int]] = []
    for (x, y), text in zip(corners, texts, strict=False):
        place = _label_place(Box((x, y, x + 50, y + 50), text, RED), 1.0, (400, 2000), taken)
        assert not any(_overlap(place, other) for other in taken)
        assert place[0] >= 0
        assert place[1] >= 0
        assert place[3] <= 2000
        taken.append(place)


@given(st.text(max_size=80), st.integers(20, 300), st.integers(1, 3))
def test_texts_fit(text: str, width_px: int, most: int) -> None:
    lines = _wrapped(text, width_px, _TEXT_PX, most)
    assert len(lines) <= most
    assert all(_width(line, _TEXT_PX) <= width_px for line in lines)
    whole = " ".join(text.split())
    if _width(whole, _TEXT_PX) <= width_px:
        assert lines == [whole] * bool(whole)


@given(st.tuples(coordinates, coordinates, coordinates, coordinates))
def test_a_crop_has_at_least_a_pixel(box: tuple[float, float, float, float]) -> None:
    cut = crop(plain(40, 30), box)
    assert 1 <= cut.shape[0] <= 40
    assert 1 <= cut.shape[1] <= 30


def test_a_photo_beside_a_sheet() -> None:
    left, right = boxes(plain(30, 20), [], height_px=300), grid("t", [])
    both = beside(left, right)
    assert both.width > left.width + right.width
    assert both.height >= max(left.height, right.height)


def test_every_part_has_a_colour_of_its_own() -> None:
    assert len(set(PART_COLOURS.values())) == len(PART_COLOURS) == 8
