"""A shopper: what interactions leave behind, in any order, once, and never more than may be kept."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taste_cases import SETTINGS, assert_same_taste, unit

from models.taste.contributions import DAY_S, TAKES_BACK, WEIGHTS, TasteSettings
from models.taste.exclusions import UNIT_S, product_key
from models.taste.interests import interests
from models.taste.shopper import (
    MAX_EXCLUDED,
    MAX_RECENT_EVENTS,
    MAX_SEEN,
    Act,
    GarmentSeen,
    Position,
    Shopper,
    acted,
    at,
    key_of,
    merged,
    reembedded,
    unresolved,
)
from models.taste.state import pack, unpack

NEW = Shopper("embedder")
ROOMY = TasteSettings(capacity=100)
acts = st.builds(
    lambda action, product, day: (action, f"p-{product}", 1.7e9 + day * DAY_S),
    st.sampled_from([*WEIGHTS, *TAKES_BACK]),
    st.integers(0, 4),
    st.integers(0, 10),
)
positions = st.builds(
    Position, st.sampled_from(["interactions", "taste-requests"]), st.integers(0, 2), st.integers(0, 9)
)


def garments(product_id: str, count: int = 1) -> list[GarmentSeen]:
    seed = int(product_id[2:]) * 10
    return [GarmentSeen(f"{product_id}/{n}", "upper", unit(seed + n)) for n in range(count)]


def after(shopper: Shopper, event_key: int, action: str, product_id: str, time_s: float = 1.7e9) -> Shopper:
    return acted(shopper, Act(event_key, action, product_id, time_s), garments(product_id), SETTINGS)


@given(st.lists(acts, max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_arrival_does_not_matter(drawn: list[tuple[str, str, float]], random: Any) -> None:
    keyed = list(enumerate(drawn))
    shuffled = list(keyed)
    random.shuffle(shuffled)
    one, other = NEW, NEW
    for key, (action, product_id, time_s) in keyed:
        one = after(one, key, action, product_id, time_s)
    for key, (action, product_id, time_s) in shuffled:
        other = after(other, key, action, product_id, time_s)
    assert_same_taste(one.taste, other.taste)
    assert replace(one, taste=NEW.taste) == replace(other, taste=NEW.taste)
    assert one.excluded == other.excluded == sorted({product_key(row[1]) for row in drawn})


@given(st.lists(st.tuples(positions, st.none() | st.integers(0, 5)), max_size=20))
def test_what_was_applied_is_known_and_the_revision_only_grows(applied: list[tuple[Position, Any]]) -> None:
    shopper = NEW
    for count, (position, event_key) in enumerate(applied):
        known = shopper.knows(position, event_key)
        repeated = position.offset <= shopper.applied.get((position.topic, position.partition), -1)
        assert known == (repeated or (event_key is not None and event_key in shopper.recent))
        before, shopper = shopper, at(shopper, position, event_key)
        assert shopper.revision == count + 1
        assert shopper.knows(position, event_key)
        assert shopper.knows(position, None)
        if repeated:
            assert replace(shopper, revision=before.revision) == before
        for place, offset in before.applied.items():
            assert shopper.applied[place] >= offset


def test_a_duplicate_under_a_new_offset_is_known_by_its_id() -> None:
    shopper = at(NEW, Position("interactions", 0, 5), 77)
    assert shopper.knows(Position("interactions", 0, 900), 77)
    assert not shopper.knows(Position("interactions", 0, 900), 78)
    assert not shopper.knows(Position("interactions", 1, 5), None)
    assert not shopper.knows(Position("taste-requests", 0, 5), None)


def test_recent_events_are_bounded_and_the_oldest_go_first() -> None:
    shopper = NEW
    for n in range(MAX_RECENT_EVENTS + 10):
        shopper = at(shopper, Position("interactions", 0, n), n)
    assert shopper.recent == tuple(range(10, MAX_RECENT_EVENTS + 10))


@pytest.mark.parametrize(
    ("action", "kept", "most"),
    [
        ("product.viewed", "seen", MAX_SEEN),
        ("product.added_to_cart", "seen", MAX_SEEN),
        ("product.refunded", "seen", MAX_SEEN),
        ("product.purchased", "bought", MAX_EXCLUDED),
        ("product.dismissed", "dismissed", MAX_EXCLUDED),
    ],
)
def test_exclusions_keep_the_newest(action: str, kept: str, most: int) -> None:
    shopper = NEW
    for n in range(most + 5):
        act = Act(n, action, f"p-{n}", 1.7e9 + UNIT_S * n)
        shopper = acted(shopper, act, (), SETTINGS)
    held = getattr(shopper, kept)
    assert set(held) == {product_key(f"p-{n}") for n in range(5, most + 5)}
    assert shopper.excluded == sorted(held)
    late = acted(shopper, Act(-1, action, "p-0", 0.0), (), SETTINGS)
    assert getattr(late, kept) == held


def test_an_exclusion_has_the_newest_time_whatever_came_last() -> None:
    shopper = after(after(NEW, 1, "product.viewed", "p-1", 500.0), 2, "product.viewed", "p-1", 20.0)
    assert shopper.seen == {product_key("p-1"): 500 // UNIT_S * UNIT_S}


@pytest.mark.parametrize("time_s", [-6e10, -1.0, 0.0, 63.9, 1.7e9 + 0.123456, 2.0**32, 2.5e11])
def test_exclusions_take_any_time_and_keep_it_when_packed(time_s: float) -> None:
    shopper = after(NEW, 1, "product.viewed", "p-1", time_s)
    (kept_s,) = shopper.seen.values()
    assert 0 <= kept_s < 2**32
    assert abs(kept_s - min(max(time_s, 0.0), 2.0**32 - 1)) < UNIT_S
    assert unpack(pack(shopper)).seen == shopper.seen


def test_the_garments_of_a_product_share_its_weight() -> None:
    shopper = acted(NEW, Act(1, "product.purchased", "p-1", 0.0), garments("p-1", 4), SETTINGS)
    assert [c.weight for c in shopper.taste.contributions] == [1.25] * 4
    assert {c.garment_id for c in shopper.taste.contributions} == {f"p-1/{n}" for n in range(4)}


def test_a_return_takes_back_every_garment_of_the_product() -> None:
    bought = acted(NEW, Act(1, "product.purchased", "p-1", 0.0), garments("p-1", 3), SETTINGS)
    assert interests(bought.taste, SETTINGS)
    returned = acted(bought, Act(2, "product.refunded", "p-1", 9.0), garments("p-1", 3), SETTINGS)
    assert interests(returned.taste, SETTINGS) == ()
    assert product_key("p-1") in returned.excluded


def test_a_product_without_garments_is_only_excluded() -> None:
    shopper = acted(NEW, Act(1, "product.viewed", "p-1", 0.0), (), SETTINGS)
    assert shopper.taste == NEW.taste
    assert shopper.excluded == [product_key("p-1")]
    assert 0 <= product_key("p-1") < 2**32


@given(st.lists(st.lists(st.text(max_size=5), min_size=1, max_size=3), max_size=20))
def test_keys_are_63_bits_and_told_apart(texts: list[list[str]]) -> None:
    joined = {"\x00".join(row) for row in texts}
    keys = {key_of(*row) for row in texts}
    assert all(0 <= key < 2**63 for key in keys)
    assert len(keys) == len(joined)
    assert key_of("p-1") == key_of("p-1")


def shopped(
    drawn: list[tuple[str, str, float]],
    first_key: int = 0,
    of: TasteSettings = SETTINGS,
    shopper: Shopper = NEW,
) -> Shopper:
    for key, (action, product_id, time_s) in enumerate(drawn, first_key):
        act = Act(key, action, product_id, time_s)
        shopper = acted(shopper, act, garments(product_id), of)
    return shopper


@given(st.lists(acts, max_size=10), st.lists(acts, max_size=10))
@settings(max_examples=60, deadline=None)
def test_a_merged_taste_is_that_of_all_events_and_merging_again_changes_nothing(
    own: list[tuple[str, str, float]], anonymous: list[tuple[str, str, float]]
) -> None:
    user, visitor = shopped(own), shopped(anonymous, 100)
    both = merged(user, visitor, "visitor", SETTINGS)
    together = shopped(anonymous, 100, shopper=user)
    assert_same_taste(both.taste, together.taste)
    assert both.excluded == together.excluded
    assert both.aliases == ("visitor",)
    again = merged(both, visitor, "visitor", SETTINGS)
    assert_same_taste(again.taste, both.taste)
    assert replace(again, taste=NEW.taste) == replace(both, taste=NEW.taste)
    later = shopped(own, 200, shopper=both)
    assert_same_taste(merged(later, visitor, "visitor", SETTINGS).taste, later.taste)


def test_a_user_keeps_what_was_said_and_learns_the_rest_from_the_visitor() -> None:
    user, visitor = replace(NEW, gender="female"), replace(NEW, gender="male", age_group="adult")
    both = merged(user, visitor, "visitor", SETTINGS)
    assert (both.gender, both.age_group, both.revision) == ("female", "adult", 0)


@given(st.lists(acts, max_size=10), st.sets(st.integers(0, 4)))
@settings(max_examples=60, deadline=None)
def test_on_another_embedder_a_taste_is_rebuilt_as_far_as_its_products_are_found(
    drawn: list[tuple[str, str, float]], found: set[int]
) -> None:
    before = shopped(drawn, of=ROOMY)
    bought = {c.product_id for c in before.taste.contributions}
    assert unresolved(before, "embedder") == set()
    assert unresolved(before, "other") == bought
    embeddings = {f"p-{n}/0": unit(1000 + n, dim=12) for n in found}
    after = unpack(pack(reembedded(before, "other", embeddings, ROOMY)))
    assert after.embedder == "other"
    assert unresolved(after, "other") == bought - {f"p-{n}" for n in found}
    assert [c.key for c in after.taste.contributions] == [c.key for c in before.taste.contributions]
    for interest in interests(after.taste, ROOMY):
        assert interest.centroid.shape == (12,)
        assert {c.product_id for c in interest.contributions} <= {f"p-{n}" for n in found}
    rest = {f"p-{n}/0": unit(1000 + n, dim=12) for n in range(5)}
    whole = reembedded(after, "other", rest, ROOMY)
    assert unresolved(whole, "other") == set()
    straight = reembedded(before, "other", rest, ROOMY)
    assert_same_taste(whole.taste, straight.taste)


@given(st.lists(acts, min_size=1, max_size=12), st.lists(acts, min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_taste_goes_on_while_its_embeddings_are_still_to_be_found(
    before: list[tuple[str, str, float]], later: list[tuple[str, str, float]]
) -> None:
    """Contributions without an embedding stand aside: new ones of any length are added, packed and read."""
    shopper = reembedded(shopped(before), "other", {}, SETTINGS)
    for key, (action, product_id, time_s) in enumerate(later, 100):
        found = [GarmentSeen(f"{product_id}/0", "upper", unit(int(product_id[2:]), dim=12))]
        shopper = acted(shopper, Act(key, action, product_id, time_s), found, SETTINGS)
        shopper = unpack(pack(shopper))
        assert all(i.centroid.shape == (12,) for i in interests(shopper.taste, SETTINGS))
