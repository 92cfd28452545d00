"""The outbox on Faust's producer: every send is awaited until the broker has acknowledged it, now or later.

In: records. Out: them on Kafka, those of a partition in the order in which they were given. Fails with the
producer's KafkaError; nothing is sent for certain unless the acknowledgement comes.
"""

from collections.abc import Awaitable, Sequence
from typing import Any

import faust

from streams.record import Header


class FaustOutbox:
    """Sends through a Faust app's own producer."""

    def __init__(self, app: faust.App) -> None:
        self._app = app
        self._topics: dict[str, Any] = {}

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> None:
        """Send one record and wait for its acknowledgement."""
        await (await self.post(topic, key, value, headers, partition))

    async def post(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> Awaitable[None]:
        """Give one record to the producer; what is returned waits for its acknowledgement."""
        sent: Awaitable[None] = await self._topic(topic).send(
            key=key, value=value, headers=list(headers), partition=partition
        )
        return sent

    def _topic(self, name: str) -> Any:
        if name not in self._topics:
            self._topics[name] = raw_topic(self._app, name)
        return self._topics[name]


def raw_topic(app: faust.App, *names: str) -> Any:
    """A Faust topic of bytes: what is in them is decided inside the agents, where errors are caught."""
    return app.topic(
        *names, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", internal=False
    )
