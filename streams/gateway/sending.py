"""Events to Kafka: a request is answered once every in-sync replica has what it brought.

In: events, validated. Out: where each lies. Fails with a Problem: 503 where that is not known in time (the
same events may be sent again, they keep their ids), 413 for an event larger than its topic takes.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.cloudevents import Event, write_event
from streams import topology
from streams.gateway.problems import Problem, unavailable

log = logging.getLogger(__name__)
WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way: its topic, its key, and the event, whose data is JSON-like."""

    topic: str
    key: str
    event: Event


@dataclass(frozen=True, slots=True)
class Accepted:
    """Where an event lies."""

    id: str
    topic: str
    partition: int
    offset: int


class Sender(Protocol):
    """Where the gateway sends events."""

    async def send(self, events: Sequence[Outgoing]) -> list[Accepted]:
        """Send all of them; returns once all are acknowledged, raises a Problem otherwise."""
        ...

    async def check(self) -> None:
        """Raise unless Kafka can be reached now."""
        ...


class KafkaSender:
    """An idempotent producer; `config` are aiokafka's client settings."""

    def __init__(self, config: dict[str, Any], within_s: float = WITHIN_S) -> None:
        self._config, self._within_s = config, within_s
        self._producer: Any = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect; raises aiokafka's errors."""
        producer: Any = AIOKafkaProducer(
            **self._config,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=max(topic.max_message_bytes for topic in topology.TOPICS),
            request_timeout_ms=int(self._within_s * 1000),
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect, what is under way first."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, events: Sequence[Outgoing]) -> list[Accepted]:
        """Send all of them; returns once all are acknowledged."""
        for one in events:
            _check_size(one)
        try:
            async with asyncio.timeout(self._within_s):
                return await self._acknowledged(events)
        except MessageSizeTooLargeError as error:
            raise Problem(413, str(error), "too-large") from None
        except TimeoutError:
            problem = unavailable(f"Kafka did not acknowledge within {self._within_s:g} s")
        except KafkaError as error:
            log.warning("sending: %r", error)
            problem = unavailable(f"Kafka did not acknowledge: {type(error).__name__}")
            await self._renew()
        problem.more["ids"] = [one.event.id for one in events]
        raise problem

    async def check(self) -> None:
        """Raise unless Kafka can be reached now."""
        async with self._starting:
            if self._producer is None:
                await self.start()
            await self._producer.client.fetch_all_metadata()

    async def _acknowledged(self, events: Sequence[Outgoing]) -> list[Accepted]:
        async with self._starting:
            if self._producer is None:
                await self.start()
            producer = self._producer
        waiting = []
        for one in events:
            headers, value = write_event(one.event)
            waiting.append(await producer.send(one.topic, value=value, key=one.key.encode(), headers=headers))
        placed = await asyncio.gather(*waiting)
        return [
            Accepted(one.event.id, one.topic, place.partition, place.offset)
            for one, place in zip(events, placed, strict=True)
        ]

    async def _renew(self) -> None:
        """Another producer next time: some errors leave this one of no use."""
        producer, self._producer = self._producer, None
        if producer is not None:
            asyncio.create_task(producer.stop())


def _check_size(one: Outgoing) -> None:
    headers, value = write_event(one.event)
    size = len(value) + sum(len(name) + len(text) for name, text in headers) + len(one.key) + 100
    limit = topology.topic(one.topic).max_message_bytes
    if size > limit:
        raise Problem(
            413, f"event {one.event.id}: {size / 1e6:.1f} MB, at most {limit / 1e6:g} are taken", "too-large"
        )
