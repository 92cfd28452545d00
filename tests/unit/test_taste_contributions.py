"""A taste is a function of the set of its contributions: no order, no batches, a bounded size."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taste_cases import SETTINGS, assert_same_taste, contribution, contribution_lists, fields, unit

from models.taste.codes import doubled, halved, quantise, restored
from models.taste.contributions import (
    DAY_S,
    TAKES_BACK,
    WEIGHTS,
    Contribution,
    Forgotten,
    Taste,
    TasteSettings,
    add,
    merge,
    net,
)

HALF_LIFE_S = SETTINGS.half_life_s


def taste_of(contributions: list[Contribution], settings: TasteSettings = SETTINGS) -> Taste:
    """As it comes about: one event after the other."""
    taste = Taste()
    for one in contributions:
        taste = add(taste, [one], settings)
    return taste


@given(contribution_lists(), st.randoms(use_true_random=False))
@settings(max_examples=120, deadline=None)
def test_the_order_of_arrival_does_not_matter(contributions: list[Contribution], random: Any) -> None:
    shuffled = list(contributions)
    random.shuffle(shuffled)
    assert_same_taste(taste_of(shuffled), taste_of(contributions))


@given(contribution_lists())
@settings(max_examples=60, deadline=None)
def test_batches_do_not_matter(contributions: list[Contribution]) -> None:
    assert_same_taste(add(Taste(), contributions, SETTINGS), taste_of(contributions))


@given(contribution_lists(), st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_remembered_counts_once(contributions: list[Contribution], data: st.DataObject) -> None:
    taste = taste_of(contributions)
    again = data.draw(st.lists(st.sampled_from(taste.contributions))) if contributions else []
    assert_same_taste(add(taste, again, SETTINGS), taste)


@given(contribution_lists(), st.integers(0, 600), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_taste_in_few_bytes_is_the_same_in_any_order(
    drawn: list[Contribution], room_bytes: int, random: Any
) -> None:
    """Contributions of different size, and room that shrinks meanwhile."""
    sized = [replace(c, product_id=c.product_id + 37 * "x" * (c.event_key % 3)) for c in drawn]
    shuffled = list(sized)
    random.shuffle(shuffled)
    straight = add(Taste(), sized, SETTINGS, room_bytes)
    one_by_one = Taste()
    for n, c in enumerate(shuffled, 1):
        one_by_one = add(one_by_one, [c], SETTINGS, room_bytes + 20 * (len(shuffled) - n))
    assert_same_taste(one_by_one, straight)
    assert sum(c.packed_bytes for c in straight.contributions) <= room_bytes
    half = len(sized) // 2
    parts = [add(Taste(), part, SETTINGS, room_bytes + 30) for part in (shuffled[:half], shuffled[half:])]
    assert_same_taste(merge(*parts, SETTINGS, room_bytes), straight)


@given(contribution_lists(), contribution_lists(first_key=100))
@settings(max_examples=60, deadline=None)
def test_merging_is_commutative_and_is_union(one: list[Contribution], other: list[Contribution]) -> None:
    merged = merge(taste_of(one), taste_of(other), SETTINGS)
    assert_same_taste(merged, merge(taste_of(other), taste_of(one), SETTINGS))
    assert_same_taste(merged, taste_of([*one, *other]))


@given(contribution_lists(), contribution_lists(first_key=100), contribution_lists(first_key=200))
@settings(max_examples=60, deadline=None)
def test_merging_is_associative(
    one: list[Contribution], two: list[Contribution], three: list[Contribution]
) -> None:
    a, b, c = taste_of(one), taste_of(two), taste_of(three)
    left = merge(merge(a, b, SETTINGS), c, SETTINGS)
    assert_same_taste(left, merge(a, merge(b, c, SETTINGS), SETTINGS))


@given(contribution_lists())
def test_merging_with_nothing_changes_nothing(contributions: list[Contribution]) -> None:
    taste = taste_of(contributions)
    assert_same_taste(merge(taste, Taste(), SETTINGS), taste)
    assert_same_taste(merge(Taste(), taste, SETTINGS), taste)


@given(contribution_lists(), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_it_holds_the_strongest_and_never_more_than_its_capacity(
    contributions: list[Contribution], capacity: int
) -> None:
    taste = taste_of(contributions, TasteSettings(capacity=capacity))
    held = {c.key for c in taste.contributions}
    assert len(taste.contributions) == min(capacity, len(contributions))
    strengths = [c.strength(HALF_LIFE_S) for c in taste.contributions]
    assert all(one >= two for one, two in pairwise(strengths))
    assert all(c.strength(HALF_LIFE_S) <= strengths[-1] for c in contributions if c.key not in held)


@given(contribution_lists(actions=tuple(WEIGHTS)))
@settings(max_examples=60, deadline=None)
def test_no_weight_is_lost_by_forgetting(contributions: list[Contribution]) -> None:
    as_of_s = max((c.event_time_s for c in contributions), default=0.0)
    few = taste_of(contributions)
    kept = [c.decayed(as_of_s, HALF_LIFE_S) for c in few.contributions]
    liked, disliked = sum(w for w in kept if w > 0), -sum(w for w in kept if w < 0)
    if few.forgotten is not None:
        rest = few.forgotten.at(as_of_s, HALF_LIFE_S)
        liked, disliked = liked + rest.positive_weight, disliked + rest.negative_weight
    every = [c.decayed(as_of_s, HALF_LIFE_S) for c in contributions]
    assert liked == pytest.approx(sum(w for w in every if w > 0), rel=1e-9)
    assert disliked == pytest.approx(-sum(w for w in every if w < 0), rel=1e-9)


@given(contribution_lists())
@settings(max_examples=60, deadline=None)
def test_sums_are_never_negative_and_never_in_the_future(contributions: list[Contribution]) -> None:
    taste = taste_of(contributions)
    remembered = {c.key for c in taste.contributions}
    # A return that fell out adds nothing, so its time does not count either.
    counting = [c for c in contributions if c.key in remembered or c.action not in TAKES_BACK]
    assert taste.newest_s == max((c.event_time_s for c in counting), default=0.0)
    if (sums := taste.forgotten) is not None:
        assert min(sums.positive_weight, sums.negative_weight) >= 0.0
        assert sums.as_of_s <= taste.newest_s
        assert np.linalg.norm(sums.positive) <= sums.positive_weight * 1.01
        assert np.linalg.norm(sums.negative) <= sums.negative_weight * 1.01


def test_a_late_event_counts_as_if_on_time() -> None:
    times = [1.7e9 + n * DAY_S for n in range(10)]
    on_time = [contribution(n, product=n, event_time_s=t) for n, t in enumerate(times)]
    assert_same_taste(taste_of([*on_time[:2], *on_time[3:], on_time[2]]), taste_of(on_time))


def test_a_return_that_falls_out_adds_nothing_and_its_purchase_what_it_weighs() -> None:
    bought = contribution(1, "product.purchased", event_time_s=0.0)
    returned = contribution(2, "product.refunded", event_time_s=DAY_S)
    views = [contribution(10 + n, product=1, event_time_s=60 * DAY_S) for n in range(SETTINGS.capacity)]
    for order in ([bought, returned, *views], [*views, returned, bought], [bought, *views, returned]):
        for taste in (taste_of(order), add(Taste(), order, SETTINGS)):
            assert taste.forgotten is not None
            assert (taste.forgotten.positive_weight, taste.forgotten.as_of_s) == (5.0, 0.0)


def test_without_decay_the_newest_stay_as_in_a_window() -> None:
    window = TasteSettings(half_life_s=float("inf"), capacity=12)
    views = [contribution(997 * n % 101, product=n % 5, event_time_s=1.7e9 + n) for n in range(40)]
    held = taste_of(views, window).contributions
    assert [c.event_time_s for c in held] == [1.7e9 + n for n in range(39, 27, -1)]


def test_an_action_without_weight_leaves_nothing() -> None:
    assert taste_of([contribution(1, "product.unheard_of")]) == Taste()


@given(contribution_lists())
@settings(max_examples=120, deadline=None)
def test_a_return_takes_back_one_of_its_kind_whatever_the_order(contributions: list[Contribution]) -> None:
    counted = net(contributions)
    assert {c.key for c in counted} == {c.key for c in net(contributions[::-1])}
    assert not any(c.action in TAKES_BACK for c in counted)
    for product in {c.product_id for c in contributions}:
        for taken_back, action in TAKES_BACK.items():
            of = [c for c in contributions if c.product_id == product]
            done = sum(c.action == action for c in of)
            undone = sum(c.action == taken_back for c in of)
            left = sum(c.action == action and c.product_id == product for c in counted)
            assert left == max(0, done - undone)
    others = [c.key for c in contributions if c.action not in {*TAKES_BACK, *TAKES_BACK.values()}]
    assert others == [c.key for c in counted if c.key in set(others)]


def test_a_return_takes_back_the_newest_before_it_else_the_oldest_after_it() -> None:
    bought = [contribution(n, "product.purchased", event_time_s=float(n)) for n in (1, 2, 4, 5)]
    refunds = [contribution(10 + n, "product.refunded", event_time_s=3.0) for n in range(4)]
    left = [{c.event_key for c in net([*bought, *refunds[:n]])} for n in range(5)]
    assert left == [{1, 2, 4, 5}, {1, 4, 5}, {4, 5}, {5}, set()]


def test_a_return_takes_back_nothing_of_another_garment_or_action() -> None:
    others = [contribution(1, "product.purchased", 1), contribution(2, "product.added_to_cart", 0)]
    refund = contribution(3, "product.refunded", 0, event_time_s=9.0)
    assert net([*others, refund]) == tuple(others)


@given(contribution_lists(), st.integers(0, 400))
def test_decay_keeps_the_order_of_strength(contributions: list[Contribution], days: int) -> None:
    as_of_s = 1.7e9 + days * DAY_S
    ordered = sorted(contributions, key=lambda c: c.strength(HALF_LIFE_S))
    weights = [abs(c.decayed(as_of_s, HALF_LIFE_S)) for c in ordered]
    assert all(one <= two * (1 + 1e-6) for one, two in pairwise(weights))


def test_weight_halves_with_every_half_life() -> None:
    purchase = contribution(1, "product.purchased", event_time_s=0.0)
    assert purchase.decayed(0.0, HALF_LIFE_S) == 5.0
    assert purchase.decayed(2 * HALF_LIFE_S, HALF_LIFE_S) == 1.25
    sums = Forgotten(unit(1), -unit(2), 4.0, 2.0, 0.0).at(3 * HALF_LIFE_S, HALF_LIFE_S)
    assert (sums.positive_weight, sums.negative_weight, sums.as_of_s) == (0.5, 0.25, 3 * HALF_LIFE_S)
    np.testing.assert_allclose(sums.positive, unit(1) / 8)


@given(st.integers(0, 10_000), st.sampled_from([128, 256, 512, 1280]), st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_quantising_keeps_the_direction(seed: int, dim: int, spiked: float) -> None:
    peak = spiked * 0.4
    embedding = unit(seed, dim)
    embedding[seed % dim] = 0.0
    embedding *= np.float32(np.sqrt(1 - peak**2) / np.linalg.norm(embedding))
    embedding[seed % dim] = max(peak, float(np.abs(embedding).max()))
    embedding /= np.linalg.norm(embedding)
    codes, scale = quantise(embedding)
    assert codes.dtype == np.int8
    assert set(codes.tolist()) <= set(range(-7, 8))
    assert float(restored(codes, scale) @ embedding) >= 0.96
    assert float(np.linalg.norm(restored(codes, scale))) == pytest.approx(1.0, abs=1e-5)


def test_quantising_nothing_gives_nothing() -> None:
    codes, scale = quantise(np.zeros(4, np.float32))
    assert (codes.tolist(), scale) == ([0, 0, 0, 0], 1.0)


def test_a_code_is_that_of_the_nearest_level() -> None:
    levels = np.array([sign * k * k for k in range(8) for sign in (1, -1)], np.float32)
    for value in np.linspace(-49, 49, 981):
        codes, scale = quantise(np.array([value, 49.0], np.float32))
        found = float(restored(codes, scale)[0] * np.hypot(levels[2 * abs(codes[0])], 49))
        assert abs(found - value) <= np.abs(levels - value).min() + 1e-3


@given(st.integers(0, 6), st.integers(0, 9), st.integers(0, 1000))
@settings(max_examples=60)
def test_four_bits_are_packed_two_to_a_byte(count: int, dim: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(-7, 8, (count, dim)).astype(np.int8)
    packed = np.frombuffer(halved(codes), np.uint8)
    assert packed.size == count * ((dim + 1) // 2)
    np.testing.assert_array_equal(doubled(packed.reshape(count, (dim + 1) // 2), dim), codes)


def test_a_contribution_keeps_its_embedding() -> None:
    assert float(contribution(1, product=3).embedding @ unit(3)) > 0.99
    assert fields(contribution(1)) == fields(contribution(1))
