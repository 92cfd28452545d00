"""Ranking: no product or group twice, never too long, and the reason is what moved the score most."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taste_cases import SETTINGS, contribution, contribution_lists, unit

from models.taste.contributions import Contribution, Taste, add
from models.taste.interests import Interest, interests
from models.taste.ranking import Candidate, Offer, Pick, RankingSettings, compose, taste_places
from models.taste.reasons import reason
from models.taste.rules import Rule, Rules

SIMPLE = RankingSettings(length=6, exploration=0.0, part_quota=1.0, diversity=0.0)


def candidate(product: int, score: float = 0.5, **more: Any) -> Candidate:
    """A candidate with one garment, whose embedding follows from the product."""
    payload = {"part": more.get("part", "upper"), "brand": more.get("brand")}
    group = more.get("group")
    garment = f"p-{product}/{more.get('garment', 0)}"
    return Candidate(f"p-{product}", garment, group, score, unit(product), payload)


def candidates(*products: int, **more: Any) -> list[Candidate]:
    return [candidate(n, 1 - n / 1000, **more) for n in products]


def interest(weight: float = 1.0, product: int = 0) -> Interest:
    liked = contribution(product, product=product)
    return Interest("upper", unit(product), weight, (liked,), (weight,))


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Candidate]:
    """Candidates as a search gives them: best first, products and groups repeated, some without group."""
    drawn = st.tuples(
        st.integers(0, 9),
        st.integers(0, 2),
        st.sampled_from([None, "", "g1", "g2"]),
        st.floats(-1, 1),
        st.sampled_from(["upper", "lower", "whole"]),
        st.sampled_from([None, "acme", "other"]),
    )
    rows = draw(st.lists(drawn, max_size=12, unique_by=lambda row: row[:2]))
    return [
        candidate(product, score, garment=garment, group=group, part=part, brand=brand)
        for product, garment, group, score, part, brand in sorted(rows, key=lambda row: -row[3])
    ]


rule_books = st.sampled_from(
    [
        Rules(),
        Rules({"1": Rule("block", brand="ACME")}),
        Rules({"1": Rule("block", product_id="p-1"), "2": Rule("boost", brand="other", factor=9.0)}),
    ]
)
offers = st.builds(
    Offer,
    st.lists(st.tuples(st.floats(0, 9).map(interest), candidate_lists()), max_size=3),
    candidate_lists(),
    candidate_lists(),
    candidate_lists().map(lambda found: [(n + 1, c) for n, c in enumerate(found[:4])]),
    rule_books,
    st.integers(0, 5),
)
ranking_settings = st.builds(
    RankingSettings,
    st.integers(0, 24),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 4),
)


def everything(offer: Offer) -> list[Candidate]:
    of_taste = [c for _, found in offer.per_interest for c in found]
    return [*of_taste, *offer.trending, *offer.fresh, *(c for _, c in offer.pinned)]


def products(picks: Sequence[Pick]) -> list[str]:
    return [pick.candidate.product_id for pick in picks]


@given(offers, ranking_settings)
@settings(max_examples=120, deadline=None)
def test_a_set_is_distinct_bounded_obedient_and_as_full_as_can_be(offer: Offer, of: RankingSettings) -> None:
    picks = compose(offer, of)
    chosen = [pick.candidate for pick in picks]
    groups = [c.group_id for c in chosen if c.group_id]
    assert len(picks) <= of.length
    assert len(set(products(picks))) == len(picks)
    assert len(set(groups)) == len(groups)
    assert not any(offer.rules.blocks(c.product_id, c.payload) for c in chosen)
    if len(picks) < of.length:  # then nothing that could be taken was left
        for c in everything(offer):
            taken = c.product_id in products(picks) or (c.group_id and c.group_id in groups)
            assert taken or offer.rules.blocks(c.product_id, c.payload)


@given(offers, ranking_settings)
@settings(max_examples=60, deadline=None)
def test_every_pick_comes_from_its_slot_and_only_taste_has_reasons(offer: Offer, of: RankingSettings) -> None:
    offered = {
        "taste": [c for _, found in offer.per_interest for c in found],
        "trending": list(offer.trending),
        "fresh": list(offer.fresh),
        "pinned": [c for _, c in offer.pinned],
    }
    for pick in compose(offer, of):
        assert any(pick.candidate is c for c in offered[pick.slot])
        assert pick.slot == "taste" or pick.reason is None


@given(offers, ranking_settings)
@settings(max_examples=60, deadline=None)
def test_the_same_offer_makes_the_same_set(offer: Offer, of: RankingSettings) -> None:
    assert products(compose(offer, of)) == products(compose(offer, of))


def test_slots_follow_taste_then_trending_then_fresh_then_more_of_the_taste() -> None:
    offer = Offer(
        [(interest(), candidates(1, 2, 3, 4, 5, 6))], candidates(1, 10), candidates(10, 11), known=1
    )
    picks = compose(offer, RankingSettings(length=8, exploration=0.0, part_quota=0.1, diversity=0.0))
    assert [(pick.slot, pick.candidate.product_id) for pick in picks] == [
        ("trending", "p-1"),
        ("trending", "p-10"),
        ("fresh", "p-11"),
        *(("taste", f"p-{n}") for n in (2, 3, 4, 5, 6)),
    ]
    picks = compose(offer, SIMPLE)
    assert [pick.slot for pick in picks] == ["taste"] * 5 + ["trending"]


@given(st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_every_beginning_of_a_set_has_each_interest_in_its_share(one: int, other: int) -> None:
    offer = Offer(
        [
            (interest(one, 1), candidates(*range(100, 130))),
            (interest(other, 2), candidates(*range(200, 230))),
        ],
        known=9,
    )
    picks = compose(offer, RankingSettings(exploration=0.0, part_quota=1.0))
    for length in range(1, len(picks) + 1):
        of_one = sum(p.candidate.product_id < "p-200" for p in picks[:length])
        assert abs(of_one - length * one / (one + other)) <= 1.0


def test_an_interest_with_nothing_left_leaves_its_places_to_the_others() -> None:
    offer = Offer(
        [(interest(9.0, 1), candidates(1)), (interest(1.0, 2), candidates(*range(10, 20)))], known=3
    )
    assert products(compose(offer, SIMPLE)) == ["p-1", *(f"p-{n}" for n in range(10, 15))]


def test_a_part_keeps_its_quota_while_there_is_something_else() -> None:
    upper, lower = candidates(*range(1, 9)), candidates(*range(11, 19), part="lower")
    of = RankingSettings(length=10, exploration=0.0, part_quota=0.6, diversity=0.0)
    both = compose(Offer([(interest(), [*upper, *lower])], known=9), of)
    assert Counter(pick.candidate.payload["part"] for pick in both) == {"upper": 6, "lower": 4}
    assert len(compose(Offer([(interest(), upper)], known=9), of)) == 8


def test_diversity_prefers_what_is_not_yet_shown() -> None:
    twin = Candidate("p-2", "p-2/0", None, 0.99, unit(1), {"part": "upper"})
    found = [candidate(1, 1.0), twin, candidate(3, 0.9)]
    by_score = compose(Offer([(interest(), found)], known=9), SIMPLE)
    diverse = compose(Offer([(interest(), found)], known=9), RankingSettings(3, 0.0, 1.0, 0.5))
    assert products(by_score) == ["p-1", "p-2", "p-3"]
    assert products(diverse) == ["p-1", "p-3", "p-2"]


def test_fresh_garments_are_spread_and_never_first() -> None:
    for length in range(2, 25):
        of = RankingSettings(length, 0.3, 1.0, 0.0)
        offer = Offer([(interest(), candidates(*range(1, 30)))], (), candidates(*range(100, 130)), known=9)
        slots = [pick.slot for pick in compose(offer, of)]
        assert slots.count("fresh") == round(length * 0.3)
        assert slots[0] == "taste"


def test_different_tastes_are_shown_different_fresh_garments() -> None:
    of = RankingSettings(20, 0.1, 1.0, 0.0)
    shown = [
        tuple(
            pick.candidate.product_id
            for pick in compose(
                Offer(
                    [(interest(1.0, n), candidates(*range(1, 30)))], (), candidates(*range(100, 124)), known=9
                ),
                of,
            )
            if pick.slot == "fresh"
        )
        for n in range(24)
    ]
    assert {len(found) for found in shown} == {2}
    assert {product for found in shown for product in found} == {f"p-{n}" for n in range(100, 124)}


def test_pins_have_their_places_once_and_never_too_many() -> None:
    offer = Offer([(interest(), candidates(*range(1, 9)))], known=9)
    pins = [
        (1, candidate(50)),
        (3, candidate(51)),
        (4, candidate(50)),
        (99, candidate(52)),
        (2, candidate(4)),
    ]
    picks = compose(Offer(offer.per_interest, pinned=pins, known=9), SIMPLE)
    assert [(p.slot, p.candidate.product_id) for p in picks if p.slot == "pinned"] == [
        ("pinned", f"p-{n}") for n in (50, 4, 51, 52)
    ]
    assert (picks[0].candidate.product_id, len(picks)) == ("p-50", 6)
    many = [(n, candidate(n)) for n in range(1, 20)]
    assert len(compose(Offer(pinned=many), SIMPLE)) == 6


@pytest.mark.parametrize("scores", [(0.5, 0.4), (-0.4, -0.5)])
def test_a_boost_is_always_an_advantage(scores: tuple[float, float]) -> None:
    found = [candidate(1, scores[0]), candidate(2, scores[1], brand="acme")]
    boosted = Rules({"1": Rule("boost", brand="Acme", factor=3.0)})
    offer = Offer([(interest(), found)], rules=boosted, known=9)
    assert products(compose(offer, SIMPLE)) == ["p-2", "p-1"]


@given(contribution_lists(), st.integers(0, 50))
@settings(max_examples=120, deadline=None)
def test_the_reason_is_the_contribution_with_the_greatest_term(
    contributions: list[Contribution], seed: int
) -> None:
    x = unit(seed)
    for found_interest in interests(add(Taste(), contributions, SETTINGS), SETTINGS):
        terms = [
            weight * sum(float(a) * float(b) for a, b in zip(c.embedding, x, strict=True))
            for c, weight in zip(found_interest.contributions, found_interest.weights, strict=True)
        ]
        found = reason(found_interest, x)
        positive = sum(term for term in terms if term > 0)
        if max(terms, default=0.0) <= 1e-6 * max(found_interest.weights, default=1.0):
            assert found is None or positive > 0
            continue
        assert found is not None
        assert found.share == pytest.approx(max(terms) / positive, abs=1e-4)
        named = [
            term
            for term, c in zip(terms, found_interest.contributions, strict=True)
            if (c.product_id, c.garment_id, c.action) == (found.product_id, found.garment_id, found.action)
        ]
        assert max(named) == pytest.approx(max(terms), rel=1e-3)


def test_the_reason_is_not_the_heaviest_but_what_the_garment_is_most_like() -> None:
    heavy, alike = contribution(1, product=1), contribution(2, product=2)
    found = reason(Interest("upper", unit(1), 5.0, (heavy, alike), (2.0, 1.9)), unit(2))
    terms = 2.0 * float(heavy.embedding @ unit(2)), 1.9 * float(alike.embedding @ unit(2))
    assert terms[0] < terms[1]
    assert found is not None
    assert (found.product_id, found.share) == ("p-2", pytest.approx(terms[1] / (max(terms[0], 0) + terms[1])))


def test_a_pick_is_explained_by_the_interest_that_had_its_turn() -> None:
    offer = Offer([(interest(1.0, 1), [candidate(1)]), (interest(1.0, 2), [candidate(2)])], known=9)
    reasons = [pick.reason for pick in compose(offer, SIMPLE)]
    assert [r and (r.product_id, r.action, round(r.share, 4)) for r in reasons] == [
        ("p-1", "product.viewed", 1.0),
        ("p-2", "product.viewed", 1.0),
    ]


def test_what_points_away_is_no_reason() -> None:
    assert reason(interest(1.0, 1), -unit(1)) is None
    assert reason(Interest("whole", unit(1), 1.0, (), ()), unit(1)) is None


def test_a_candidate_that_cannot_be_explained_is_an_error() -> None:
    blind = Candidate("p-1", "g-1", None, 0.5, None, {})
    with pytest.raises(ValueError, match="g-1: got no embedding"):
        compose(Offer([(interest(), [blind])], known=9), SIMPLE)


@given(st.integers(0, 200), st.integers(0, 50))
def test_little_known_leaves_room_for_what_others_like(length: int, known: int) -> None:
    of = RankingSettings(length=length)
    places = taste_places(of, known)
    assert 0 <= places <= length
    assert (places == 0) == (known == 0 or length == 0)
    assert places <= taste_places(of, known + 1)
    assert (places == length) == (known >= of.settled or (length < 4 and known > 0) or length == 0)


def test_rules_match_what_they_name_without_case_and_nothing_unnamed() -> None:
    payload = {"brand": "Acme", "category": "Shorts", "product_category": "Apparel"}
    assert Rule("block", brand="ACME").matches("p", payload)
    assert Rule("block", brand="acme", category="apparel").matches("p", payload)
    assert Rule("block", product_id="P", category="shorts").matches("p", payload)
    assert not Rule("block", brand="acme", category="skirts").matches("p", payload)
    assert not Rule("block", brand="acme").matches("p", {"brand": None})
    assert not Rule("block").matches("p", payload)


def test_rules_answer_by_action_whatever_their_order() -> None:
    book = {
        "b": Rule("pin", product_id="p-2", position=3),
        "a": Rule("pin", product_id="p-1"),
        "c": Rule("boost", brand="acme", factor=2.0),
        "d": Rule("boost", category="shorts", factor=3.0),
        "e": Rule("block", product_id="p-9"),
    }
    for rules in (Rules(book), Rules(dict(reversed(book.items())))):
        assert [(place, rule.product_id) for place, rule in rules.pins()] == [(1, "p-1"), (3, "p-2")]
        assert rules.factor("p", {"brand": "acme", "category": "shorts"}) == 6.0
        assert rules.factor("p", {}) == 1.0
        assert rules.blocks("p-9", {})
        assert not rules.blocks("p-8", {})
