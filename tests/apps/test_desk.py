"""The desk: what has come for a key is worked on together, in order, once, and acknowledged afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from test_side_by_side import Flow

from streams.desk import Desk
from streams.record import Record
from streams.steady import Hands


def record(key: int, offset: int) -> Record:
    return Record("tastes", 0, offset, str(key).encode(), b"", (), 0.0)


class Rounds:
    """Work that remembers what it was given, and takes as many turns of the loop as there are records."""

    def __init__(self) -> None:
        self.given: list[list[Record]] = []

    async def __call__(self, records: Sequence[Record]) -> None:
        self.given.append(list(records))
        for _ in records:
            await asyncio.sleep(0)


async def worked(desk: Desk, records: Sequence[Record], done: list[int]) -> None:
    working = asyncio.ensure_future(desk.run())
    for each in records:
        await desk.put(each, lambda n=each.offset: done.append(n))  # type: ignore[misc]
    while len(done) < len(records):  # noqa: ASYNC110 (bounded by the caller)
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 3), st.integers(1, 50))
def test_every_record_is_worked_on_once_and_in_its_keys_order(
    keys: list[int], at_once: int, most: int
) -> None:
    records, rounds, done = [record(key, n) for n, key in enumerate(keys)], Rounds(), []
    desk = Desk(Hands(Flow()), rounds, at_once, most)  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(_gathered(desk, records, done), 10.0))
    given_ = [each for together in rounds.given for each in together]
    assert sorted(each.offset for each in given_) == list(range(len(keys))) == sorted(done)
    for key in set(keys):
        offsets = [each.offset for each in given_ if each.key == str(key).encode()]
        assert offsets == sorted(offsets)
    for together in rounds.given:
        assert len({each.key for each in together}) <= at_once
        assert len(together) <= most


async def _gathered(desk: Desk, records: Sequence[Record], done: list[int]) -> None:
    await worked(desk, records, done)


def test_what_comes_meanwhile_is_gathered_by_key() -> None:
    rounds, done = Rounds(), []
    desk = Desk(Hands(Flow()), rounds, 1, 100)  # type: ignore[arg-type]
    records = [record(0, 0), *(record(n % 2, n) for n in range(1, 9))]
    asyncio.run(asyncio.wait_for(worked(desk, records, done), 10.0))
    assert [len(together) for together in rounds.given] == [5, 4], "all came before the first round"
    assert len(done) == 9


def test_what_waits_is_dropped_when_partitions_go() -> None:
    done: list[Any] = []

    async def run() -> Rounds:
        rounds, flow = Rounds(), Flow()
        hands = Hands(flow)  # type: ignore[arg-type]
        desk = Desk(hands, rounds, 8, 3)
        for n in range(3):
            await desk.put(record(n, n), lambda: done.append("acknowledged"))
        await hands.put_down()
        assert len(desk) == 0
        flow.active = True
        await asyncio.wait_for(worked(desk, [record(0, 0)], done), 10.0)
        return rounds

    rounds = asyncio.run(run())
    assert [[each.offset for each in together] for together in rounds.given] == [[0]]
    assert done == [0]


def test_work_that_fails_is_not_acknowledged_and_the_desk_goes_on() -> None:
    done: list[int] = []
    calls = 0

    async def work(records: Sequence[Record]) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("no")

    async def run() -> None:
        desk = Desk(Hands(Flow()), work, 8, 1)  # type: ignore[arg-type]
        working = asyncio.ensure_future(desk.run())
        for n in range(2):
            await desk.put(record(n, n), lambda n=n: done.append(n))  # type: ignore[misc]
        while not done:  # noqa: ASYNC110 (bounded by the caller)
            await asyncio.sleep(0)
        working.cancel()

    asyncio.run(asyncio.wait_for(run(), 10.0))
    assert done == [1]
