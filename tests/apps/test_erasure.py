"""An erased user is gone from all that stays, does not come back with old events, and may begin anew."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from crowd import Crowd, keys_of
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_shop import NOW_S, PARTITIONS
from test_identities import OTHER, QUICK, USER, VISITOR, Act, acts, expected, identify, orders, publish

from schemas.cloudevents import Event, write_event
from schemas.events import RECOMMENDATIONS, read
from schemas.recommendations import Trigger
from schemas.requests import TasteRequested
from streams.agents.erasure import Marker, Markers
from streams.agents.wait_for_garments import TICK
from streams.record import Record, murmur2_partition

ERASED_AT_S = NOW_S - 2000
EVERYWHERE = ["table tastes", "table waiting", "topic recommendations", "topic tastes"]


def erase(shop: Crowd, user_id: str = USER, time_s: float = ERASED_AT_S, name: str = "erased") -> Record:
    return shop.act("user.erased", user_id, event_id=f"{name}-{user_id}", time_s=time_s)


def known_shop() -> Crowd:
    """Somebody with a taste, a visitor's taste, a set, and an event that waits for its product."""
    shop = Crowd(late=("p9",))
    waiting = [Act(USER, 9, 2), Act(VISITOR, 9, 3), Act(OTHER, 9, 4)]
    publish(shop, [Act(USER, 1, 0), Act(VISITOR, 2, 1), *waiting])
    identify(shop, USER, VISITOR)
    publish(shop, [Act(USER, 3, 5), Act(VISITOR, 4, 6), Act(OTHER, 5, 7)], 100)
    shop.settle()
    return shop


def test_nothing_of_an_erased_user_stays() -> None:
    shop = known_shop()
    assert shop.found(USER) == shop.found(USER, VISITOR)
    assert shop.found(USER) == EVERYWHERE
    erase(shop)
    shop.settle()
    assert shop.found(USER, VISITOR) == []
    other = shop.held(OTHER)
    assert other is not None
    assert shop.found(OTHER) == EVERYWHERE
    assert shop.dead() == []


def test_an_erasure_is_confirmed_and_then_the_sets_are_taken_away() -> None:
    shop = known_shop()
    erase(shop)
    shop.settle()
    for name in (USER, VISITOR):
        of_topic = [r for r in shop.topics.of("recommendations") if r.key == name.encode()]
        *_, confirmed, tombstone = of_topic
        event, data = read(
            RECOMMENDATIONS, confirmed.headers, confirmed.value, confirmed.key, confirmed.appended_at
        )
        assert (event.type, data.user_id, event.time.timestamp()) == ("shopper.erased", name, ERASED_AT_S)
        assert tombstone.value is None
        assert [r for r in shop.topics.of("tastes") if r.key == name.encode()][-1].value is None


def test_what_waits_is_forgotten_everywhere_before_its_product_comes() -> None:
    shop = known_shop()
    erase(shop)
    shop.settle()
    count = len(shop.topics.of("interactions"))
    shop.parked.at = murmur2_partition(b"p9", PARTITIONS)
    asyncio.run(shop.wait._release(b"p9"))
    released = shop.topics.of("interactions")[count:]
    assert [r.key for r in released] == [OTHER.encode()]


@given(acts(USER, VISITOR, OTHER), st.booleans(), orders(), orders(), st.randoms(use_true_random=False))
@QUICK
def test_in_any_order_nothing_from_before_the_erasure_is_left(
    log: list[Act], late: bool, choose: Any, again: Any, random: Any
) -> None:
    """Interactions, identification and erasure race over the partitions; then all is read again."""
    shop = Crowd(late=("p5",))
    half = len(log) // 2
    publish(shop, log[:half])
    if not late:
        identify(shop, USER, VISITOR)
    publish(shop, log[half:], 100)
    erase(shop)
    if late:  # sent before the erasure, appended after it
        identify(shop, USER, VISITOR)
    shop.settle(choose)
    assert shop.found(USER, VISITOR) == []
    shop.rewind(lambda place: random.randint(0, 50))
    shop.settle(again)
    assert shop.found(USER, VISITOR) == []
    assert keys_of(shop.held(OTHER)) == expected([a for a in log if a.user_id == OTHER and a.product != 5])


@given(acts(USER, VISITOR), acts(USER), orders(), orders(), st.randoms(use_true_random=False))
@QUICK
def test_events_after_an_erasure_begin_anew_and_old_ones_do_not_come_back(
    before: list[Act], after: list[Act], choose: Any, again: Any, random: Any
) -> None:
    shop = Crowd()
    publish(shop, before)
    shop.settle(choose)
    erase(shop)
    shop.settle(choose)
    newer = [Act(USER, act.product, 4000 + act.time_s) for act in after]
    publish(shop, newer, 100)
    replayed = [r for r in shop.topics.of("interactions") if b"view-" in dict(r.headers)["ce_id"]]
    for record in random.sample(replayed, len(replayed)):  # as from a backup or from the dead letters
        shop.topics.append("interactions", record.key, record.value, record.headers)
    erase(shop, name="again")  # the same request from another system, with the same time
    shop.settle(choose)
    assert keys_of(shop.held(USER)) == expected(newer)
    shop.rewind(lambda place: random.randint(0, 60))
    shop.settle(again)
    assert keys_of(shop.held(USER)) == expected(newer)


def test_revisions_go_on_where_they_were() -> None:
    shop = Crowd()
    publish(shop, [Act(USER, n, n) for n in range(4)])
    shop.settle()
    last = shop.sets(USER)[-1].revision
    erase(shop)
    publish(shop, [Act(USER, 1, 4500)], 100)
    shop.settle()
    of_user = [r for r in shop.topics.of("recommendations") if r.key == USER.encode()]
    (answer,) = [
        read(RECOMMENDATIONS, r.headers, r.value, r.key, r.appended_at)[1]
        for r in of_user[-1:]
        if r.value is not None
    ]
    assert answer.revision > last
    assert {i.because.product_id for i in answer.items if i.because} == {"p1"}


def test_a_second_later_erasure_takes_what_was_begun_anew() -> None:
    shop = known_shop()
    erase(shop)
    publish(shop, [Act(USER, 1, 4000)], 200)
    shop.settle()
    assert shop.held(USER) is not None
    erase(shop, time_s=NOW_S, name="second")
    shop.settle()
    assert shop.found(USER) == []


def test_a_request_from_before_the_erasure_does_not_bring_a_set_back() -> None:
    shop = known_shop()
    erase(shop)
    shop.settle()
    asked = TasteRequested(user_id=USER, trigger=Trigger(type="garments.removed", id="1", time=moment(NOW_S)))
    shop.publish("taste-requests", "taste.requested", asked.model_dump(mode="json"))
    shop.settle()
    assert shop.found(USER) == []


def moment(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)


def test_of_one_batch_an_erasure_leaves_no_set_behind() -> None:
    shop = Crowd()
    publish(shop, [Act(USER, 1, 0), Act(OTHER, 2, 1)])
    asyncio.run(deliver_all(shop, "interactions"))
    erase(shop)
    asyncio.run(deliver_all(shop, "interactions"))
    asyncio.run(shop.recommend.handle(shop.topics.of("tastes")))
    assert shop.found(USER) == []
    said = [record for record in shop.topics.of("recommendations") if record.key == USER.encode()]
    assert [dict(record.headers).get("ce_type") for record in said] == [b"shopper.erased", None]
    assert [answer.user_id for answer in shop.sets(OTHER)] == [OTHER]


async def deliver_all(shop: Crowd, topic: str) -> None:
    for place, log in shop.logs().items():
        if place[0] == topic:
            for record in log[shop.cursors.get(place, 0) :]:
                await shop.deliver(record)
            shop.cursors[place] = len(log)


def tick(shop: Crowd, seconds_later: float) -> None:
    """What the worker sends on every partition now and then."""
    shop.topics.clock_s += seconds_later
    for partition in range(PARTITIONS):
        shop.topics.append("taste-requests", None, b"", [TICK], partition)
    shop.settle()


def test_a_marker_stays_for_its_time_and_is_gone_an_hour_later() -> None:
    shop = known_shop()
    erase(shop)
    shop.settle()
    rows = len(shop.tastes)
    tick(shop, 86_400.0 - 10)
    assert len(shop.tastes) == rows
    assert shop.update.markers.get(USER) is None or shop.found(USER) == []
    tick(shop, 3600.0)
    left = [key for part in shop.tastes.parts for key in part if key.startswith(b"\x00erased")]
    assert all(key.startswith(b"\x00erased-since:") for key in left)
    assert shop.held(OTHER) is not None


def test_nothing_that_is_kept_tells_who_was_erased() -> None:
    one, other = Markers({}, b"a" * 32), Markers({}, b"b" * 32)
    for markers in (one, other):
        markers.put(USER, Marker(1.0, 2, 3.0), 0)
    assert not set(map(bytes, one._table)) & {k for k in other._table if k.startswith(b"\x00erased:")}
    assert USER.encode() not in b"".join([*one._table, *one._table.values()])


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 2), st.floats(0, 1e6), st.integers(0, 9)), max_size=20
    ),
    st.floats(0, 1e6),
)
@settings(deadline=None, max_examples=60)
def test_markers_expire_by_the_time_they_were_kept_last(
    puts: list[tuple[int, int, float, int]], before_s: float
) -> None:
    table: dict[bytes, bytes] = {}
    markers, kept = Markers(table, b"k" * 32), {}
    for user, _, kept_at_s, revision in puts:
        partition = user % 3
        markers.put(f"user-{user}", Marker(kept_at_s - 50, revision, kept_at_s), partition)
        held = kept.get(user, (0.0, 0))
        kept[user] = (max(held[0], kept_at_s), max(held[1], revision))
    gone = sum(markers.expire(partition, before_s) for partition in range(3))
    hour_s = before_s // 3600 * 3600
    stay = {user: row for user, row in kept.items() if row[0] >= hour_s}
    assert gone == len(kept) - len(stay)
    for user in range(6):
        marker = markers.get(f"user-{user}")
        assert (marker is not None) == (user in stay)
        if marker is not None:
            assert (marker.kept_at_s, marker.revision) == stay[user]
            assert marker.erased_at_s == marker.kept_at_s - 50
    assert sum(markers.expire(partition, 2e6) for partition in range(3)) == len(stay)
    assert all(key.startswith(b"\x00erased-since:") for key in table)


def test_expiry_reads_only_what_expires() -> None:
    class Counting(dict[bytes, bytes]):
        reads = 0

        def get(self, key: bytes, default: Any = None) -> Any:
            self.reads += 1
            return super().get(key, default)

    table = Counting({f"user-{n}".encode(): b"" for n in range(10_000)})
    markers = Markers(table, b"k" * 32)
    markers.put(USER, Marker(0.0, 1, 1.7e9), 0)
    table.reads = 0
    assert markers.expire(0, 1.7e9) == 0
    assert markers.expire(1, 1.7e9) == 0
    assert table.reads < 10


def test_a_shopper_on_the_wrong_partition_is_erased_at_home() -> None:
    shop = known_shop()
    event = Event("e", "test", "user.erased", moment(ERASED_AT_S), {"user_id": USER}, subject=USER)
    headers, value = write_event(event)
    wrong = (murmur2_partition(USER.encode(), PARTITIONS) + 1) % PARTITIONS
    shop.topics.append("interactions", USER.encode(), value, headers, wrong)
    shop.settle()
    assert shop.found(USER, VISITOR) == []


@pytest.mark.parametrize("crash_after", range(8))
def test_a_crash_in_the_middle_of_an_erasure_is_made_good(crash_after: int) -> None:
    shop = known_shop()
    record = erase(shop)
    shop.tastes.at = record.partition
    sent = 0
    send = shop.topics.send

    async def failing(*args: Any, **named: Any) -> None:
        nonlocal sent
        if sent == crash_after:
            raise RuntimeError("killed")
        sent += 1
        await send(*args, **named)

    shop.topics.send = failing  # type: ignore[method-assign]
    with contextlib.suppress(RuntimeError):
        asyncio.run(shop.update.handle(record))
    shop.topics.send = send  # type: ignore[method-assign]
    shop.settle()
    assert shop.found(USER, VISITOR) == []
    assert [r for r in shop.topics.of("recommendations") if r.key == USER.encode()][-1].value is None


def test_a_shopper_who_was_erased_without_ever_being_known_is_confirmed() -> None:
    shop = Crowd()
    erase(shop, "never-seen")
    shop.settle()
    assert len(shop.of_type("recommendations", "shopper.erased")) == 1
    assert shop.found("never-seen") == []


def test_rows_are_written_before_they_are_deleted_so_that_the_changelog_hears_of_it() -> None:
    """A redelivered erasure finds no row; its deletion must reach the changelog all the same."""
    shop = known_shop()
    record = erase(shop)
    shop.settle()
    written: list[bytes] = []

    class Watched(dict[bytes, bytes]):
        def __setitem__(self, key: bytes, value: bytes) -> None:
            written.append(key)
            super().__setitem__(key, value)

    shop.tastes.parts[record.partition] = Watched(shop.tastes.parts[record.partition])
    asyncio.run(shop.deliver(record))
    assert USER.encode() in written
    assert shop.held(USER) is None
