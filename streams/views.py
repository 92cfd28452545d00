"""Reading a topic without a group: every process that wants all of it reads all of it.

In: a topic and a function that takes each record in. Out: calls of that function, one a record.
Faust's GlobalTable is not used: it has open bugs in rebalances.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.record import Record

log = logging.getLogger(__name__)

_AT_ONCE: Final = 100  # so that a long topic leaves the event loop to others now and then
TakeIn = Callable[[Record], None]


class TopicView:
    """A background reader of all partitions of one topic; `config` are aiokafka's client settings.

    With `from_end` it leaves out what the topic has when it starts.
    """

    def __init__(self, topic: str, config: dict[str, Any], take_in: TakeIn, from_end: bool = False) -> None:
        self._topic, self._config, self._take_in = topic, config, take_in
        self._from_end = from_end
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read up to the end that the topic has now, then go on in the background."""
        self._consumer = AIOKafkaConsumer(**self._config, group_id=None, enable_auto_commit=False)
        await self._consumer.start()
        partitions = await self._partitions()
        self._consumer.assign(partitions)
        if self._from_end:
            await self._consumer.seek_to_end(*partitions)
        else:
            await self._consumer.seek_to_beginning(*partitions)
        ends = await self._consumer.end_offsets(partitions)
        for partition, end in ends.items():
            while end and await self._consumer.position(partition) < end:
                await self._take(timeout_ms=500)
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End the reader."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.stop()

    async def _partitions(self) -> list[TopicPartition]:
        assert self._consumer is not None
        await self._consumer._client.set_topics([self._topic])
        known = self._consumer._client.cluster.partitions_for_topic(self._topic) or set()
        return [TopicPartition(self._topic, number) for number in sorted(known)]

    async def _follow(self) -> None:
        while True:
            try:
                await self._take(timeout_ms=1000)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.warning("reading %s: %s", self._topic, error)
                await asyncio.sleep(1.0)

    async def _take(self, timeout_ms: int) -> None:
        assert self._consumer is not None
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms, max_records=_AT_ONCE)).values():
            for record in records:
                self._take_in(from_aiokafka(record))


def from_aiokafka(record: Any) -> Record:
    """The record that aiokafka read."""
    headers = tuple((name, value or b"") for name, value in record.headers or ())
    appended_at_s = (record.timestamp or 0) / 1000
    return Record(
        record.topic, record.partition, record.offset, record.key, record.value, headers, appended_at_s
    )
