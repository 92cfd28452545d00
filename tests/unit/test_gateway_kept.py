"""What the gateway keeps: the shelf, and the newest set and taste of everybody, whatever comes again."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydantic_core
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from schemas.recommendations import Through, Trigger
from schemas.tastes import TasteUpdated, pack
from streams.gateway.newest import SETS, NewestSets, NewestTastes
from streams.gateway.readers import TopicReader
from streams.gateway.shelf import Batch, Shelf, ShelfError
from streams.record import Record


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with Shelf(tmp_path / "shelf") as shelf:
        yield shelf


def a_set(revision: int, offset: int = 0, user_id: str = "alice") -> Record:
    value = pydantic_core.to_json({"user_id": user_id, "revision": revision, "items": []})
    return Record("recommendations", 0, offset, user_id.encode(), value, (), 0.0)


def gone(tombstone: bool, user_id: str = "alice") -> Record:
    value, headers = (None, ()) if tombstone else (b"{}", (("ce_type", b"shopper.erased"),))
    return Record("recommendations", 0, 0, user_id.encode(), value, headers, 0.0)


def a_taste(revision: int) -> Record:
    header = TasteUpdated(
        user_id="alice",
        revision=revision,
        trigger=Trigger(type="t", id="e", time="2026-01-01T00:00:00Z"),  # type: ignore[arg-type]
        includes=[],
        oldest_appended_at_s=0.0,
        through=Through(partition=0, offset=0),
    )
    return Record("tastes", 0, 0, b"alice", pack(header, f"state {revision}".encode()), (), 0.0)


def take_in(into: Any, shelf: Shelf, *records: Record) -> None:
    batch = Batch()
    asyncio.run(into.take_in(records, batch))
    shelf.write(batch)
    if isinstance(into, NewestSets):
        into.written()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with Shelf(tmp_path) as shelf:
        batch = Batch()
        batch.put(b"a:1", b"one")
        batch.put(b"a:2", b"two")
        batch.put(b"b:1", b"other")
        batch.next_offset("topic", 3, 7)
        shelf.write(batch)
        with pytest.raises(ShelfError, match="another gateway"):
            Shelf(tmp_path)
    with Shelf(tmp_path) as shelf:
        assert list(shelf.scan(b"a:")) == [(b"a:1", b"one"), (b"a:2", b"two")]
        assert list(shelf.scan(b"a:", after=b"a:1")) == [(b"a:2", b"two")]
        assert (shelf.next_offset("topic", 3), shelf.next_offset("topic", 4)) == (7, None)
        shelf.clear(b"a:")
        shelf.forget_offsets("topic")
        assert (shelf.get(b"a:1"), shelf.get(b"b:1"), shelf.next_offset("topic", 3)) == (None, b"other", None)


def test_a_shelf_of_another_format_is_thrown_away(tmp_path: Path) -> None:
    with Shelf(tmp_path) as shelf:
        batch = Batch()
        batch.put(b"\x00format", b"another")
        batch.put(b"a:1", b"one")
        shelf.write(batch)
    with Shelf(tmp_path) as shelf:
        assert shelf.get(b"a:1") is None


Step = st.one_of(st.integers(1, 9), st.sampled_from(["erased", "tombstone"]))


@given(st.lists(st.lists(Step, min_size=1, max_size=6), max_size=6))
def test_between_erasures_revisions_only_grow(batches: list[list[int | str]]) -> None:
    told: list[int | str] = []
    with tempfile.TemporaryDirectory() as folder, Shelf(Path(folder)) as shelf:
        sets = NewestSets(
            shelf,
            lambda user_id, packed, at_s: told.append(pydantic_core.from_json(packed)["revision"]),
            lambda user_id: told.append("erased"),
        )
        held = 0
        for batch in batches:
            records = [a_set(s) if isinstance(s, int) else gone(s == "tombstone") for s in batch]
            take_in(sets, shelf, *records)
            for step in batch:
                held = max(held, step) if isinstance(step, int) else 0
            assert sets.revision("alice") == held
            packed = sets.get("alice")
            assert (packed is None) == (held == 0)
    newest = 0
    for word in told:
        assert word == "erased" or int(word) > newest
        newest = 0 if word == "erased" else int(word)


def test_what_is_no_set_is_passed_over(shelf: Shelf) -> None:
    sets = NewestSets(shelf, lambda *_: None, lambda _: None)
    for value in (b"no json", b"[]", b"{}", b'{"revision": "7", "items": []}', b'{"revision": 7}'):
        take_in(sets, shelf, Record("recommendations", 0, 0, b"alice", value, (), 0.0))
    take_in(sets, shelf, Record("recommendations", 0, 0, None, b"{}", (), 0.0))
    assert sets.revision("alice") == 0
    take_in(sets, shelf, a_set(3))
    assert sets.revision("alice") == 3
    sets.forget()
    assert (sets.get("alice"), list(shelf.scan(SETS))) == (None, [])


def test_the_newest_taste_is_kept_and_goes_with_an_erasure(shelf: Shelf) -> None:
    tastes = NewestTastes(shelf)
    take_in(tastes, shelf, a_taste(2), a_taste(1), Record("tastes", 0, 0, b"alice", b"junk", (), 0.0))
    assert tastes.get("alice") == (2, b"state 2")
    take_in(tastes, shelf, a_taste(1))
    assert tastes.get("alice") == (2, b"state 2")
    take_in(tastes, shelf, a_taste(3), Record("tastes", 0, 0, b"alice", None, (), 0.0))
    assert tastes.get("alice") is None
    take_in(tastes, shelf, a_taste(1))
    assert tastes.get("alice") == (1, b"state 1")


class Consumer:
    """What a reader asks of aiokafka's, for one partition with records first … end - 1."""

    def __init__(self, first: int, end: int) -> None:
        self.first, self.end, self.at = first, end, 0
        partitions = SimpleNamespace(partitions_for_topic=lambda _: {0})
        self._client = SimpleNamespace(cluster=partitions, set_topics=self._nothing)

    async def _nothing(self, _: Any) -> None:
        pass

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        pass

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.end)

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.first)

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.at = offset

    async def position(self, _: TopicPartition) -> int:
        return self.at


@pytest.mark.parametrize(
    ("read", "first", "end", "begins", "forgotten"),
    [
        (None, 0, 9, 0, False),
        (None, 4, 9, 4, False),
        (6, 0, 9, 6, False),
        (6, 8, 9, 8, False),  # what lay between has expired
        (9, 0, 9, 9, False),
        (10, 0, 9, 0, True),  # another topic of this name
    ],
)
def test_reading_goes_on_where_it_ended(
    shelf: Shelf, read: int | None, first: int, end: int, begins: int, forgotten: bool
) -> None:
    forgot: list[bool] = []
    if read is not None:
        batch = Batch()
        batch.next_offset("topic", 0, read)
        shelf.write(batch)

    async def nothing(records: Sequence[Record], batch: Batch) -> None:
        pass

    reader = TopicReader("topic", {}, shelf, nothing, forget=lambda: forgot.append(True))
    consumer = Consumer(first, end)
    asyncio.run(reader._place(consumer))
    assert (consumer.at, bool(forgot)) == (begins, forgotten)
    assert reader.caught_up.is_set() == (begins == end)
