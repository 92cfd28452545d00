"""Retrieval figures: by hand, and what must hold for any embeddings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation import embedder_scores as scores
from models.evaluation.embedder_views import changed, lab, middle_colour, part_of_box, views


def unit_rows(seed: int, count: int, dim: int = 8) -> scores.Embeddings:
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_same_class_by_hand() -> None:
    gallery = np.array(["a", "b", "a"])
    mean_ap, p10 = scores.same_class(np.array([[0, 1, 2]]), gallery, np.array(["a"]))
    assert mean_ap == pytest.approx((1 + 2 / 3) / 2)
    assert p10 == pytest.approx(2 / 3)


def test_no_query_of_a_class_in_the_gallery_is_an_error() -> None:
    with pytest.raises(ValueError, match="no query whose class"):
        scores.same_class(np.array([[0]]), np.array(["a"]), np.array(["b"]))


@given(st.integers(0, 1000), st.integers(2, 20))
def test_every_row_finds_itself_and_halves_that_are_all_alike_find_nothing(seed: int, count: int) -> None:
    rows = unit_rows(seed, count)
    assert scores.recall1(rows, rows) == 1.0
    assert scores.recall1(np.ones((count, 3)), np.ones((count, 3))) == 0.0


@given(st.integers(0, 1000))
def test_leave_one_out_never_counts_the_row_itself(seed: int) -> None:
    labels = np.array(["a", "a", "b", "b", "b"])
    rows = unit_rows(seed, 5)
    assert 0 < scores.leave_one_out(rows, labels) <= 1
    lonely = np.array(["a", "b", "b", "b", "b"])  # a has no other: it is no query
    assert scores.leave_one_out(np.eye(5)[[0, 1, 1, 1, 1]], lonely) == 1.0


def test_colour_ratio_is_one_where_colour_plays_no_part_and_small_where_it_is_all() -> None:
    colours = np.random.default_rng(0).uniform(0, 100, (60, 3))
    labels = np.full(60, "a")
    by_colour = np.argsort(np.linalg.norm(colours[:, None] - colours[None], axis=2), axis=1)
    assert scores.colour_ratio(by_colour, labels, labels, colours, colours) < 0.5
    reverse = by_colour[:, ::-1]
    assert scores.colour_ratio(reverse, labels, labels, colours, colours) > 1.2


def test_agreement_leaves_out_parts_that_the_gallery_lacks() -> None:
    ranks = np.array([[0, 1], [1, 0], [0, 1]])
    found = scores.agreement(
        ranks,
        np.array(["upper", "lower"]),
        np.array(["upper", "lower", "bag"]),
        np.array(["coat", "jeans", "bag"]),
    )
    assert set(found) == {"all", "coat", "jeans"}
    assert found["all"] == {"agreement5": 0.5, "queries": 2}


def test_lab_of_known_colours() -> None:
    known = lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], np.uint8))
    assert known[0] == pytest.approx([100, 0, 0], abs=0.1)
    assert known[1] == pytest.approx([0, 0, 0], abs=0.1)
    assert known[2] == pytest.approx([53.24, 80.09, 67.2], abs=0.1)


def test_the_colour_of_a_photo_is_that_of_its_middle() -> None:
    pixels = np.full((40, 40, 3), 255, np.uint8)
    pixels[10:30, 10:30] = (255, 0, 0)
    assert middle_colour(pixels) == pytest.approx([53.24, 80.09, 67.2], abs=0.1)


@given(st.integers(0, 1000))
def test_a_part_of_a_box_lies_within_it_and_has_most_of_it(seed: int) -> None:
    left, top, right, bottom = part_of_box((10, 20, 50, 100), np.random.default_rng(seed))
    assert 10 <= left < right <= 50 + 1e-9
    assert 20 <= top < bottom <= 100 + 1e-9
    assert 0.59 <= (right - left) * (bottom - top) / (40 * 80) <= 1.0 + 1e-9


def test_the_halves_of_a_symmetric_garment_look_the_same() -> None:
    half = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    pixels = np.concatenate([half, half[:, ::-1]], axis=1)
    whole, other, left, right = views(pixels, (0, 0, 64, 64), 32, np.random.default_rng(1))
    assert np.abs(left.astype(int) - right).max() <= 1
    assert whole.shape == other.shape == (32, 32, 3)
    assert changed(whole, np.random.default_rng(2)).dtype == np.uint8
