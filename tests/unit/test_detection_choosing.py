"""Which detections of a photo stay: one answer for each thing, whatever the network said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.detection.choosing import THRESHOLD, Found, calibrate, candidates, settle
from models.detection.kinds import CATEGORY_NAMES, KIND_OF_CATEGORY, KINDS, SLOTS, kind_and_category

THRESHOLDS = np.linspace(0.25, 0.6, len(KINDS)).astype(np.float32)


def found(*entries: tuple[str, tuple[float, float, float, float], float]) -> Found:
    kinds = [KINDS.index(kind) for kind, _, _ in entries]
    return Found(
        np.array([box for _, box, _ in entries], np.float32).reshape(-1, 4),
        np.array(kinds, np.int64),
        np.zeros(len(entries), np.int64),
        np.array([score for _, _, score in entries], np.float32),
    )


def shown(settled: Found) -> list[str]:
    return [KINDS[kind] for kind in settled.kinds[settled.scores >= THRESHOLD]]


COAT = (10.0, 10.0, 60.0, 120.0)


def test_a_coat_is_not_also_a_dress() -> None:
    both = found(("outer", COAT, 0.9), ("full_body", (12.0, 10.0, 60.0, 118.0), 0.8))
    assert shown(settle(both, np.full(8, 0.4, np.float32))) == ["outer"]


def test_a_shirt_under_a_coat_is_a_second_garment() -> None:
    both = found(("outer", COAT, 0.9), ("inner", (25.0, 12.0, 45.0, 60.0), 0.8))
    assert shown(settle(both, np.full(8, 0.4, np.float32))) == ["outer", "inner"]


def test_the_part_of_a_garment_is_no_garment() -> None:
    nested = found(("lower", (10, 60, 50, 140), 0.9), ("lower", (12, 62, 30, 138), 0.85))
    assert shown(settle(nested, np.full(8, 0.4, np.float32))) == ["lower"]


def test_two_people_have_two_pairs_of_trousers() -> None:
    apart = found(("lower", (10, 60, 50, 140), 0.9), ("lower", (80, 60, 120, 140), 0.85))
    assert shown(settle(apart, np.full(8, 0.4, np.float32))) == ["lower", "lower"]


@given(arrays(np.float32, 8, elements=st.floats(0, 1, width=32)))
def test_calibrated_scores_are_shown_from_a_half_and_keep_their_order(scores: NDArray[np.float32]) -> None:
    calibrated = calibrate(scores, THRESHOLDS)
    assert ((calibrated >= THRESHOLD) == (scores >= THRESHOLDS)).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    same = calibrate(np.sort(scores), np.full(8, 0.3, np.float32))
    assert (np.diff(same) >= 0).all()


sides = st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(8, 60), st.integers(8, 60))
entries = st.tuples(st.sampled_from(KINDS), sides, st.floats(0.01, 0.99))


@given(st.lists(entries, max_size=12))
def test_nothing_shown_is_nested_in_its_own_kind(
    things: list[tuple[str, tuple[int, int, int, int], float]],
) -> None:
    boxes = [(k, (float(x), float(y), float(x + w), float(y + h)), s) for k, (x, y, w, h), s in things]
    settled = settle(found(*boxes), THRESHOLDS)
    assert len(settled.scores) == len(things)
    assert (np.diff(settled.scores) <= 0).all()
    kept = np.flatnonzero(settled.scores >= THRESHOLD)
    for first in kept:
        for second in kept[kept > first]:
            if settled.kinds[first] == settled.kinds[second]:
                a, b = settled.boxes_xyxy[first], settled.boxes_xyxy[second]
                width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
                smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
                assert max(width, 0) * max(height, 0) <= 0.7 * smaller + 1e-3


def test_candidates_are_the_surest_of_each_pile_with_a_category_of_their_kind() -> None:
    places = 6
    kinds = torch.full((places, len(KINDS)), -10.0)
    kinds[0, KINDS.index("bag")] = 2.0
    kinds[1, KINDS.index("bag")] = 3.0
    kinds[2, KINDS.index("footwear")] = 1.0
    boxes = torch.zeros(places, SLOTS, 4)
    boxes[:2, 2] = torch.tensor((10.0, 10.0, 30.0, 30.0))
    boxes[2, 2] = torch.tensor((50.0, 80.0, 70.0, 90.0))
    categories = torch.zeros(places, len(CATEGORY_NAMES))
    categories[:, CATEGORY_NAMES.index("dress")] = 5.0  # the likeliest, but of no kind that is here
    categories[1, CATEGORY_NAMES.index("purse")] = 2.0
    chosen = candidates(kinds, boxes, categories)
    assert [KINDS[kind] for kind in chosen.kinds] == ["bag", "footwear"]
    assert CATEGORY_NAMES[chosen.categories[0]] == "purse"
    assert [KIND_OF_CATEGORY[CATEGORY_NAMES[number]] for number in chosen.categories] == ["bag", "footwear"]
    assert chosen.scores[0] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-6)


def test_an_empty_street_has_no_candidates() -> None:
    nothing = candidates(
        torch.full((4, len(KINDS)), -20.0), torch.zeros(4, SLOTS, 4), torch.zeros(4, len(CATEGORY_NAMES))
    )
    assert len(settle(nothing, THRESHOLDS).scores) == 0


@pytest.mark.parametrize(
    ("name", "part", "expected"),
    [
        ("coat", "upper", ("outer", "coat")),
        ("short sleeve top", "upper", ("inner", "top")),
        ("long_sleeve_outwear", "upper", ("outer", "outwear")),
        ("trousers", "lower", ("lower", "pants")),
        ("vest dress", "full_body", ("full_body", "dress")),
        ("kaftan", "full_body", ("full_body", None)),
        ("poncho", "upper", ("inner", None)),
        ("zipper", None, None),
    ],
)
def test_labels_of_other_data_sets_find_their_kind(
    name: str, part: str | None, expected: tuple[str, str | None] | None
) -> None:
    assert kind_and_category(name, part) == expected  # type: ignore[arg-type]
