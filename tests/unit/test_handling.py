"""Around every event: what is away is waited for, what is wrong is a dead letter, the stream goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from schemas.errors import SchemaError
from streams.dead_letters import reason
from streams.handling import Handling, finished, type_of
from streams.metrics import Metrics
from streams.record import Header, Record

RECORD = Record(
    "interactions", 2, 17, b"alice", b"\x00original", (("ce_type", b"product.viewed"), ("x", b"\xff")), 1.7e9
)


class AwayError(Exception):
    """A service is away."""


class SlowError(Exception):
    """Something that may pass."""


class WrongError(Exception):
    """Something that trying again cannot mend."""


class Sent:
    """An outbox that remembers, or fails as often as told."""

    def __init__(self, failures: Sequence[Exception] = ()) -> None:
        self.failures = list(failures)
        self.records: list[tuple[str, bytes | None, bytes | None, list[Header]]] = []

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Any = (),
        partition: int | None = None,
    ) -> None:
        if self.failures:
            raise self.failures.pop()
        self.records.append((topic, key, value, list(headers)))


class Pauses:
    """Waits nothing and remembers how long it should have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


class Fails:
    """A handler that raises these errors, one a call, and then succeeds."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors, self.calls = list(errors), 0

    async def __call__(self, record: Record) -> None:
        assert record is RECORD
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


def run(
    handler: Callable[[Record], Awaitable[None]], outbox: Sent | None = None
) -> tuple[Handling, Sent, Pauses]:
    outbox, pauses = outbox or Sent(), Pauses()
    handling = Handling("agent", outbox, Metrics(), (AwayError,), (SlowError,), (WrongError,), pauses)
    asyncio.run(handling.one(RECORD, handler))
    return handling, outbox, pauses


def counted(handling: Handling, name: str, **labels: str) -> float:
    return handling.metrics.registry.get_sample_value(name, labels) or 0.0


def test_what_succeeds_is_counted_and_leaves_no_dead_letter() -> None:
    handler = Fails()
    handling, outbox, pauses = run(handler)
    assert (handler.calls, outbox.records, pauses.seconds) == (1, [], [])
    labels = {"agent": "agent", "topic": "interactions", "type": "product.viewed"}
    assert counted(handling, "lookstream_events_in_total", **labels) == 1
    assert counted(handling, "lookstream_last_progress_timestamp_seconds", agent="agent") > 1.7e9


def test_a_service_that_is_away_is_waited_for_as_long_as_it_takes() -> None:
    handler = Fails(*[AwayError()] * 50)
    handling, outbox, pauses = run(handler)
    assert (handler.calls, outbox.records) == (51, [])
    assert pauses.seconds[:4] == [0.1, 0.2, 0.4, 0.8]
    assert max(pauses.seconds) == pauses.seconds[-1] == 5.0
    failed = {"agent": "agent", "topic": "interactions", "type": "product.viewed", "error": "AwayError"}
    assert counted(handling, "lookstream_events_failed_total", **failed) == 50


@pytest.mark.parametrize("error", [WrongError("bad"), SchemaError("user_id", "null", "a string")])
def test_what_cannot_be_mended_is_a_dead_letter_at_once(error: Exception) -> None:
    handler = Fails(error)
    handling, outbox, pauses = run(handler)
    assert (handler.calls, pauses.seconds) == (1, [])
    ((topic, key, value, headers),) = outbox.records
    assert (topic, key, value) == ("dead-letters", RECORD.key, RECORD.value)
    assert tuple(headers[:2]) == RECORD.headers
    told = reason(headers)
    assert told["topic"] == "interactions"
    assert (told["partition"], told["offset"], told["stage"]) == ("2", "17", "read")
    assert told["exception.class.name"].endswith(type(error).__name__)
    assert told["exception.message"] == str(error)
    dead = {"agent": "agent", "topic": "interactions", "type": "product.viewed"}
    assert counted(handling, "lookstream_dead_letters_total", **dead) == 1
    assert counted(handling, "lookstream_last_progress_timestamp_seconds", agent="agent") > 1.7e9


@pytest.mark.parametrize("kind", [RuntimeError, SlowError, KeyError])
def test_anything_else_is_tried_four_times(kind: type[Exception]) -> None:
    handler = Fails(*[kind(f"{n}") for n in range(9)])
    _, outbox, pauses = run(handler)
    assert (handler.calls, pauses.seconds) == (4, [0.1, 0.2, 0.4])
    assert reason(outbox.records[0][3])["exception.message"] in ("3", "'3'")


@pytest.mark.parametrize("kind", [RuntimeError, SlowError])
def test_what_passes_in_time_is_no_dead_letter(kind: type[Exception]) -> None:
    handler = Fails(kind(), AwayError(), AwayError(), AwayError(), kind(), kind())
    _, outbox, _ = run(handler)
    assert (handler.calls, outbox.records) == (7, [])


def test_the_stage_that_an_error_left_is_told() -> None:
    metrics = Metrics()

    async def handler(_: Record) -> None:
        with metrics.timed("taste"), metrics.timed("query"):
            raise WrongError

    _, outbox, _ = run(handler)
    assert reason(outbox.records[0][3])["stage"] == "query"


def test_a_dead_letter_is_sent_however_long_that_takes() -> None:
    outbox = Sent(failures=[ConnectionError(), OSError("full"), RuntimeError()] * 10)
    _, _, pauses = run(Fails(WrongError("bad")), outbox)
    assert len(outbox.records) == 1
    assert len(pauses.seconds) == 30
    assert max(pauses.seconds) == 5.0


@pytest.mark.parametrize(
    "error", [Exception(), MemoryError(), ExceptionGroup("g", [OSError()]), RecursionError()]
)
def test_no_error_leaves(error: Exception) -> None:
    _, outbox, _ = run(Fails(*[error] * 4), Sent(failures=[error]))
    assert len(outbox.records) == 1


def test_cancellation_leaves_from_the_work_the_pause_and_the_dead_letter() -> None:
    with pytest.raises(asyncio.CancelledError):
        run(Fails(asyncio.CancelledError()))

    class Cancelled(Sent):
        async def send(self, *args: Any, **named: Any) -> None:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(Fails(WrongError()), Cancelled())

    async def forever(_: Record) -> None:
        raise AwayError

    async def cancel_during_a_pause() -> None:
        paused = asyncio.Event()

        async def pause(_: float) -> None:
            paused.set()
            await asyncio.Event().wait()

        handling = Handling("agent", Sent(), Metrics(), (AwayError,), pause=pause)
        task = asyncio.create_task(handling.one(RECORD, forever))
        await paused.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_during_a_pause())


def test_retried_gives_the_result_and_raises_the_last_error() -> None:
    handling = Handling("agent", Sent(), Metrics(), (AwayError,), pause=Pauses())
    answers: list[Any] = [AwayError(), ValueError(), 42]

    async def step() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    async def wrong() -> None:
        raise ValueError("always")

    assert asyncio.run(handling.retried(step, RECORD)) == 42
    with pytest.raises(ValueError, match="always"):
        asyncio.run(handling.retried(wrong, RECORD))


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ((("ce_type", b"product.viewed"),), "product.viewed"),
        ((("x", b"1"), ("ce_type", b"taste.updated")), "taste.updated"),
        ((("ce_type", b"a-million-names"),), "unknown"),
        ((("ce_type", b"\xff"),), "unknown"),
        ((), "structured"),
    ],
)
def test_only_our_types_become_labels(headers: tuple[Header, ...], name: str) -> None:
    assert type_of(Record("t", 0, 0, None, b"", headers, 0.0)) == name


class Work:
    """Work of two steps, the second when told; notes whether it was finished or cancelled."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.ended = ""

    async def __call__(self) -> str:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "finished"
        return "done"


def test_work_gives_its_result_and_its_error() -> None:
    async def fails() -> None:
        raise WrongError

    async def succeeds() -> None:
        work = Work()
        work.go_on.set()
        assert await finished(work()) == "done"
        with pytest.raises(WrongError):
            await finished(fails())

    asyncio.run(succeeds())


def test_work_once_begun_is_finished_under_cancellation() -> None:
    async def cancelled_meanwhile() -> str:
        work = Work()
        task = asyncio.create_task(finished(work()))
        await work.begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert work.ended == ""
        work.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return work.ended

    assert asyncio.run(cancelled_meanwhile()) == "finished"


def test_work_that_does_not_end_is_cancelled_and_does_not_run_on() -> None:
    async def cancelled_meanwhile(times: int, longest_s: float) -> str:
        work = Work()
        task = asyncio.create_task(finished(work(), longest_s=longest_s))
        await work.begun.wait()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1
        return work.ended

    assert asyncio.run(cancelled_meanwhile(times=1, longest_s=0.0)) == "cancelled"
    assert asyncio.run(cancelled_meanwhile(times=2, longest_s=60.0)) == "cancelled"
