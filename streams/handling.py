"""Around every event: retries for what may pass, dead letters for what will not, never a stopped stream.

In: a record and the agent's handler. Out: the handler's effects, or a dead letter with the reason. Faust
drops an event whose agent raised, so nothing but cancellation leaves `Handling.one`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from schemas.errors import SchemaError
from schemas.events import GARMENT_EVENTS, INTERACTIONS, PRODUCT_EVENTS, TASTE_REQUESTS
from streams.dead_letters import dead_letter
from streams.metrics import Metrics, stage_of
from streams.record import Outbox, Record

log = logging.getLogger(__name__)
T = TypeVar("T")

_KNOWN_TYPES: Final = frozenset(
    {*PRODUCT_EVENTS, *INTERACTIONS, *GARMENT_EVENTS, *TASTE_REQUESTS, "taste.updated"}
)
_ATTEMPTS: Final = 4
_LONGEST_PAUSE_S: Final = 5.0
_UNSENT_PAUSE_S: Final = 0.5


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


class Handling:
    """How one agent's events are run.

    Args:
        unavailable: errors of a service that is away: waited for as long as it takes (the lag says so).
        passing: errors that may pass, such as a slow photo host: tried a few times, without a traceback.
        permanent: errors that trying again cannot mend, besides SchemaError.
        pause: waits seconds; tests inject their own.
    """

    def __init__(
        self,
        agent: str,
        outbox: Outbox,
        metrics: Metrics,
        unavailable: tuple[type[Exception], ...] = (),
        passing: tuple[type[Exception], ...] = (),
        permanent: tuple[type[Exception], ...] = (),
        pause: Callable[[float], Awaitable[None]] = _sleep,
    ) -> None:
        self.agent, self.outbox, self.metrics = agent, outbox, metrics
        self._unavailable = unavailable
        self._passing = passing
        self._permanent: tuple[type[Exception], ...] = (SchemaError, *permanent)
        self._pause = pause

    async def one(self, record: Record, handler: Callable[[Record], Awaitable[None]]) -> None:
        """Run `handler` on `record` until it succeeds or the record is a dead letter."""
        self.count_in(record)
        try:
            await self.retried(lambda: handler(record), record)
        except Exception as error:
            await self.bury(record, error)
        self.progressed()

    async def retried(self, step: Callable[[], Awaitable[T]], record: Record) -> T:
        """The result of `step`, tried again while a service is away, a few times for anything else.

        Raises what `step` raised last: at once if that is permanent, else after four attempts.
        """
        attempt, pause_s = 0, 0.1
        while True:
            try:
                return await step()
            except self._permanent:
                raise
            except self._unavailable as error:
                self._failed(record, error)
                log.warning("%s waits for a service: %s", self.agent, error)
            except Exception as error:
                self._failed(record, error)
                attempt += 1
                if attempt >= _ATTEMPTS:
                    raise
                if not isinstance(error, self._passing):
                    log.exception("%s failed on %s/%s@%s", self.agent, *_place(record))
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def acknowledged(self, sent: Awaitable[None], record: Record) -> bool:
        """Whether Kafka has what was sent; if not, after a pause. What answers a record is sent for ever."""
        try:
            with self.metrics.timed("emit"):
                await sent
        except Exception as error:
            self._failed(record, error)
            log.warning("%s: what answers %s/%s@%s is not sent: %s", self.agent, *_place(record), error)
            await self._pause(_UNSENT_PAUSE_S)
            return False
        return True

    async def bury(self, record: Record, error: BaseException) -> None:
        """Send the record to `dead-letters`, however long that takes."""
        stage = stage_of(error)
        log.warning("%s: dead letter %s/%s@%s (%s): %s", self.agent, *_place(record), stage, error)
        value, headers = dead_letter(record, stage, error)
        pause_s = 0.1
        while True:
            try:
                await self.outbox.send("dead-letters", record.key, value, headers)
                break
            except Exception as failure:
                log.warning("%s cannot write a dead letter yet: %s", self.agent, failure)
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self.metrics.dead_letters.labels(self.agent, record.topic, type_of(record)).inc()

    def count_in(self, record: Record) -> None:
        """Count a record as read."""
        self.metrics.events_in.labels(self.agent, record.topic, type_of(record)).inc()

    def progressed(self) -> None:
        """Note that this agent finished something just now."""
        self.metrics.last_progress.labels(self.agent).set_to_current_time()

    def _failed(self, record: Record, error: Exception) -> None:
        self.metrics.events_failed.labels(
            self.agent, record.topic, type_of(record), type(error).__name__
        ).inc()


def type_of(record: Record) -> str:
    """The event type in a record's headers if it is one of ours; hostile names shall not become labels."""
    for name, value in record.headers:
        if name == "ce_type":
            text = value.decode("utf-8", "replace")
            return text if text in _KNOWN_TYPES else "unknown"
    return "structured"


async def finished(work: Awaitable[T], longest_s: float = 10.0) -> T:
    """Run `work` to its end even if the caller is cancelled meanwhile (a rebalance, a shutdown).

    Half-done work would be acknowledged by Faust as its generator closes; so it is finished first. Work that
    takes longer than `longest_s` more (it waits for a service that is away) is cancelled: it must not write
    to a partition that belongs to another worker by then.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([task], timeout=longest_s)
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=1.0)
        raise


def _place(record: Record) -> Sequence[Any]:
    return record.topic, record.partition, record.offset
