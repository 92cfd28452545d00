"""Reading a topic into the shelf: all partitions, without a group, from where the shelf left off.

In: a topic and a function that takes records in. Out: calls of it, a batch each; what it writes and the
offsets reach the disk together. A batch that fails is read again. A topic that is shorter than what was read
of it is another one under its name: the shelf forgets what it had from it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.gateway.shelf import Batch, Shelf
from streams.record import Record
from streams.views import from_aiokafka

log = logging.getLogger(__name__)
_AT_ONCE: Final = 200
_AGAIN_S: Final = 1.0

TakeIn = Callable[[Sequence[Record], Batch], Awaitable[None]]


class TopicReader:
    """A background reader of one topic.

    Args:
        take_in: is given records of all partitions in their order; what is to be kept goes into the batch.
        written: is called once the batch is on the disk.
        forget: drops all that the shelf has from this topic.
    """

    def __init__(
        self,
        topic: str,
        config: dict[str, Any],
        shelf: Shelf,
        take_in: TakeIn,
        written: Callable[[], None] = lambda: None,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self.topic, self.caught_up = topic, asyncio.Event()
        self._config, self._shelf, self._take_in = config, shelf, take_in
        self._written, self._forget = written, forget
        self._ends: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Read from now on; `caught_up` is set at the end that the topic has now."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the reader."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(
                **self._config, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
            )
            try:
                await consumer.start()
                await self._place(consumer)
                while True:
                    await self._step(consumer)
            except Exception as error:
                log.warning("reading %s: %s", self.topic, error)
            finally:
                await consumer.stop()
            await asyncio.sleep(_AGAIN_S)

    async def _place(self, consumer: Any) -> None:
        """Go to where the shelf left off."""
        await consumer._client.set_topics([self.topic])
        numbers = consumer._client.cluster.partitions_for_topic(self.topic) or set()
        partitions = [TopicPartition(self.topic, number) for number in sorted(numbers)]
        if not partitions:
            raise RuntimeError("no such topic")
        consumer.assign(partitions)
        self._ends = await consumer.end_offsets(partitions)
        read = {tp: self._shelf.next_offset(self.topic, tp.partition) for tp in partitions}
        if any(offset is not None and offset > self._ends[tp] for tp, offset in read.items()):
            log.warning("%s is shorter than what was read of it; reading it anew", self.topic)
            self._forget()
            self._shelf.forget_offsets(self.topic)
            read = dict.fromkeys(partitions)
        first = await consumer.beginning_offsets(partitions)
        for tp, offset in read.items():
            consumer.seek(tp, max(first[tp], offset or 0))
        await self._check_caught_up(consumer)

    async def _step(self, consumer: Any) -> None:
        found = await consumer.getmany(timeout_ms=1000, max_records=_AT_ONCE)
        records = [from_aiokafka(record) for of_one in found.values() for record in of_one]
        if records:
            batch = Batch()
            await self._take_in(records, batch)
            for tp in found:
                batch.next_offset(self.topic, tp.partition, await consumer.position(tp))
            self._shelf.write(batch)
            self._written()
        if not self.caught_up.is_set():
            await self._check_caught_up(consumer)

    async def _check_caught_up(self, consumer: Any) -> None:
        for tp, end in self._ends.items():
            if await consumer.position(tp) < end:
                return
        self.caught_up.set()
