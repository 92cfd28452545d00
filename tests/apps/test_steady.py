"""Rebalances without Kafka: what is fetched while partitions are sought, and what is in hand when they go."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP

from streams import steady
from streams.steady import SteadyApp, SteadyConsumer

TOPIC = TP("interactions", 0)
POLL = 100


def app_at(data_dir: Path) -> SteadyApp:
    return SteadyApp("test", broker="kafka://127.0.0.1:1", datadir=str(data_dir), autodiscover=False)


class Log:
    """A partition of a thousand records, a fetcher's position in it, and what was delivered."""

    def __init__(self, consumer: Any, committed: int, turns: int) -> None:
        self.consumer, self.committed, self.turns = consumer, committed, turns
        self.position = 0
        self.delivered: list[int] = []
        consumer.callback = self.deliver
        consumer._getmany, consumer.seek_to_committed = self.getmany, self.seek_to_committed
        consumer.assignment = lambda: {TOPIC}
        consumer.highwater = lambda tp: 1000

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        start = self.position
        self.position = min(1000, start + POLL)
        if start == self.position:
            await asyncio.sleep(0.01)
        return {TOPIC: [_record(offset) for offset in range(start, self.position)]}

    async def seek_to_committed(self) -> Any:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.position = self.committed
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return {TOPIC: self.committed}

    async def deliver(self, message: Any) -> None:
        await asyncio.sleep(0)
        self.delivered.append(message.offset)


def _record(offset: int) -> Any:
    sizes = {"checksum": None, "serialized_key_size": 0, "serialized_value_size": 0}
    of = {"topic": TOPIC.topic, "partition": 0, "offset": offset, "timestamp": 0, "timestamp_type": 0}
    return SimpleNamespace(**of, **sizes, headers=(), key=b"", value=b"")


async def _enough(log: Log, count: int) -> None:
    while len(log.delivered) < count:  # noqa: ASYNC110 (bounded by the caller)
        await asyncio.sleep(0)


async def _rebalanced(app: SteadyApp, turns: int) -> list[int]:
    """What is delivered after recovery, done as Faust does it, while records were being delivered."""
    consumer: Any = app.consumer
    log = Log(consumer, committed=40, turns=turns)
    app.flow_control.resume()
    consumer._set_active_tps({TOPIC})
    consumer.resume_flow()
    draining = asyncio.ensure_future(consumer._drain_messages(SimpleNamespace(_stopped=asyncio.Event())))
    await _enough(log, 130 + turns)
    await app.on_rebalance_complete.send()
    consumer.resume_partitions({TOPIC})
    await consumer.perform_seek()
    await asyncio.sleep(0)
    app.flow_control.resume()
    log.delivered.clear()  # which clears the queues that all was delivered to
    consumer.resume_flow()
    await _enough(log, 200)
    gap = consumer._gap[TOPIC]
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    assert not gap
    return log.delivered[:200]


@pytest.mark.parametrize("turns", range(8))
def test_after_a_rebalance_reading_begins_at_the_committed_offset(tmp_path: Path, turns: int) -> None:
    async def run() -> list[int]:
        return await asyncio.wait_for(_rebalanced(app_at(tmp_path), turns), 5.0)

    assert asyncio.run(run()) == list(range(40, 240))


def test_the_same_fails_with_the_consumer_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this ends to be true, `SteadyConsumer.park` can go."""

    class Plain(Consumer):  # type: ignore[misc]
        async def park(self) -> None:
            pass

    monkeypatch.setattr(steady, "SteadyConsumer", Plain)
    outcomes = []
    for turns in range(8):
        try:
            found = asyncio.run(asyncio.wait_for(_rebalanced(app_at(tmp_path), turns), 5.0))
        except AssertionError:
            found = []
        outcomes.append(found == list(range(40, 240)))
    assert not all(outcomes)


def test_parking_waits_for_nobody_before_anything_is_fetched(tmp_path: Path) -> None:
    async def run() -> None:
        consumer: Any = app_at(tmp_path).consumer
        assert isinstance(consumer, SteadyConsumer)
        await asyncio.wait_for(consumer.park(), 1.0)
        assert not consumer.flow_active

    asyncio.run(run())


class Work:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.begun, self.end, self.ended, self.cancelled = asyncio.Event(), asyncio.Event(), False, False

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        self.ended = True


def run_with_hands(tmp_path: Path, test: Any) -> None:
    async def run() -> None:
        app = app_at(tmp_path)
        app.flow_control.resume()
        await asyncio.wait_for(test(app, app.hands), 10.0)

    asyncio.run(run())


def test_partitions_go_only_when_the_work_in_hand_is_done(tmp_path: Path) -> None:
    async def test(app: Any, hands: Any) -> None:
        work = Work()
        finishing = asyncio.ensure_future(hands.finish(work()))
        await work.begun.wait()
        letting_go = asyncio.ensure_future(hands.put_down())
        await asyncio.sleep(0)
        assert not letting_go.done()
        work.end.set()
        await letting_go
        assert await finishing is True
        assert work.ended

    run_with_hands(tmp_path, test)


def test_work_that_takes_too_long_is_given_up_and_its_agent_goes_on(tmp_path: Path) -> None:
    async def test(app: Any, hands: Any) -> None:
        late, next_work = Work(), Work()
        finishing = asyncio.ensure_future(hands.finish(late()))
        await late.begun.wait()
        await hands.put_down(longest_s=0.01)
        assert await finishing is False
        assert late.cancelled
        app.flow_control.resume()
        next_work.end.set()
        assert await hands.finish(next_work()) is True

    run_with_hands(tmp_path, test)


def test_nothing_is_begun_while_partitions_go(tmp_path: Path) -> None:
    async def test(app: Any, hands: Any) -> None:
        await hands.put_down()
        work = Work()
        assert await hands.finish(work()) is False
        assert not work.begun.is_set()

    run_with_hands(tmp_path, test)


def test_an_agent_that_is_cancelled_finishes_its_work_first(tmp_path: Path) -> None:
    async def test(app: Any, hands: Any) -> None:
        work = Work()
        finishing = asyncio.ensure_future(hands.finish(work()))
        await work.begun.wait()
        finishing.cancel()
        await asyncio.sleep(0)
        work.end.set()
        (outcome,) = await asyncio.gather(finishing, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        assert work.ended

    run_with_hands(tmp_path, test)


def test_an_error_in_the_work_reaches_the_agent(tmp_path: Path) -> None:
    async def test(app: Any, hands: Any) -> None:
        async def fails() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await hands.finish(fails())

    run_with_hands(tmp_path, test)
