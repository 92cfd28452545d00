"""Records sent again as they were: bytes, key and headers, acknowledged by every in-sync replica.

In: kafka-python's client settings and records. Out: a `Delivery` each. Fails with KafkaUnreachable where no
broker answers. Sending waits while 64 MB are under way.
"""

from collections.abc import Sequence
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams import topology
from streams.kafka.admin import ClientConfig, KafkaUnreachable
from streams.kafka.deliveries import Delivery, Ledger
from streams.kafka.publisher import MAX_PENDING_BYTES
from streams.record import Header

WITHIN_S: Final = 30.0
_CONNECT_TIMEOUT_MS: Final = 10_000


class Resender:
    """Sends records; connects when there is the first."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._ledger = Ledger(MAX_PENDING_BYTES)
        self._producer: Any = None

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header],
        *,
        name: str,
        partition: int | None = None,
    ) -> Delivery:
        """Send a record; `name` is what its delivery calls it. Kafka's partitioner places a keyed one."""
        if self._producer is None:
            self._producer = self._connected()
        size_bytes = len(value or b"") + sum(len(label) + len(raw) for label, raw in headers)
        self._ledger.wait_for_room(size_bytes)
        future = self._producer.send(
            topic, value=value, key=key, headers=list(headers), partition=partition if key is None else None
        )
        delivery = Delivery(self._ledger, name, (key or b"").decode("utf-8", "replace"), size_bytes, future)
        self._ledger.enter(delivery, future)
        return delivery

    def close(self) -> None:
        """Disconnect; what is under way is given five seconds."""
        if self._producer is not None:
            self._producer.close(timeout=5)

    def _connected(self) -> Any:
        try:
            return KafkaProducer(
                **self._config,
                acks="all",
                allow_auto_create_topics=False,
                max_request_size=26 * topology.MEGABYTE,
                delivery_timeout_ms=int(WITHIN_S * 1000),
                request_timeout_ms=int(WITHIN_S * 1000) - 1000,
                bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS,
            )
        except KafkaError as error:
            where = ",".join(self._config["bootstrap_servers"])
            raise KafkaUnreachable(f"no Kafka broker answers at {where}: {error}") from error
