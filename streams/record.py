"""A Kafka record as the agents see it, whatever client read it; and where records are sent.

In: Faust events. Out: `Record`. The agents know these two names and nothing of Faust.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from aiokafka.partitioner import murmur2

from schemas.cloudevents import Event, write_event

Header = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Record:
    """A record read from Kafka; `appended_at_s` is the broker's LogAppendTime in unix seconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    appended_at_s: float

    @property
    def appended_at(self) -> datetime:
        """LogAppendTime, UTC."""
        return datetime.fromtimestamp(self.appended_at_s, UTC)


class Outbox(Protocol):
    """Where agents send records; returns when the broker has acknowledged."""

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> None:
        """Send one record and wait for its acknowledgement."""


async def send_event(outbox: Outbox, topic: str, key: str, event: Event) -> None:
    """Send a CloudEvent in binary mode, keyed by text."""
    headers, value = write_event(event)
    await outbox.send(topic, key.encode(), value, headers)


def from_faust(event: Any) -> Record:
    """The record that a Faust event carries, with every header (Faust's own dict drops repeated ones)."""
    message = event.message
    raw = message.headers or ()
    pairs = raw.items() if isinstance(raw, dict) else raw
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple((name, value if value is not None else b"") for name, value in pairs),
        appended_at_s=float(message.timestamp or 0.0),
    )


def murmur2_partition(key: bytes, partitions: int) -> int:
    """The partition that Kafka's Java clients, kafka-python and aiokafka give a key."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
