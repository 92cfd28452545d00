"""The drawn catalogue: the same pictures from the same seed, and a truth that fits what is painted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.datasets.drawn import (
    CATEGORIES,
    PART_OF,
    DrawnProduct,
    draw_catalogue,
    draw_photo,
    photo_name,
    read_truth,
    write_catalogue,
)
from models.datasets.drawn.colour import COLOURS
from models.datasets.drawn.fabric import PATTERNS
from models.datasets.drawn.paint import labels
from models.datasets.drawn.photo import SEEN_PX, describe, paint
from models.datasets.drawn.pieces import Piece
from models.datasets.drawn.plan import make_plan
from models.datasets.drawn.scene import compose
from models.datasets.drawn.truth import from_json, to_json

SEED = 7


@pytest.fixture(scope="module")
def products() -> list[DrawnProduct]:
    return list(draw_catalogue(SEED, 40))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int16)


def test_the_same_seed_draws_the_same_pictures(products: list[DrawnProduct]) -> None:
    for product in products[:6]:
        assert np.array_equal(pixels(draw_photo(product, SEED)), pixels(draw_photo(product, SEED)))


def test_a_product_does_not_depend_on_the_count(products: list[DrawnProduct]) -> None:
    assert list(draw_catalogue(SEED, 7)) == products[:7]


def test_another_seed_draws_other_products(products: list[DrawnProduct]) -> None:
    others = list(draw_catalogue(SEED + 1, 10))
    assert all(ours != other for ours, other in zip(products, others, strict=False))
    assert not np.array_equal(
        pixels(draw_photo(products[0], SEED)).ravel()[:9999],
        pixels(draw_photo(others[0], SEED + 1)).ravel()[:9999],
    )


def test_a_product_of_another_catalogue_is_refused(products: list[DrawnProduct]) -> None:
    with pytest.raises(ValueError, match="not of the drawn catalogue 7"):
        draw_photo(replace(products[0], title="Plaid spats"), SEED)
    with pytest.raises(ValueError, match="'sku-1'"):
        draw_photo(replace(products[0], product_id="sku-1"), SEED)


def test_shares_of_the_whole_catalogue() -> None:
    plans = [make_plan(SEED, index) for index in range(640)]
    by_category = Counter(plan.item.category for plan in plans)
    assert set(by_category) == set(CATEGORIES)
    assert min(by_category.values()) >= 0.03 * 640
    assert 0.09 * 640 <= by_category["shorts"] <= 0.12 * 640
    assert 0.15 * 640 <= sum(plan.item.pattern == "floral" for plan in plans) <= 0.18 * 640
    assert 0.12 * 640 <= sum(plan.urban for plan in plans) <= 0.15 * 640
    assert 0.36 * 640 <= sum(plan.worn for plan in plans) <= 0.44 * 640
    assert {plan.item.pattern for plan in plans} == set(PATTERNS)
    assert len({plan.item.colour for plan in plans}) >= 12


@given(seed=st.integers(0, 1 << 31), index=st.integers(0, 5000))
@settings(max_examples=40, deadline=None)
def test_the_truth_of_any_product_is_whole(seed: int, index: int) -> None:
    scene = compose(seed, index)
    product = describe(scene)
    sold = product.sold_garment
    assert (sold.category, sold.pattern, sold.colour) == (
        scene.plan.item.category,
        scene.plan.item.pattern,
        scene.plan.item.colour,
    )
    assert sold.colour.capitalize() in product.title
    assert product.view == "worn" or len(product.garments) == 1
    for garment in product.garments:
        left, top, right, bottom = garment.box_xyxy
        assert 0 <= left < right <= scene.view.width
        assert 0 <= top < bottom <= scene.view.height
        assert garment.part == PART_OF[garment.category]
        assert garment.pattern in PATTERNS
        assert garment.colour in COLOURS
    assert from_json(to_json(product)) == product


@pytest.mark.parametrize("index", range(0, 40, 2))
def test_boxes_are_those_of_the_pixels(index: int) -> None:
    """Dyeing a garment green changes the photo in its box, up to the box's edges, and nowhere else."""
    scene = compose(SEED, index)
    whole = pixels(paint(scene))
    seen = [
        owner
        for owner in range(len(scene.items))
        if (labels(scene.pieces, scene.view) == owner).sum() >= SEEN_PX
    ]
    garments = describe(scene).garments
    assert len(seen) == len(garments)
    for owner, garment in zip(seen, garments, strict=True):
        dyed = [dye(piece) if piece.owner == owner else piece for piece in scene.pieces]
        changed = np.abs(whole - pixels(paint(replace(scene, pieces=dyed)))).max(axis=2) > 24
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        painted = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        assert np.abs(painted - np.array(garment.box_xyxy)).max() <= 3, garment


def dye(piece: Piece) -> Piece:
    green = (0.1, 0.95, 0.1)
    fabric = replace(piece.fabric, pattern="solid", base=green, accent=green, gloss=0.0)
    return replace(piece, fabric=fabric, marks=[])


def test_worn_skirts_trousers_and_dresses_reach_from_the_waist_down() -> None:
    heads = {"trousers": (3.4, 5.2), "skirt": (1.5, 4.5), "shorts": (0.6, 2.1), "sling_dress": (2.4, 6.2)}
    for index in range(200):
        plan = make_plan(SEED, index)
        if plan.worn and plan.item.category in heads:
            scene = compose(SEED, index)
            _, top, _, bottom = describe(scene).sold_garment.box_xyxy
            least, most = heads[plan.item.category]
            assert least <= (bottom - top) / scene.view.head_px <= most, plan.title


def test_the_garment_fills_a_fair_part_of_a_flat_photo(products: list[DrawnProduct]) -> None:
    for product in products:
        if product.view == "flat":
            left, top, right, bottom = product.sold_garment.box_xyxy
            assert (right - left) * (bottom - top) > 0.12 * 320 * 360, product.title


def test_written_catalogue(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    written = write_catalogue(tmp_path, SEED, 12, lambda done, count: seen.append((done, count)))
    assert seen == [(done, 12) for done in range(1, 13)]
    assert read_truth(tmp_path) == written == list(draw_catalogue(SEED, 12))
    for product in written:
        photo = tmp_path / photo_name(product)
        assert photo.stat().st_size <= 40_000
        with Image.open(photo) as image:
            assert image.format == "JPEG"
            assert image.size in ((360, 360), (320, 420))


def test_writing_again_changes_nothing_and_mends_what_is_missing(tmp_path: Path) -> None:
    write_catalogue(tmp_path, SEED, 3)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.jpg")}
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.jpg")}
    (tmp_path / "drawn-0002.jpg").unlink()
    write_catalogue(tmp_path, SEED, 3)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.jpg")} == before
    assert (tmp_path / "drawn-0001.jpg").stat().st_mtime_ns == times["drawn-0001.jpg"]


def test_another_seed_replaces_the_folder(tmp_path: Path) -> None:
    write_catalogue(tmp_path, SEED, 3)
    before = (tmp_path / "drawn-0001.jpg").read_bytes()
    write_catalogue(tmp_path, SEED + 1, 2)
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["drawn-0001.jpg", "drawn-0002.jpg"]
    assert (tmp_path / "drawn-0001.jpg").read_bytes() != before


def test_a_damaged_line_of_truth_is_named() -> None:
    with pytest.raises(ValueError, match="drawn product's line"):
        from_json('{"product_id": "drawn-0001"}')
