"""update-tastes with many events in hand: the same tastes as one by one, whatever Kafka and the index do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from memory_shop import EMBEDDER, PARTITIONS, MemoryShop, Topics, _no_pause
from test_side_by_side import hands

from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.shopper import Shopper
from schemas.tastes import TasteUpdated, unpack
from streams.agents.known_tastes import KnownTastes
from streams.agents.update_tastes import UpdateTastes
from streams.handling import Handling
from streams.metrics import Metrics
from streams.record import Header, Record
from streams.side_by_side import SideBySide
from vectorstore.base import VectorStoreUnavailable

COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
USERS = ("u", "v", "w")


class Posting:
    """Sends whose acknowledgements come late, some of them never: the record may be there all the same."""

    def __init__(self, topics: Topics, random: Random, failing: float) -> None:
        self.topics, self.random, self.failing = topics, random, failing

    async def __call__(self, topic: str, key: bytes, value: bytes, headers: Sequence[Header]) -> Any:
        fails = self.random.random() < self.failing
        if not fails or self.random.random() < 0.5:
            self.topics.append(topic, key, value, headers)
        return asyncio.ensure_future(self._acknowledged(fails))

    async def _acknowledged(self, fails: bool) -> None:
        for _ in range(self.random.randrange(12)):
            await asyncio.sleep(0)
        if fails:
            raise ConnectionError("no acknowledgement")


def shop_with(acts: Sequence[tuple[str, str]]) -> tuple[MemoryShop, list[Record]]:
    """A shop with three products, and interactions with them and with one that is not there."""
    shop = MemoryShop()
    for product_id, colour in COLOURS.items():
        shop.upload(product_id, colour)
    shop.pump()
    records = [
        shop.act("product.viewed", user, product, event_id=f"act-{n}")
        for n, (user, product) in enumerate(acts)
    ]
    return shop, records


async def at_once(update: UpdateTastes, records: Sequence[Record], most: int) -> list[Record]:
    """Give the agent records as Faust would; returns those acknowledged, in that order."""
    line, done = SideBySide(hands(), most), []
    for record in records:
        await line.begin(
            lambda turn, r=record: update.at_once(r, turn),  # type: ignore[misc]
            lambda r=record: done.append(r),  # type: ignore[misc]
        )
    await line.ended()
    await asyncio.sleep(0)
    return done


def agent(
    shop: MemoryShop, table: dict[bytes, bytes], topics: Topics, random: Random, failing: float
) -> UpdateTastes:
    away = {"unavailable": (VectorStoreUnavailable,), "pause": _no_pause}
    return UpdateTastes(
        table,
        shop.store,
        EMBEDDER,
        TasteSettings(),
        Handling("update-tastes", topics, Metrics(), **away),  # type: ignore[arg-type]
        partitions=PARTITIONS,
        popular=shop.trending.count,
        erasure_key=b"k" * 32,
        marker_s=1e6,
        post=Posting(topics, random, failing),
        known=KnownTastes(TasteSettings(), most=3),
    )


def said(topics: Topics) -> dict[str, list[TasteUpdated]]:
    """What went out on `tastes`, by user, in order."""
    headers = [unpack(record.value or b"")[0] for record in topics.of("tastes")]
    return {user: [header for header in headers if header.user_id == user] for user in USERS}


def remembered(shopper: Shopper) -> Any:
    return [(c.key, c.action, c.event_time_s, c.weight) for c in shopper.taste.contributions], shopper.seen


ACTS = st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from([*COLOURS, "unknown"])), max_size=25)


@settings(max_examples=40)
@given(ACTS, st.integers(1, 12), st.sampled_from([0.0, 0.3]), st.integers(0, 3), st.integers(0, 10**6))
def test_many_at_once_are_as_good_as_one_by_one(
    acts: list[tuple[str, str]], most: int, failing: float, away: int, seed: int
) -> None:
    shop, records = shop_with(acts)
    table: dict[bytes, bytes] = {}
    topics = Topics()
    update = agent(shop, table, topics, Random(seed), failing)
    shop.store.away = away
    done = asyncio.run(asyncio.wait_for(at_once(update, records, most), 20.0))
    assert sorted(done, key=records.index) == records
    assert topics.of("dead-letters") == []
    known = [(user, product, f"act-{n}") for n, (user, product) in enumerate(acts)]
    for record in topics.of("waiting"):
        assert record.key == b"unknown"
    assert len(topics.of("waiting")) == sum(product == "unknown" for _, product, _ in known)
    shop.pump()  # one by one
    for user, headers in said(topics).items():
        revisions = [header.revision for header in headers]
        assert revisions == sorted(set(revisions)), "the last is the newest, and none is given out twice"
        included = {event_id for header in headers for event_id in header.includes}
        assert included == {
            event_id for who, product, event_id in known if who == user != product != "unknown"
        }
        if user.encode() in table:
            held = state.unpack(table[user.encode()])
            assert remembered(held) == remembered(shop.shopper(user))
            assert held.revision >= max(revisions)


def test_products_are_looked_up_together() -> None:
    shop, records = shop_with([(USERS[n % 3], list(COLOURS)[n % 3]) for n in range(24)])
    update = agent(shop, {}, Topics(), Random(0), 0.0)
    shop.store.calls.clear()
    asyncio.run(at_once(update, records, 24))
    assert shop.store.calls.count("fetch_products") < 6


def test_an_event_delivered_again_is_answered_again_and_counts_once() -> None:
    shop, records = shop_with([("u", "red"), ("u", "green")])
    table: dict[bytes, bytes] = {}
    topics = Topics()
    update = agent(shop, table, topics, Random(0), 0.0)
    asyncio.run(at_once(update, [*records, *records], 4))
    headers = said(topics)["u"]
    assert [header.includes for header in headers] == [["act-0"], ["act-1"]] * 2
    assert [header.revision for header in headers] == [1, 2, 3, 4]
    assert len(state.unpack(table[b"u"]).taste.contributions) == 2
