"""Events worked on side by side: steps in the order of arrival, so many at once, none acknowledged early."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.side_by_side import SideBySide, Turn
from streams.steady import Hands, SteadyApp


class Flow:
    """As much of an app as `Hands` asks for."""

    def __init__(self) -> None:
        self.active, self.flow_control = True, self

    def is_active(self) -> bool:
        return self.active

    def suspend(self) -> None:
        self.active = False


def hands() -> Hands:
    return Hands(Flow())  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20), st.integers(1, 6))
def test_steps_are_taken_in_the_order_of_arrival(waits: list[tuple[int, int]], most: int) -> None:
    taken: list[int] = []
    done: list[int] = []
    at_once: list[int] = []

    async def run() -> None:
        line = SideBySide(hands(), most)

        async def work(number: int, turn: Turn) -> None:
            before, after = waits[number]
            for _ in range(before):
                await asyncio.sleep(0)
            at_once.append(len(line))
            async with turn.taken():
                taken.append(number)
                await asyncio.sleep(0)
                assert taken[-1] == number, "another came between"
            for _ in range(after):
                await asyncio.sleep(0)

        for number in range(len(waits)):
            await line.begin(lambda turn, n=number: work(n, turn), lambda n=number: done.append(n))  # type: ignore[misc]
        await line.ended()
        await asyncio.sleep(0)

    asyncio.run(run())
    assert taken == list(range(len(waits)))
    assert sorted(done) == taken
    assert max(at_once, default=0) <= most


def test_who_never_takes_a_turn_lets_nobody_overtake() -> None:
    taken: list[str] = []

    async def run() -> None:
        line, first_may = SideBySide(hands(), 8), asyncio.Event()

        async def first(turn: Turn) -> None:
            await first_may.wait()
            async with turn.taken():
                taken.append("first")

        async def without(turn: Turn) -> None:
            pass

        async def last(turn: Turn) -> None:
            async with turn.taken():
                taken.append("last")

        for work in (first, without, last):
            await line.begin(work, lambda: None)
        for _ in range(5):
            await asyncio.sleep(0)
        assert taken == []
        first_may.set()
        await line.ended()

    asyncio.run(run())
    assert taken == ["first", "last"]


def test_a_step_that_is_taken_again_is_alone() -> None:
    inside = 0

    async def run() -> None:
        line = SideBySide(hands(), 8)

        async def work(turn: Turn) -> None:
            nonlocal inside
            for _ in range(3):
                async with turn.taken():
                    inside += 1
                    assert inside == 1
                    await asyncio.sleep(0)
                    inside -= 1

        for _ in range(5):
            await line.begin(work, lambda: None)
        await asyncio.wait_for(line.ended(), 10.0)

    asyncio.run(run())


def test_what_fails_or_is_given_up_is_not_done() -> None:
    done: list[str] = []

    async def run() -> None:
        held = hands()
        line = SideBySide(held, 8)

        async def fails(turn: Turn) -> None:
            raise ValueError("no")

        async def hangs(turn: Turn) -> None:
            async with turn.taken():
                await asyncio.Event().wait()

        async def waits(turn: Turn) -> None:
            async with turn.taken():
                done.append("overtook one that was given up")

        await line.begin(fails, lambda: done.append("failed"))
        await line.begin(hangs, lambda: done.append("hung"))
        await line.begin(waits, lambda: done.append("waited"))
        await asyncio.sleep(0)
        await held.put_down(longest_s=0.01)
        await line.begin(waits, lambda: done.append("not begun"))
        await line.ended()

    asyncio.run(run())
    assert done == []


def test_put_down_waits_for_all_in_hand(tmp_path: Path) -> None:
    done: list[int] = []

    async def run() -> None:
        app: Any = SteadyApp("test", broker="kafka://127.0.0.1:1", datadir=str(tmp_path), autodiscover=False)
        app.flow_control.resume()
        line, random = SideBySide(app.hands, 8), Random(0)

        async def work(number: int, turn: Turn) -> None:
            for _ in range(random.randrange(20)):
                await asyncio.sleep(0)
            async with turn.taken():
                await asyncio.sleep(0)

        for number in range(8):
            await line.begin(lambda turn, n=number: work(n, turn), lambda n=number: done.append(n))  # type: ignore[misc]
        await app.hands.put_down()
        await asyncio.sleep(0)

    asyncio.run(run())
    assert sorted(done) == list(range(8))


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_are_begun_than_there_is_room_for(most: int) -> None:
    begun = 0

    async def run() -> None:
        line, end = SideBySide(hands(), most), asyncio.Event()

        async def work(turn: Turn) -> None:
            nonlocal begun
            begun += 1
            await end.wait()

        async def feed() -> None:
            for _ in range(most + 2):
                await line.begin(work, lambda: None)

        feeding = asyncio.ensure_future(feed())
        for _ in range(10):
            await asyncio.sleep(0)
        assert begun == most
        end.set()
        await feeding
        await line.ended()
        assert begun == most + 2

    asyncio.run(run())
