"""Ranking: no product or group twice, never too long, and the reason is what moved the score most."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taste_cases import SETTINGS, contribution_lists, unit

from models.taste.contributions import Contribution, Taste, add
from models.taste.interests import Interest, interests
from models.taste.ranking import Candidate, compose, distinct, reason, taste_slots

EMPTY = Interest(unit(0), 1.0, (), ())


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Candidate]:
    """Candidates as a search gives them: best first, products and groups repeated, some without group."""
    drawn = st.tuples(
        st.integers(0, 9), st.integers(0, 2), st.sampled_from([None, "", "g1", "g2"]), st.floats(-1, 1)
    )
    rows = draw(st.lists(drawn, max_size=15, unique_by=lambda row: row[:2]))
    return [
        Candidate(f"p-{product}", f"p-{product}/{garment}", group, score, unit(10 * product + garment), {})
        for product, garment, group, score in sorted(rows, key=lambda row: -row[3])
    ]


def interests_of(contributions: list[Contribution]) -> tuple[Interest, ...]:
    return interests(add(Taste(), contributions, SETTINGS), SETTINGS)


def assert_distinct(candidates: list[Candidate]) -> None:
    products = [c.product_id for c in candidates]
    groups = [c.group_id for c in candidates if c.group_id]
    assert len(products) == len(set(products))
    assert len(groups) == len(set(groups))


@given(candidate_lists(), candidate_lists())
def test_distinct_keeps_the_first_of_each_product_and_group(
    candidates: list[Candidate], others: list[Candidate]
) -> None:
    taken = distinct(others)
    kept = distinct(candidates, taken)
    assert_distinct([*taken, *kept])
    places = [candidates.index(c) for c in kept]
    assert places == sorted(places)
    for c in candidates:
        if c not in kept:
            before = [*taken, *(k for k in kept if candidates.index(k) < candidates.index(c))]
            assert any(
                b.product_id == c.product_id or (c.group_id and b.group_id == c.group_id) for b in before
            )


@given(
    st.lists(candidate_lists(), max_size=3),
    candidate_lists(),
    candidate_lists(),
    st.integers(0, 24),
    st.integers(0, 30),
)
@settings(max_examples=200, deadline=None)
def test_a_set_is_distinct_bounded_and_as_full_as_can_be(
    per_interest: list[list[Candidate]],
    trending: list[Candidate],
    fresh: list[Candidate],
    length: int,
    of_taste: int,
) -> None:
    fallbacks = [("trending", trending), ("fresh", fresh)]
    picks = compose([(EMPTY, found) for found in per_interest], fallbacks, length, of_taste)
    chosen = [pick.candidate for pick in picks]
    assert_distinct(chosen)
    assert len(picks) <= length
    every = [*(c for found in per_interest for c in found), *trending, *fresh]
    if len(picks) < length:
        assert distinct(every, chosen) == []
    of_the_taste = [pick for pick in picks if pick.slot == "taste"]
    alone = distinct(sorted((c for f in per_interest for c in f), key=lambda c: (-c.score, c.garment_id)))
    assert [p.candidate.garment_id for p in of_the_taste[:of_taste]] == [
        c.garment_id for c in alone[: min(length, of_taste)]
    ]
    assert all(pick.reason is None for pick in picks)
    order = [pick.slot for pick in picks]
    assert order[: min(length, of_taste, len(alone))] == ["taste"] * min(length, of_taste, len(alone))


def test_slots_follow_taste_then_fallbacks_in_their_order_then_more_of_the_taste() -> None:
    def candidates(*products: int) -> list[Candidate]:
        return [Candidate(f"p-{n}", f"g-{n}", None, 1 - n / 100, unit(n), {}) for n in products]

    fallbacks = [("trending", candidates(1, 10)), ("fresh", candidates(10, 11))]
    picks = compose([(EMPTY, candidates(1, 2, 3, 4))], fallbacks, length=6, of_taste=2)
    assert [(pick.slot, pick.candidate.product_id) for pick in picks] == [
        ("taste", "p-1"),
        ("taste", "p-2"),
        ("trending", "p-10"),
        ("fresh", "p-11"),
        ("taste", "p-3"),
        ("taste", "p-4"),
    ]


@given(contribution_lists(), st.integers(0, 50))
@settings(max_examples=200, deadline=None)
def test_the_reason_is_the_liked_contribution_with_the_greatest_term(
    contributions: list[Contribution], seed: int
) -> None:
    x = unit(seed).astype(np.float64)
    for interest in interests_of(contributions):
        terms = {
            c.key: weight * sum(float(a) * float(b) for a, b in zip(c.embedding, x, strict=True))
            for c, weight in zip(interest.contributions, interest.weights, strict=True)
        }
        liked = {
            c.key: terms[c.key]
            for c, weight in zip(interest.contributions, interest.weights, strict=True)
            if weight > 0 and terms[c.key] > 1e-6
        }
        found = reason(interest, unit(seed))
        if not liked:
            assert found is None or found.share < 1e-3
            continue
        assert found is not None
        positive = sum(term for term in terms.values() if term > 0)
        assert found.share == pytest.approx(max(liked.values()) / positive, abs=1e-5)
        named = [
            c.key
            for c in interest.contributions
            if (c.product_id, c.garment_id, c.action) == (found.product_id, found.garment_id, found.action)
        ]
        assert any(liked.get(key, -1.0) == pytest.approx(max(liked.values()), abs=1e-5) for key in named)


def test_what_is_disliked_is_no_reason_even_for_its_opposite() -> None:
    away = contribution_with(1, "product.dismissed", -3.0, unit(1))
    near = contribution_with(2, "product.viewed", 1.0, unit(2))
    x = (-unit(1) + 0.2 * unit(2)).astype(np.float32)
    assert float(near.embedding @ x) > 0.0
    found = reason(Interest(x, 1.0, (away, near), (-3.0, 1.0)), x)
    assert found is not None
    assert found.action == "product.viewed"
    assert 0.0 < found.share < 0.5


def contribution_with(key: int, action: str, weight: float, embedding: np.ndarray) -> Contribution:
    codes = np.rint(embedding * 127).astype(np.int8)
    return Contribution(key, f"p-{key}", f"g-{key}", "whole", action, 0.0, weight, codes, 1 / 127)


def test_no_contributions_no_reason() -> None:
    assert reason(EMPTY, unit(1)) is None


def test_a_candidate_that_cannot_be_explained_is_an_error() -> None:
    blind = Candidate("p-1", "g-1", None, 0.5, None, {})
    with pytest.raises(ValueError, match="g-1: got no embedding"):
        compose([(EMPTY, [blind])], [], 5, 5)


def test_a_garment_of_two_interests_is_explained_by_the_nearer() -> None:
    def interest(product: int) -> Interest:
        c = contribution_with(product, "product.viewed", 1.0, unit(product))
        return Interest(unit(product), 1.0, (c,), (1.0,))

    x = unit(2)
    near, far = Candidate("p", "g", None, 0.9, x, {}), Candidate("p", "g", None, 0.1, x, {})
    (pick,) = compose([(interest(1), [far]), (interest(2), [near])], [], 5, 5)
    assert pick.reason is not None
    assert pick.reason.product_id == "p-2"


@given(st.integers(0, 200), st.integers(0, 50))
def test_little_known_leaves_room_for_what_others_like(length: int, contributions: int) -> None:
    slots = taste_slots(length, contributions)
    assert 0 <= slots <= length
    assert (slots == 0) == (contributions == 0 or length == 0)
    assert slots <= taste_slots(length, contributions + 1)
    assert contributions < 3 or slots == length
    assert contributions in (0, 3) or length < 4 or contributions > 3 or slots < length
