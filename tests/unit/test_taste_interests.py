"""Interests: a deterministic, bounded reading of a taste; taking back leaves no trace."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taste_cases import DIM, PARTS, SETTINGS, contribution, contribution_lists, fields, unit

from models.taste.codes import quantise
from models.taste.contributions import (
    DAY_S,
    TAKES_BACK,
    Contribution,
    Taste,
    TasteSettings,
    add,
    merge,
    net,
)
from models.taste.interests import MAX_PUSH, Interest, interests

ROOMY = TasteSettings(capacity=100)
PLAIN = TasteSettings(capacity=100, per_part=1, recency_products=float("inf"), turn=float("inf"), whim=1.0)


def interests_of(contributions: list[Contribution], of: TasteSettings = ROOMY) -> tuple[Interest, ...]:
    return interests(add(Taste(), contributions, of), of)


def near(embedding: np.ndarray, event_key: int, action: str = "product.viewed", **more: Any) -> Contribution:
    """A contribution of a product of its own, of part upper, with this embedding."""
    codes, scale = quantise((embedding / np.linalg.norm(embedding)).astype(np.float32))
    weight = SETTINGS.weight(action)
    time_s = more.get("event_time_s", 0.0)
    of = (event_key, f"p-{event_key}", f"g-{event_key}", more.get("part", "upper"), action, time_s)
    return Contribution(*of, weight, codes, scale)


def assert_same(one: tuple[Interest, ...], other: tuple[Interest, ...]) -> None:
    """Identical to the last bit."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert (a.part, a.weight, a.weights) == (b.part, b.weight, b.weights)
        np.testing.assert_array_equal(a.centroid, b.centroid)
        assert list(map(fields, a.contributions)) == list(map(fields, b.contributions))


@given(contribution_lists(), st.randoms(use_true_random=False), st.sampled_from([ROOMY, SETTINGS]))
@settings(max_examples=60, deadline=None)
def test_the_order_of_arrival_does_not_matter(
    contributions: list[Contribution], random: Any, of: TasteSettings
) -> None:
    shuffled = list(contributions)
    random.shuffle(shuffled)
    taste = Taste()
    for one in shuffled:
        taste = add(taste, [one], of)
    remembered = {c.key for c in taste.contributions}
    found, expected = interests(taste, of), interests_of(contributions, of)
    if any(c.weight > 0 and c.key in remembered for c in net(taste.contributions)):
        assert_same(found, expected)
    else:  # what is left are sums, whose last bits depend on the order
        assert [i.weight for i in found] == pytest.approx([i.weight for i in expected])
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.centroid, b.centroid, atol=1e-4)


@given(contribution_lists(), contribution_lists(first_key=100))
@settings(max_examples=60, deadline=None)
def test_merged_interests_are_those_of_all_events(one: list[Contribution], other: list[Contribution]) -> None:
    merged = merge(add(Taste(), one, ROOMY), add(Taste(), other, ROOMY), ROOMY)
    assert_same(interests(merged, ROOMY), interests_of([*one, *other]))


@given(
    contribution_lists(actions=("product.viewed", "product.dismissed", "product.added_to_wishlist")),
    st.sampled_from(sorted(TAKES_BACK)),
    st.integers(0, 4),
    st.integers(-5, 20),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_adding_and_taking_back_leaves_no_trace(
    before: list[Contribution], takes_back: str, product: int, days_later: int, return_came_first: bool
) -> None:
    at_s = 1.7e9 + 7 * DAY_S
    done = contribution(500, TAKES_BACK[takes_back], product, at_s)
    undone = contribution(501, takes_back, product, at_s + days_later * DAY_S)
    taste = add(Taste(), before, ROOMY)
    for one in (undone, done) if return_came_first else (done, undone):
        taste = add(taste, [one], ROOMY)
    assert_same(interests(taste, ROOMY), interests_of(before))


@given(contribution_lists())
@settings(max_examples=120, deadline=None)
def test_interests_are_unit_centroids_of_what_is_liked(contributions: list[Contribution]) -> None:
    taste = add(Taste(), contributions, SETTINGS)
    found = interests(taste, SETTINGS)
    assert all(one.weight >= two.weight for one, two in pairwise(found))
    liked = {c.key: c for c in net(taste.contributions) if c.weight > 0}
    placed = {c.key for interest in found for c in interest.contributions}
    assert placed <= set(liked)
    assert bool(placed) == bool(liked)
    for interest in found:
        assert interest.centroid.dtype == np.float32
        assert interest.centroid.shape == (DIM,)
        assert float(np.linalg.norm(interest.centroid)) == pytest.approx(1.0, abs=1e-5)
        assert interest.weight > 0.0
        assert all(weight > 0 for weight in interest.weights)
        assert sum(interest.weights) == pytest.approx(1.0 if interest.weights else 0.0)
        assert len({c.key for c in interest.contributions}) == len(interest.contributions)
        assert all(one >= two for one, two in pairwise(interest.weights))
        assert {c.part for c in interest.contributions} <= {interest.part}
        assert len(interest.exemplars) <= 4
        assert len({c.product_id for c in interest.exemplars}) == len(interest.exemplars)


@given(contribution_lists(max_size=25), st.integers(1, 3), st.floats(0.0, 20.0))
@settings(max_examples=60, deadline=None)
def test_a_part_has_no_more_interests_than_it_may(
    contributions: list[Contribution], per_part: int, pull: float
) -> None:
    of = TasteSettings(capacity=100, per_part=per_part, pull=pull)
    found = interests_of(contributions, of)
    for part in PARTS:
        assert sum(interest.part == part for interest in found) <= per_part


@given(contribution_lists(actions=("product.viewed", "product.purchased", "product.dismissed")))
@settings(max_examples=120, deadline=None)
def test_dislikes_turn_an_interest_but_never_far_from_what_is_liked(
    contributions: list[Contribution],
) -> None:
    for interest in interests_of(contributions):
        weighed = zip(interest.weights, interest.contributions, strict=True)
        liked = np.sum([weight * c.embedding for weight, c in weighed], axis=0)
        cosine = float(liked @ interest.centroid / np.linalg.norm(liked))
        assert cosine >= np.sqrt(1 - MAX_PUSH**2) - 1e-3


def test_a_fresh_dismissal_does_not_turn_an_old_interest_into_its_opposite() -> None:
    axes = np.eye(DIM)
    old = [near(axes[0] + 0.01 * axes[n], n, event_time_s=0.0) for n in (1, 2)]
    new = near(axes[0] * 0.05 + axes[3], 9, "product.dismissed", event_time_s=60 * DAY_S)
    for interest in interests_of([*old, new]):
        assert float(interest.centroid @ axes[0]) > 0.85
        assert float(interest.centroid @ axes[3]) < -0.3


def test_a_dismissal_pushes_away_what_is_like_it_and_touches_nothing_else() -> None:
    axes = np.eye(DIM)
    views = [near(axes[0] + 0.2 * axes[n], n) for n in (1, 2)]
    like_it = near(axes[0] + axes[1], 8, "product.dismissed")
    other_part = near(axes[0] + axes[1], 9, "product.dismissed", part="lower")
    unlike = near(-axes[0], 10, "product.dismissed")
    before = interests_of(views)[0].centroid
    after = interests_of([*views, like_it])[0].centroid
    assert float(after @ like_it.embedding) < float(before @ like_it.embedding) - 0.05
    np.testing.assert_array_equal(interests_of([*views, other_part, unlike])[0].centroid, before)


def own(interest: Interest) -> set[int]:
    """The events that lead in an interest's centroid: more than an equal share of it each."""
    rows = zip(interest.contributions, interest.weights, strict=True)
    return {c.event_key for c, weight in rows if weight > 1 / len(interest.contributions)}


def kind(axis: int, *event_keys: int, since_s: float = 0.0, **more: Any) -> list[Contribution]:
    """Views of products of one kind, each a little different, a minute apart."""
    axes = np.eye(DIM)
    return [
        near(axes[axis] + 0.3 * axes[(axis + 1 + n % 3) % DIM], n, event_time_s=since_s + 60 * n, **more)
        for n in event_keys
    ]


def test_what_is_alike_is_one_interest_and_what_is_not_are_several() -> None:
    axes = np.eye(DIM)
    found = interests_of([*kind(0, 1, 3, 5), *kind(4, 2, 4, 6)])
    assert {frozenset(own(i)) for i in found} == {frozenset({1, 3, 5}), frozenset({2, 4, 6})}
    for interest in found:
        axis = 0 if 1 in own(interest) else 4
        assert float(interest.centroid @ axes[axis]) > float(interest.centroid @ axes[4 - axis]) + 0.1


def test_pull_draws_interests_together_and_without_it_each_is_its_own_mean() -> None:
    events = [*kind(0, 1, 3, 5), *kind(4, 2, 4, 6)]
    apart = [interests_of(events, TasteSettings(pull=pull)) for pull in (0.0, 0.5, 5.0)]
    alike = [float(one.centroid @ other.centroid) for one, other in apart]
    assert alike == sorted(alike)
    assert alike[2] > 0.9
    assert [len(own(i)) for i in apart[0]] == [3, 3]
    mean = np.sum([c.embedding for c in events[:3]], axis=0)
    first = next(i for i in apart[0] if own(i) == {1, 3, 5})
    np.testing.assert_allclose(first.centroid, mean / np.linalg.norm(mean), atol=1e-3)


def test_the_newest_lead() -> None:
    old, new = kind(0, 1, 2, 3), kind(4, 5, 6, 7)
    mixed = interests_of([*kind(0, 1, 3, 5), *kind(4, 2, 4, 6)])
    assert own(mixed[0]) == {2, 4, 6}
    assert interests_of([*old, *new])[0].weight > 1.2 * interests_of([*old, *new])[1].weight


def test_a_turn_has_an_interest_of_its_own_and_most_of_the_weight() -> None:
    before = kind(0, *range(1, 13))
    for count in (2, 3, 6):
        since = kind(4, *range(20, 20 + count))
        found = interests_of([*before, *since])
        turned = {c.event_key for c in since}
        new = [i for i in found if {c.event_key for c in i.contributions} <= turned]
        share = sum(i.weight for i in new) / sum(i.weight for i in found)
        assert share >= 2 * count / (2 * count + 1) - 1e-9
        assert own(found[0]) <= turned
    never = interests_of([*before, *since], TasteSettings(turn=float("inf")))
    assert all(len(i.contributions) == 18 for i in never)


def test_a_turn_to_another_part_leads_too() -> None:
    since = kind(4, 20, 21, 22, part="footwear")
    found = interests_of([*kind(0, *range(1, 13)), *since])
    assert found[0].part == "footwear"
    new = sum(i.weight for i in found if i.part == "footwear")
    assert new / sum(i.weight for i in found) >= 6 / 7 - 1e-9


def test_looking_at_one_product_again_and_again_is_no_turn() -> None:
    before = kind(0, *range(1, 13))
    again = [
        Contribution(100 + n, "p-x", "g-x", "upper", "product.viewed", 1e5 + n, 1.0, *quantise(unit(5)))
        for n in range(4)
    ]
    for interest in interests_of([*before, *again]):
        assert len({c.product_id for c in interest.contributions}) == 13


def test_one_view_is_its_embedding_and_a_purchase_weighs_more() -> None:
    view = contribution(1, product=1)
    assert float(interests_of([view])[0].centroid @ view.embedding) > 0.9999
    axes = np.eye(DIM)
    both = [near(axes[0], 1), near(axes[1], 2, "product.purchased")]
    (interest,) = interests_of(both, PLAIN)
    assert float(interest.centroid @ axes[1]) / float(interest.centroid @ axes[0]) == pytest.approx(5**0.5)
    assert interest.weight == pytest.approx(6.0)


def test_one_product_is_a_whim_beside_interests_of_several_unless_it_was_bought() -> None:
    several = kind(0, 1, 2, 3, 4, 5)
    plain = {"recency_products": float("inf"), "pull": 0.5}

    def weights(one: Contribution, whim: float = 0.1) -> dict[bool, float]:
        found = interests_of([*several, one], TasteSettings(whim=whim, **plain))
        share = {True: 0.0, False: 0.0}
        for interest in found:
            share[9 in own(interest)] += interest.weight
        return share

    axes = np.eye(DIM)
    newest, older = near(axes[5], 9, event_time_s=1e4), near(axes[5], 9, event_time_s=-1e4)
    assert weights(newest) == {True: pytest.approx(5.0 / 9, rel=0.02), False: pytest.approx(5.0, rel=0.02)}
    assert weights(older)[True] == 0.0
    assert weights(older, whim=1.0)[True] == pytest.approx(1.0, rel=0.02)
    assert weights(near(axes[5], 9, "product.purchased"))[True] == pytest.approx(5.0, rel=0.01)
    assert interests_of([newest])[0].weight == pytest.approx(1.0)


def test_what_was_liked_long_ago_is_still_the_mean_of_all_of_it() -> None:
    axes = np.eye(DIM)
    old = [near(axes[0] + axes[n], n, part="upper", event_time_s=0.0) for n in (1, 2, 3)]
    new = near(axes[7], 9, part="lower", event_time_s=300 * DAY_S)
    alone = interests_of(old)[0].centroid
    upper = next(i for i in interests_of([*old, new]) if i.part == "upper")
    assert upper.weight < 1e-6
    assert float(upper.centroid @ axes[0]) > float(old[0].embedding @ axes[0]) + 0.05
    assert float(upper.centroid @ alone) > 0.98


def test_the_baseline_is_the_plain_mean_of_the_newest_twelve() -> None:
    of = TasteSettings.baseline()
    views = [contribution(997 * n % 101, "product.viewed", n % 5 * 3, 1.7e9 + n) for n in range(30)]
    (interest,) = interests_of(views, of)
    expected = np.sum([c.embedding for c in views[-12:]], axis=0)
    assert {c.key for c in interest.contributions} == {c.key for c in views[-12:]}
    np.testing.assert_allclose(interest.centroid, expected / np.linalg.norm(expected), atol=1e-6)


def test_where_only_sums_are_left_they_are_the_interest() -> None:
    small = TasteSettings(capacity=2)
    old = contribution(1, product=1, event_time_s=0.0)
    bought = contribution(2, "product.purchased", 2, DAY_S)
    returned = contribution(3, "product.refunded", 2, 2 * DAY_S)
    (interest,) = interests_of([old, bought, returned], small)
    assert float(interest.centroid @ old.embedding) > 0.9999
    assert interest.contributions == ()
    assert interest.weight > 0


@pytest.mark.parametrize(
    "contributions",
    [
        [],
        [contribution(1, "product.dismissed")],
        [contribution(1, "product.refunded")],
        [contribution(1, "product.purchased"), contribution(2, "product.refunded")],
    ],
    ids=["nothing", "dismissed", "returned", "bought and returned"],
)
def test_where_nothing_is_liked_there_is_no_interest(contributions: list[Contribution]) -> None:
    assert interests_of(contributions) == ()
