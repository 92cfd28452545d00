"""Who is who, over several partitions: handed over once, forwarded, never for ever, whatever the order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from crowd import Choose, Crowd, keys_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_shop import EMBEDDER, NOW_S

from models.taste import shopper as shoppers
from models.taste.exclusions import product_key
from models.taste.shopper import Shopper, reembedded
from schemas.cloudevents import Event
from streams.agents.identities import HOPS, MAX_HOPS, _hops

USER, VISITOR, OTHER = "user-7c1f", "visitor-90ab", "visitor-33e2"
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


class Act(NamedTuple):
    """A view by somebody, so many seconds after the beginning."""

    user_id: str
    product: int
    time_s: int


def acts(*user_ids: str, most: int = 8) -> Any:
    one = st.builds(Act, st.sampled_from(user_ids), st.integers(0, 5), st.integers(0, 1000))
    return st.lists(one, max_size=most)


@st.composite
def orders(draw: st.DrawFn) -> Choose:
    """One of the orders in which records may be delivered."""
    random = draw(st.randoms(use_true_random=False))
    return lambda open_: random.choice(open_)


def publish(shop: Crowd, log: list[Act], first: int = 0) -> None:
    for n, act in enumerate(log, first):
        time_s = NOW_S - 5000 + act.time_s
        shop.act("product.viewed", act.user_id, f"p{act.product}", event_id=f"view-{n}", time_s=time_s)


def identify(shop: Crowd, user_id: str, anonymous_id: str, time_s: float = NOW_S - 3000) -> None:
    event_id = f"identified-{user_id}-{anonymous_id}"
    shop.act("user.identified", user_id, anonymous_id=anonymous_id, event_id=event_id, time_s=time_s)


def expected(*logs: list[Act]) -> set[tuple[Any, ...]]:
    every = [act for log in logs for act in log]
    return {(f"p{a.product}", "product.viewed", round(NOW_S - 5000 + a.time_s, 3)) for a in every}


def assert_has(shop: Crowd, user_id: str, *logs: list[Act]) -> None:
    """The shopper's taste is that of these acts, each once."""
    held = shop.held(user_id)
    assert keys_of(held) == expected(*logs)
    acted = [act for log in logs for act in log]
    assert len(() if held is None else held.taste.contributions) == len(acted)
    assert set(() if held is None else held.seen) == {product_key(f"p{act.product}") for act in acted}


@given(acts(USER, VISITOR), acts(USER, VISITOR), orders(), orders(), st.randoms(use_true_random=False))
@QUICK
def test_an_anonymous_taste_is_merged_once_and_late_events_follow(
    before: list[Act], after: list[Act], choose: Choose, again: Choose, random: Any
) -> None:
    shop = Crowd()
    publish(shop, before)
    identify(shop, USER, VISITOR)
    publish(shop, after, 100)
    shop.settle(choose)
    assert_has(shop, USER, before, after)
    (held,) = [shop.held(USER)]
    assert held is not None
    assert held.aliases == (VISITOR,)
    shop.rewind(lambda place: random.randint(0, 30))
    shop.settle(again)
    assert_has(shop, USER, before, after)
    assert shop.dead() == []


@given(acts(USER, VISITOR), orders(), orders())
@QUICK
def test_everything_delivered_twice_is_as_once(log: list[Act], choose: Choose, again: Choose) -> None:
    shop = Crowd()
    publish(shop, log)
    identify(shop, USER, VISITOR)
    shop.settle(choose)
    shop.rewind(lambda place: 10**6)
    shop.settle(again)
    assert_has(shop, USER, log)


@given(
    acts(USER, VISITOR, OTHER),
    st.lists(st.permutations([USER, VISITOR, OTHER]).map(lambda ids: ids[:2]), min_size=1, max_size=5),
    acts(USER, VISITOR, OTHER),
    orders(),
)
@QUICK
def test_ids_that_are_said_to_be_each_other_send_nothing_round_for_ever(
    before: list[Act], pairs: list[list[str]], after: list[Act], choose: Choose
) -> None:
    shop = Crowd()
    publish(shop, before)
    for user_id, anonymous_id in pairs:
        identify(shop, user_id, anonymous_id)
    publish(shop, after, 100)
    shop.settle(choose, most=1500)
    shop.rewind(lambda place: 10**6)
    shop.settle(choose, most=3000)
    known = [keys_of(shop.held(user_id)) for user_id in (USER, VISITOR, OTHER)]
    assert set().union(*known) == expected(before, after)
    for shopper in filter(None, map(shop.held, (USER, VISITOR, OTHER))):
        assert len({c.key for c in shopper.taste.contributions}) == len(keys_of_events(shopper))
    assert shop.dead() == []


def keys_of_events(shopper: Shopper) -> set[int]:
    return {c.event_key for c in shopper.taste.contributions}


@given(st.booleans(), acts(VISITOR, OTHER), acts(VISITOR, OTHER), orders())
@QUICK
def test_a_visitor_of_a_visitor_is_the_user_too(
    nearest_first: bool, before: list[Act], after: list[Act], choose: Choose
) -> None:
    shop = Crowd()
    publish(shop, before)
    pairs = [(USER, VISITOR), (VISITOR, OTHER)]
    for user_id, anonymous_id in pairs if nearest_first else reversed(pairs):
        identify(shop, user_id, anonymous_id)
        shop.settle(choose)
    publish(shop, after, 100)
    shop.settle(choose)
    assert_has(shop, USER, before, after)


def test_of_two_ids_that_are_each_other_the_one_identified_last_stays() -> None:
    shop = Crowd()
    publish(shop, [Act(USER, 1, 0), Act(VISITOR, 2, 1)])
    identify(shop, VISITOR, USER)
    shop.settle()
    identify(shop, USER, VISITOR)
    shop.settle()
    user, visitor = shop.held(USER), shop.held(VISITOR)
    assert user is not None
    assert visitor is not None
    assert (user.forward_to, visitor.forward_to) == (None, USER)
    assert len(shop.of_type("taste-requests", "taste.handed_over")) == 2
    publish(shop, [Act(USER, 3, 5), Act(VISITOR, 4, 6)], 100)
    shop.settle()
    assert_has(shop, USER, [Act(USER, 1, 0), Act(VISITOR, 2, 1), Act(USER, 3, 5), Act(VISITOR, 4, 6)])


def test_rows_that_point_at_each_other_send_an_event_round_a_few_times_only() -> None:
    shop = Crowd()
    shop.put(USER, Shopper(EMBEDDER, forward_to=VISITOR))
    shop.put(VISITOR, Shopper(EMBEDDER, forward_to=USER))
    publish(shop, [Act(USER, 1, 0)])
    assert shop.settle(most=100) < 12
    assert keys_of(shop.held(USER)) | keys_of(shop.held(VISITOR)) == expected([Act(USER, 1, 0)])
    assert len(shop.topics.of("interactions")) == 1 + MAX_HOPS


def test_a_forwarded_event_is_the_users_own() -> None:
    shop = Crowd()
    identify(shop, USER, VISITOR)
    shop.settle()
    publish(shop, [Act(VISITOR, 2, 10)])
    shop.settle()
    (answer,) = [a for a in shop.sets() if "view-0" in a.includes]
    assert (answer.user_id, answer.trigger.id) == (USER, "view-0")
    assert answer.strategy != "trending"
    forwarded = shop.topics.of("interactions")[-1]
    assert (forwarded.key, dict(forwarded.headers)["ce_subject"]) == (USER.encode(), USER.encode())
    assert VISITOR.encode() not in forwarded.value + b"".join(raw for _, raw in forwarded.headers)


def test_what_was_applied_before_the_handover_is_not_forwarded_as_well() -> None:
    shop = Crowd()
    publish(shop, [Act(VISITOR, 1, 0)])
    shop.settle()
    identify(shop, USER, VISITOR)
    shop.settle()
    count = len(shop.topics.of("interactions"))
    shop.rewind(lambda place: 10**6)
    shop.settle()
    assert len(shop.topics.of("interactions")) == count
    assert_has(shop, USER, [Act(VISITOR, 1, 0)])


def test_an_id_that_was_handed_over_has_no_taste_on_the_topic_any_more() -> None:
    shop = Crowd()
    publish(shop, [Act(VISITOR, 1, 0)])
    shop.settle()
    assert shop.found(VISITOR) == ["table tastes", "topic recommendations", "topic tastes"]
    identify(shop, USER, VISITOR)
    shop.settle()
    tastes = [where for where, data in shop.everything() if data.startswith(VISITOR.encode())]
    assert sorted(tastes) == ["table tastes", "topic recommendations"]


def test_the_user_is_answered_with_the_visitors_taste_at_once() -> None:
    shop = Crowd()
    publish(shop, [Act(VISITOR, 1, 0), Act(VISITOR, 2, 1)])
    identify(shop, USER, VISITOR)
    shop.settle()
    answer = shop.sets(USER)[-1]
    assert answer.trigger.type == "user.identified"
    assert answer.includes == [f"identified-{USER}-{VISITOR}"]
    assert {item.because.product_id for item in answer.items if item.because} <= {"p1", "p2"}
    assert not {"p1", "p2"} & {item.product_id for item in answer.items}


def test_an_unknown_visitor_is_handed_over_as_nothing() -> None:
    shop = Crowd()
    identify(shop, USER, VISITOR)
    shop.settle()
    assert_has(shop, USER)
    visitor = shop.held(VISITOR)
    assert visitor is not None
    assert visitor.forward_to == USER


def test_a_taste_of_another_embedder_is_handed_over_and_rebuilt() -> None:
    shop = Crowd()
    publish(shop, [Act(VISITOR, 1, 0), Act(VISITOR, 2, 1)])
    shop.settle()
    visitor = shop.held(VISITOR)
    assert visitor is not None
    shop.put(VISITOR, reembedded(visitor, "another-embedder", {}, shop.settings))
    identify(shop, USER, VISITOR)
    shop.settle()
    assert_has(shop, USER, [Act(VISITOR, 1, 0), Act(VISITOR, 2, 1)])
    held = shop.held(USER)
    assert held is not None
    assert all(c.scale > 0 for c in held.taste.contributions)


def test_an_alias_that_there_is_no_room_for_is_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoppers, "MAX_ALIASES_BYTES", 2 * (2 + len("visitor-0")))
    shop = Crowd()
    for n in range(3):
        publish(shop, [Act(f"visitor-{n}", n, n)], n)
        identify(shop, USER, f"visitor-{n}")
        shop.settle()
    held = shop.held(USER)
    assert held is not None
    assert held.aliases == ("visitor-1", "visitor-2")
    assert shop.found("visitor-0") == []
    assert_has(shop, USER, [Act(f"visitor-{n}", n, n) for n in range(3)])


def test_a_hostile_count_of_hops_is_none() -> None:
    def said(text: str) -> Event:
        return Event("1", "test", "product.viewed", datetime.now(UTC), {}, extensions={HOPS: text})

    assert [_hops(said(text)) for text in ("x", "-3", "", "٣", "9999", "1e2", "²")] == [0] * 7
    assert _hops(said("3")) == 3
