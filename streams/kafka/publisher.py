"""What both publishers share: CloudEvents in binary mode, validated, keyed, acknowledged or reported.

In: CloudEvents whose data is a record or a dict. Out: records on one topic, acknowledged by every in-sync
replica. What can fail: invalid data (SchemaError, at the call), an event larger than its topic allows
(EventTooLarge, at the call), no broker or no topic (KafkaUnreachable, TopicMissing, at the start), an event
not delivered (DeliveryError, at `flush`, at the end of the `with` block, or at the delivery's own `result`).
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, ClassVar, Final, Self
from uuid import uuid4

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.record.default_records import DefaultRecordBatchBuilder

from schemas.base import Record
from schemas.cloudevents import Event, read_event, write_event
from schemas.errors import SchemaError, shape
from schemas.events import validate
from streams.kafka.admin import KafkaUnreachable
from streams.kafka.deliveries import Delivery, DeliveryError, Ledger
from streams.topology import MEGABYTE, topic

DEFAULT_SOURCE: Final = "lookstream/client"
MAX_PENDING_BYTES: Final = 64 * MEGABYTE
_REQUEST_TIMEOUT_MS: Final = 30_000
_INTERRUPTED_FLUSH_S: Final = 5.0


class EventTooLarge(ValueError):  # noqa: N818 (reads as the state it reports)
    """An event is larger than its topic allows; it was not sent."""

    def __init__(self, event_id: str, key: str, size_bytes: int, limit_bytes: int) -> None:
        self.event_id, self.key = event_id, key
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes
        super().__init__(
            f"event {event_id} of {key!r} is {size_bytes:,} bytes, but its topic allows {limit_bytes:,}"
        )


class TopicMissing(RuntimeError):  # noqa: N818
    """The broker has no such topic, or this client may not use it."""


class Publisher:
    """What both publishers share. Thread-safe; a context manager that flushes at the end.

    Sending does not wait for the broker, unless 64 MB are waiting for it already. The broker has an event
    once its `Delivery` is done, or once `flush` has returned.

    Args:
        bootstrap_servers: host:port, several separated by commas or as a sequence.
        source: the CloudEvents source; together with an event's id it recognises duplicates.
        linger_ms: how long an event may wait for others to travel with.
        connect_timeout_s: how long to wait for a broker, and then for the topic.
        delivery_timeout_s: an event that is not acknowledged by then has failed.
        **kafka: further settings of kafka-python's KafkaProducer (security_protocol, sasl_…, ssl_…).

    Raises:
        ValueError: the address or a setting is malformed.
        KafkaUnreachable: no broker answers, or it refuses this client.
        TopicMissing: it has not got the topic, or this client may not use it.
    """

    topic_name: ClassVar[str]
    _accepted: ClassVar[dict[str, type[Record]]]
    _key_field: ClassVar[str]

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        *,
        source: str = DEFAULT_SOURCE,
        linger_ms: int = 1,
        connect_timeout_s: float = 10.0,
        delivery_timeout_s: float = 120.0,
        **kafka: Any,
    ) -> None:
        self.source = source
        self.limit_bytes = topic(self.topic_name).max_message_bytes
        self._ledger = Ledger(MAX_PENDING_BYTES)
        self._closed = False
        delivery_ms = max(int(delivery_timeout_s * 1000), linger_ms + 2)
        settings: dict[str, Any] = {
            "bootstrap_servers": _servers(bootstrap_servers),
            "acks": "all",
            "allow_auto_create_topics": False,
            "linger_ms": linger_ms,
            "max_request_size": self.limit_bytes,
            "bootstrap_timeout_ms": int(connect_timeout_s * 1000),
            "max_block_ms": int(connect_timeout_s * 1000),
            "delivery_timeout_ms": delivery_ms,
            "request_timeout_ms": min(_REQUEST_TIMEOUT_MS, delivery_ms - linger_ms),
            "reconnect_backoff_max_ms": 1000,
            **kafka,
        }
        self._producer = _connected(settings, self.topic_name)

    def send(self, event: Event) -> Delivery:
        """Send a CloudEvent whose data is a record or a dict; its subject and key become the data's id.

        Raises:
            SchemaError: the data or an attribute is invalid; the message names it. Nothing was sent.
            EventTooLarge: nothing was sent.
        """
        if self._closed:
            raise RuntimeError(f"this {type(self).__name__} is closed")
        data = self._checked(event)
        key = str(getattr(data, self._key_field))
        payload = data.model_dump(mode="json", exclude_unset=True)
        headers, value = write_event(
            Event(event.id, event.source, event.type, event.time, payload, key, event.extensions)
        )
        read_event(headers, b"null", event.time)  # what a reader would refuse in the attributes
        size_bytes = int(DefaultRecordBatchBuilder.estimate_size_in_bytes(key.encode(), value, headers))
        if size_bytes > self.limit_bytes:
            raise EventTooLarge(event.id, key, size_bytes, self.limit_bytes)
        self._ledger.wait_for_room(size_bytes)
        future = self._producer.send(self.topic_name, value=value, key=key.encode(), headers=headers)
        delivery = Delivery(self._ledger, event.id, key, size_bytes, future)
        self._ledger.enter(delivery, future)
        return delivery

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait until the broker has everything sent so far.

        Raises DeliveryError naming every event that failed since the last flush, also those whose delivery
        nobody looked at, and those not acknowledged within `timeout_s`.
        """
        if failed := self._ledger.collect(timeout_s):
            raise DeliveryError(failed)

    def close(self, timeout_s: float = 30.0) -> None:
        """Flush, then disconnect; what is not acknowledged by then is given up. Raises as `flush` does."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush(timeout_s)
        finally:
            if self._ledger.pending:
                self._producer._sender.force_close()  # close() would time out and leave its thread running
            with contextlib.suppress(KafkaError):
                self._producer.close(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return self.close()
        try:
            self.close(_INTERRUPTED_FLUSH_S)
        except DeliveryError as failed:  # must not hide what ended the block
            error.add_note(str(failed))

    def _publish(
        self,
        kind: str,
        data: Record | Mapping[str, Any],
        event_id: str | None,
        event_time: datetime | None,
        traceparent: str | None,
    ) -> Delivery:
        return self.send(
            Event(
                id=str(uuid4()) if event_id is None else event_id,
                source=self.source,
                type=kind,
                time=datetime.now(UTC) if event_time is None else event_time,
                data=data,
                extensions={} if traceparent is None else {"traceparent": traceparent},
            )
        )

    def _checked(self, event: Event) -> Record:
        model = self._accepted.get(event.type)
        if model is None:
            raise SchemaError("type", shape(event.type), "one of " + ", ".join(self._accepted))
        if event.time.tzinfo is None:
            raise SchemaError("time", f"'{event.time}' without a time zone", "a datetime with one (UTC)")
        if isinstance(event.data, model):
            return event.data
        data = dict(event.data) if isinstance(event.data, Mapping) else event.data
        return validate(model, data, event.type)


def _servers(given: str | Sequence[str]) -> list[str]:
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else list(given)


def _connected(settings: dict[str, Any], topic_name: str) -> KafkaProducer:
    where = ",".join(settings["bootstrap_servers"])
    try:
        producer = KafkaProducer(**settings)
    except (KafkaError, OSError) as error:
        raise KafkaUnreachable(f"no Kafka broker answers at {where}: {error}") from error
    except ValueError as error:
        raise ValueError(
            f"Kafka at {where!r}: {error}, expected host:port and settings of kafka-python"
        ) from error
    try:
        producer.partitions_for(topic_name)
    except KafkaError as error:
        producer.close(timeout=1)
        raise TopicMissing(
            f"cannot write to topic {topic_name!r} at {where} (lookstream makes it when it starts): {error}"
        ) from error
    return producer
