"""A shopper as a function of their events: whatever the order, however little room there is."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taste_cases import assert_same_taste, unit

from models.taste import shopper as shoppers
from models.taste.contributions import DAY_S, TAKES_BACK, WEIGHTS, Contribution, Taste, TasteSettings, net
from models.taste.exclusions import product_key
from models.taste.interests import interests
from models.taste.shopper import Act, GarmentSeen, Shopper, acted, merged
from models.taste.state import pack, unpack

NEW = Shopper("embedder")
SETTINGS = TasteSettings(capacity=8)
ROOMY = TasteSettings(capacity=100)
PARTS = ("upper", "lower", "footwear")


class Done(NamedTuple):
    """An interaction of a shopper; its product has one to three garments."""

    event_key: int
    action: str
    product: int
    event_time_s: float


def garments(product: int) -> list[GarmentSeen]:
    count = product % 3 + 1
    return [GarmentSeen(f"p-{product}/{n}", PARTS[n], unit(10 * product + n)) for n in range(count)]


def did(shopper: Shopper, done: Done, of: TasteSettings = SETTINGS) -> Shopper:
    product_id = f"p-{done.product}" + "x" * (done.product % 5 * 9)
    act = Act(done.event_key, done.action, product_id, done.event_time_s)
    return acted(shopper, act, garments(done.product), of)


def after(events: Sequence[Done], shopper: Shopper = NEW, of: TasteSettings = SETTINGS) -> Shopper:
    for done in events:
        shopper = did(shopper, done, of)
    return shopper


@st.composite
def logs(
    draw: st.DrawFn, first_key: int = 0, max_size: int = 12, products: int = 6, gap_s: float = DAY_S / 4
) -> list[Done]:
    """What somebody did, in the order of event time, each event under its own key."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([*WEIGHTS, *TAKES_BACK]), st.integers(0, products - 1), st.integers(0, 60)
            ),
            max_size=max_size,
        )
    )
    keys = draw(st.permutations(range(first_key, first_key + len(rows))))
    done = [Done(key, row[0], row[1], 1.7e9 + row[2] * gap_s) for key, row in zip(keys, rows, strict=True)]
    return sorted(done, key=lambda one: one.event_time_s)


def assert_same(one: Shopper, other: Shopper) -> None:
    assert_same_taste(one.taste, other.taste)
    assert dataclasses.replace(one, taste=Taste()) == dataclasses.replace(other, taste=Taste())


@given(logs(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_events_does_not_matter(log: list[Done], random: Any) -> None:
    assert_same(after(random.sample(log, len(log))), after(log))


@pytest.mark.parametrize("state_bytes", [5200, 5400, 5600])
def test_the_order_does_not_matter_where_every_exclusion_leaves_less_room(
    state_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shoppers, "STATE_BYTES", state_bytes)

    @given(logs(products=40, max_size=25), st.randoms(use_true_random=False))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(log: list[Done], random: Any) -> None:
        straight = after(log, of=ROOMY)
        assert_same(after(random.sample(log, len(log)), of=ROOMY), straight)
        assert len(pack(straight)) <= state_bytes
        half = len(log) // 2
        halves = (after(log[:half], of=ROOMY), after(log[half:], of=ROOMY))
        assert_same_taste(merged(*halves, "visitor", ROOMY).taste, straight.taste)

    check()


@given(logs(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_late_event_counts_as_if_on_time(log: list[Done], data: st.DataObject) -> None:
    if not log:
        return
    late = data.draw(st.sampled_from(log))
    assert_same(did(after([done for done in log if done != late]), late), after(log))


@given(logs(), logs(first_key=100), logs(first_key=200))
@settings(max_examples=40, deadline=None)
def test_merging_is_associative_commutative_and_repeatable(
    own: list[Done], one: list[Done], two: list[Done]
) -> None:
    user, first, second = after(own), after(one), after(two)
    both = merged(merged(user, first, "one", SETTINGS), second, "two", SETTINGS)
    other_way = merged(merged(user, second, "two", SETTINGS), first, "one", SETTINGS)
    assert_same_taste(other_way.taste, both.taste)
    assert other_way.excluded == both.excluded
    assert set(other_way.aliases) == set(both.aliases) == {"one", "two"}
    inside = merged(user, merged(first, second, "two", SETTINGS), "one", SETTINGS)
    assert_same_taste(inside.taste, both.taste)
    assert_same_taste(after([*own, *one, *two]).taste, both.taste)
    assert_same(merged(merged(both, first, "one", SETTINGS), second, "two", SETTINGS), both)


def liked(taste: Taste) -> dict[str, float]:
    """The weight of each contribution that counts, decayed to one time."""
    return {f"{c.key}": c.decayed(1.8e9, SETTINGS.half_life_s) for c in net(taste.contributions)}


@given(logs(max_size=8), st.sampled_from(sorted(TAKES_BACK.items())), st.integers(0, 5), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_adding_and_taking_back_is_as_if_nothing_had_been(
    log: list[Done], pair: tuple[str, str], product: int, later: int
) -> None:
    taken_back, action = pair
    log = [done for done in log if done.product != product or done.action not in pair]
    before = after(log, of=ROOMY)
    bought = Done(900, action, product, 1.7e9 + 20 * DAY_S)
    returned = Done(901, taken_back, product, bought.event_time_s + later)
    for order in ([bought, returned], [returned, bought]):
        shopper = after(order, before, ROOMY)
        assert liked(shopper.taste) == liked(before.taste)
        assert shopper.taste.forgotten is None
        expected, found = interests(before.taste, ROOMY), interests(shopper.taste, ROOMY)
        assert [i.weight for i in found] == [i.weight for i in expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.centroid, other.centroid)


@given(logs(max_size=20))
@settings(max_examples=60, deadline=None)
def test_weights_that_are_read_are_never_negative(log: list[Done]) -> None:
    shopper = after(log)
    for interest in interests(shopper.taste, SETTINGS):
        assert interest.weight >= 0.0
        assert min(interest.weights, default=0.0) >= 0.0
        assert float(np.linalg.norm(interest.centroid)) == pytest.approx(1.0, abs=1e-4)


@given(logs(max_size=20))
@settings(max_examples=40, deadline=None)
def test_packing_loses_nothing(log: list[Done]) -> None:
    shopper = after(log)
    assert_same(unpack(pack(shopper)), shopper)
    assert pack(unpack(pack(shopper))) == pack(shopper)


def test_the_garments_of_a_product_share_what_one_garment_would_have_alone() -> None:
    act = Act(1, "product.purchased", "p-2", 0.0)
    shared = acted(NEW, act, garments(2), SETTINGS).taste.contributions
    (alone,) = acted(NEW, act, garments(2)[1:2], SETTINGS).taste.contributions
    assert [c.weight for c in shared] == [np.float32(5 / 3)] * 3
    assert (alone.weight, alone.garment_id) == (5.0, "p-2/1")


def test_of_too_many_aliases_the_last_merged_stay() -> None:
    shopper = NEW
    for n in range(100):
        shopper = merged(shopper, NEW, f"visitor-{n:04d}", SETTINGS)
    assert shopper.aliases == tuple(f"visitor-{n:04d}" for n in range(100 - 73, 100))
    assert merged(shopper, NEW, shopper.aliases[0], SETTINGS).aliases == shopper.aliases


def test_every_exclusion_is_in_force_at_once() -> None:
    log = [Done(n, action, n, 1.7e9) for n, action in enumerate([*WEIGHTS, *TAKES_BACK])]
    ids = [f"p-{n}" + "x" * (n % 5 * 9) for n in range(len(log))]
    assert after(log).excluded == sorted(map(product_key, ids))


def test_contributions_fall_out_by_bytes_before_their_number_is_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shoppers, "STATE_BYTES", 5400)
    log = [Done(n, "product.viewed", n % 7 * 3, 1.7e9 + n) for n in range(50)]
    held: tuple[Contribution, ...] = after(log, of=ROOMY).taste.contributions
    assert 0 < len(held) < ROOMY.capacity
    assert {c.event_key for c in held} == set(range(50 - len({c.event_key for c in held}), 50))
