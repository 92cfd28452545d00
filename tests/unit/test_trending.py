"""Trending: popularity adds up in any order, is written once, and survives a broker that is away."""

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.taste.trending import MAX_PRODUCTS, counted, log2_sum, summed
from schemas.cloudevents import read_event
from streams.record import Header
from streams.trending import HALF_LIFE_S, Trending

NOW_S = 1.7e9
logs = st.floats(-1000, 1000)


class Sent:
    """An outbox that remembers, or fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.records: list[tuple[int | None, bytes | None, bytes | None, Sequence[Header]]] = []

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Any = (),
        partition: int | None = None,
    ) -> None:
        assert topic == "trending"
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the broker is away")
        self.records.append((partition, key, value, headers))


def likes(trending: Trending) -> dict[str, float]:
    """How often each product was liked, as if all had been liked now."""
    return {pid: 2 ** (log - NOW_S / HALF_LIFE_S) for pid, log in trending.popular().items()}


def like(trending: Trending, product_id: str, partition: int = 0, part: str = "upper") -> None:
    trending.count(partition, part, product_id, 1.0, NOW_S)


def message(popularity: Any) -> bytes:
    return json.dumps({"part": "upper", "popularity": popularity}).encode()


@given(logs, logs)
def test_the_sum_of_logarithms(one: float, other: float) -> None:
    total = log2_sum(one, other)
    assert total == log2_sum(other, one)
    assert max(one, other) <= total <= max(one, other) + 1
    if max(abs(one), abs(other)) < 50:
        assert total == pytest.approx(math.log2(2**one + 2**other), abs=1e-9)


@pytest.mark.parametrize("log", [-math.inf, -3.0, 0.0, 1e9])
def test_nothing_adds_nothing(log: float) -> None:
    assert log2_sum(log, -math.inf) == log2_sum(-math.inf, log) == log


events = st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0.01, 10), st.integers(-30, 30)), max_size=20)


@given(events, st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_any_order_and_any_split_give_the_same_popularity(rows: Any, random: Any, parts: int) -> None:
    alone = [{pid: counted(weight, NOW_S + day * 86_400, HALF_LIFE_S)} for pid, weight, day in rows]
    total = summed(alone)
    shuffled = list(alone)
    random.shuffle(shuffled)
    split = summed(summed(shuffled[n::parts]) for n in range(parts))
    assert split.keys() == total.keys()
    assert all(split[pid] == pytest.approx(total[pid], abs=1e-6) for pid in total)
    assert list(total.values()) == sorted(total.values(), reverse=True)


def test_only_the_popular_are_kept() -> None:
    many = {f"p-{n}": float(n) for n in range(MAX_PRODUCTS + 20)}
    kept = summed([many])
    assert len(kept) == MAX_PRODUCTS
    assert next(iter(kept)) == f"p-{MAX_PRODUCTS + 19}"
    assert "p-19" not in kept


def test_popularity_halves_with_the_half_life() -> None:
    assert counted(2.0, 0.0, HALF_LIFE_S) == pytest.approx(counted(1.0, HALF_LIFE_S, HALF_LIFE_S))


def test_all_partitions_and_parts_count_together() -> None:
    trending = Trending()
    for place in range(3):
        like(trending, "shared", place, "upper")
    like(trending, "shared", 0, "lower")
    like(trending, "other")
    assert likes(trending) == {"shared": pytest.approx(4, rel=1e-5), "other": pytest.approx(1, rel=1e-5)}
    assert list(trending.popular()) == ["shared", "other"]


def test_what_was_counted_is_written_once_as_an_event_of_its_partition() -> None:
    trending, outbox = Trending(), Sent()
    like(trending, "a", 2, "lower")
    before = likes(trending)
    asyncio.run(trending.flush(outbox))
    asyncio.run(trending.flush(outbox))
    ((partition, key, value, headers),) = outbox.records
    assert (partition, key) == (2, b"lower")
    event = read_event(headers, value, appended_at=None)  # type: ignore[arg-type]
    assert (event.type, event.subject) == ("trending.updated", "lower")
    assert set(event.data["popularity"]) == {"a"}
    assert likes(trending) == before


def test_a_flush_adds_to_what_the_topic_said() -> None:
    trending, outbox = Trending(), Sent()
    trending.read(0, 7, b"upper", message({"a": NOW_S / HALF_LIFE_S + 1}))
    like(trending, "a")
    asyncio.run(trending.flush(outbox))
    written = json.loads(outbox.records[0][2] or b"")["popularity"]["a"]
    assert 2 ** (written - NOW_S / HALF_LIFE_S) == pytest.approx(3, rel=1e-5)
    trending.read(0, 8, b"upper", message({"a": written}))
    assert likes(trending)["a"] == pytest.approx(3, rel=1e-5)


def test_a_flush_that_failed_counts_neither_twice_nor_not_at_all() -> None:
    trending, outbox = Trending(), Sent(failures=3)
    like(trending, "a")
    for _ in range(3):
        with pytest.raises(ConnectionError):
            asyncio.run(trending.flush(outbox))
        assert likes(trending)["a"] == pytest.approx(1, rel=1e-5)
        like(trending, "b")
    asyncio.run(trending.flush(outbox))
    assert likes(trending) == {"a": pytest.approx(1, rel=1e-5), "b": pytest.approx(3, rel=1e-5)}
    assert len(outbox.records) == 1


def test_what_is_counted_during_a_write_waits_for_the_next() -> None:
    trending, outbox = Trending(), Sent()

    class Slow(Sent):
        async def send(self, *args: Any, **named: Any) -> None:
            like(trending, "a")
            await outbox.send(*args, **named)

    like(trending, "a")
    asyncio.run(trending.flush(Slow()))
    assert likes(trending)["a"] == pytest.approx(2, rel=1e-5)
    asyncio.run(trending.flush(outbox))
    assert likes(trending)["a"] == pytest.approx(2, rel=1e-5)
    assert len(outbox.records) == 2


def test_older_records_are_ignored_and_a_tombstone_clears() -> None:
    trending = Trending()
    trending.read(0, 5, b"upper", message({"new": 2.0}))
    trending.read(0, 4, b"upper", message({"old": 9.0}))
    trending.read(0, 5, b"upper", message({"again": 9.0}))
    trending.read(1, 0, b"upper", message({"elsewhere": 1}))
    assert trending.popular() == {"new": 2.0, "elsewhere": 1.0}
    trending.read(0, 6, b"upper", None)
    assert trending.popular() == {"elsewhere": 1.0}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\xff", message({})),
        (b"upper", b""),
        (b"upper", b"\xff"),
        (b"upper", b"[]"),
        (b"upper", b"{}"),
        (b"upper", b"[" * 100_000),
        (b"upper", message([])),
        (b"upper", message({"a": None})),
        (b"upper", message({"a": "1"})),
        (b"upper", b'{"popularity": {"a": 1e999}}'),
        (b"upper", b'{"popularity": {"a": NaN}}'),
    ],
    ids=range(11),
)
def test_a_foreign_record_is_ignored(key: bytes, value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    trending = Trending()
    trending.read(0, 1, b"upper", message({"kept": 1.0}))
    trending.read(0, 2, key, value)
    assert trending.popular() == {"kept": 1.0}
    assert "trending/0@2 ignored" in caplog.text
