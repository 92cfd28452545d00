"""Interests: a deterministic, bounded reading of a taste; taking back leaves no trace."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taste_cases import DIM, SETTINGS, contribution, contribution_lists, fields, unit

from models.taste.contributions import (
    DAY_S,
    TAKES_BACK,
    WEIGHTS,
    Contribution,
    Taste,
    TasteSettings,
    add,
    merge,
    net,
)
from models.taste.interests import MAX_PUSH, Interest, interests

ROOMY = TasteSettings(capacity=100)


def interests_of(contributions: list[Contribution], of: TasteSettings = ROOMY) -> tuple[Interest, ...]:
    return interests(add(Taste(), contributions, of), of)


def assert_same(one: tuple[Interest, ...], other: tuple[Interest, ...], near: float = 0.0) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a.centroid, b.centroid, rtol=0, atol=near)
        assert a.weight == pytest.approx(b.weight, rel=near, abs=near)
        assert list(map(fields, a.contributions)) == list(map(fields, b.contributions))
        assert a.weights == b.weights


@given(contribution_lists(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_arrival_does_not_matter(contributions: list[Contribution], random: Any) -> None:
    shuffled = list(contributions)
    random.shuffle(shuffled)
    taste = Taste()
    for one in shuffled:
        taste = add(taste, [one], SETTINGS)
    assert_same(interests(taste, SETTINGS), interests_of(contributions, SETTINGS), near=2e-3)
    assert_same(interests_of(shuffled), interests_of(contributions))


@given(contribution_lists(), contribution_lists(first_key=100))
@settings(deadline=None)
def test_merged_interests_are_those_of_all_events(one: list[Contribution], other: list[Contribution]) -> None:
    merged = merge(add(Taste(), one, ROOMY), add(Taste(), other, ROOMY), ROOMY)
    assert_same(interests(merged, ROOMY), interests_of([*one, *other]))


@given(
    contribution_lists(actions=("product.viewed", "product.dismissed", "product.added_to_wishlist")),
    st.sampled_from(sorted(TAKES_BACK)),
    st.integers(0, 4),
    st.integers(-5, 5),
    st.booleans(),
)
@settings(deadline=None)
def test_adding_and_taking_back_leaves_no_trace(
    before: list[Contribution], takes_back: str, product: int, days_later: int, return_came_first: bool
) -> None:
    at_s = 1.7e9 + 7 * DAY_S
    done = contribution(500, TAKES_BACK[takes_back], product, at_s)
    undone = contribution(501, takes_back, product, at_s + days_later * DAY_S)
    taste = add(Taste(), before, ROOMY)
    with_it = add(taste, [done], ROOMY)
    for one in (undone, done) if return_came_first else (done, undone):
        taste = add(taste, [one], ROOMY)
    assert_same(interests(taste, ROOMY), interests_of(before))
    alone = net(with_it.contributions)
    assert len(alone) == len(before) + 1


@given(contribution_lists())
@settings(max_examples=200, deadline=None)
def test_an_interest_is_a_unit_centroid_of_what_counts(contributions: list[Contribution]) -> None:
    taste = add(Taste(), contributions, SETTINGS)
    for interest in interests(taste, SETTINGS):
        assert interest.centroid.dtype == np.float32
        assert interest.centroid.shape == (DIM,)
        assert float(np.linalg.norm(interest.centroid)) == pytest.approx(1.0, abs=1e-5)
        assert interest.weight > 0.0
        assert [c.key for c in interest.contributions] == [c.key for c in net(taste.contributions)]
        for c, weight in zip(interest.contributions, interest.weights, strict=True):
            assert (weight > 0) == (c.weight > 0)
            assert abs(weight) <= abs(c.weight)


@given(contribution_lists(actions=("product.viewed", "product.purchased", "product.dismissed")))
@settings(max_examples=200, deadline=None)
def test_dislikes_turn_the_centroid_but_never_past_what_is_liked(contributions: list[Contribution]) -> None:
    liked = interests_of([c for c in contributions if c.weight > 0])
    both = interests_of(contributions)
    assert bool(liked) == bool(both)
    if liked:
        steepest = np.sqrt(1 - MAX_PUSH**2)
        assert float(liked[0].centroid @ both[0].centroid) >= steepest - 1e-4


def test_a_dismissal_pushes_away() -> None:
    views = [contribution(n, product=n) for n in range(3)]
    dismissal = contribution(9, "product.dismissed", 1)
    before, after = interests_of(views)[0], interests_of([*views, dismissal])[0]
    assert float(after.centroid @ unit(1)) < float(before.centroid @ unit(1)) - 0.05


def test_one_view_is_its_embedding_and_a_purchase_weighs_more() -> None:
    view, purchase = contribution(1, product=1), contribution(2, "product.purchased", 2)
    only = interests_of([view])[0]
    assert float(only.centroid @ unit(1)) > 0.9999
    both = interests_of([view, purchase])[0]
    expected = unit(1) + 5 * unit(2)
    assert float(both.centroid @ expected) / np.linalg.norm(expected) > 0.999
    assert both.weight == pytest.approx(WEIGHTS["product.viewed"] + WEIGHTS["product.purchased"])


def test_what_was_forgotten_still_pulls() -> None:
    small = TasteSettings(capacity=1)
    old, new = contribution(1, product=1, event_time_s=0.0), contribution(2, product=2, event_time_s=DAY_S)
    (interest,) = interests_of([old, new], small)
    assert [c.product_id for c in interest.contributions] == ["p-2"]
    np.testing.assert_allclose(interest.centroid, interests_of([old, new])[0].centroid, atol=1e-6)


@pytest.mark.parametrize(
    "contributions",
    [
        [],
        [contribution(1, "product.dismissed")],
        [contribution(1, "product.refunded")],
        [contribution(1, "product.purchased"), contribution(2, "product.refunded")],
        [contribution(1, event_time_s=0.0), contribution(2, "product.dismissed", 1, 1e5 * DAY_S)],
    ],
    ids=["nothing", "dismissed", "returned", "bought and returned", "liked ages ago"],
)
def test_where_nothing_is_liked_there_is_no_interest(contributions: list[Contribution]) -> None:
    assert interests_of(contributions) == ()
