"""How far Kafka's topics have grown and the apps have come, for the operator's page.

In: Kafka's own offsets. Out: what each app has not read yet, events a second, the number of dead letters.
They are true whether workers run or not. Fails with aiokafka's KafkaError or TimeoutError while no broker
answers.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams import topology

_FRESH_S: Final = 1.0
_LONGEST_S: Final = 30.0
_WITHIN_S: Final = 5.0
Offsets = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """What Kafka says.

    Attributes:
        lag: app → topic → records that its consumer group has not read yet; without topics it never read.
        throughput: topic → records a second since the last look; empty at the first.
        dead_letters: how many there are.
    """

    lag: dict[str, dict[str, int]] = field(default_factory=dict)
    throughput: dict[str, float] = field(default_factory=dict)
    dead_letters: int = 0


class FlowMeter:
    """Asks Kafka at most once a second, however many ask it. `config` are aiokafka's client settings."""

    def __init__(self, config: dict[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()
        self._ends: Offsets = {}
        self._at_s = float("-inf")
        self._flow = Flow()

    async def flow(self) -> Flow:
        """The flow now, not older than a second."""
        async with self._lock:
            if self._clock() - self._at_s >= _FRESH_S:
                try:
                    async with asyncio.timeout(_WITHIN_S):
                        await self._look()
                except BaseException:
                    await self.stop()  # and connect anew: a client may not come back by itself
                    raise
        return self._flow

    async def stop(self) -> None:
        """Disconnect."""
        admin, self._admin = self._admin, None
        consumer, self._consumer = self._consumer, None
        if admin is not None:
            await admin.close()
        if consumer is not None:
            await consumer.stop()

    async def _look(self) -> None:
        admin, consumer = await self._connected()
        partitions = await _partitions(consumer)
        ends = await consumer.end_offsets(partitions)
        dead = [tp for tp in partitions if tp.topic == "dead-letters"]
        first = await consumer.beginning_offsets(dead)
        read = {app: await _committed(admin, app) for app in topology.APPS}
        now_s = self._clock()
        self._flow = Flow(
            {app: lag(ends, offsets) for app, offsets in read.items()},
            throughput(self._ends, ends, now_s - self._at_s),
            sum(ends[tp] - first[tp] for tp in dead),
        )
        self._ends, self._at_s = ends, now_s

    async def _connected(self) -> tuple[Any, Any]:
        if self._admin is None:
            admin = AIOKafkaAdminClient(**self._config)
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        if self._consumer is None:
            consumer = AIOKafkaConsumer(**self._config, group_id=None, enable_auto_commit=False)
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._admin, self._consumer


def lag(ends: Offsets, committed: Offsets) -> dict[str, int]:
    """Topic → records after the committed offsets, of the topics that have any; in the topics' order."""
    behind: dict[str, int] = {}
    for tp in sorted(ends):
        if tp in committed:
            behind[tp.topic] = behind.get(tp.topic, 0) + max(0, ends[tp] - committed[tp])
    return behind


def throughput(before: Offsets, now: Offsets, seconds: float) -> dict[str, float]:
    """Topic → records a second between two looks; empty where there was none, or too long ago."""
    if not before or not 0 < seconds <= _LONGEST_S:
        return {}
    grown = dict.fromkeys((topic.name for topic in topology.TOPICS), 0)
    for tp, end in now.items():
        grown[tp.topic] += max(0, end - before.get(tp, end))
    return {name: round(count / seconds, 2) for name, count in grown.items()}


async def _partitions(consumer: Any) -> list[TopicPartition]:
    names = [topic.name for topic in topology.TOPICS]
    await consumer._client.set_topics(names)
    cluster = consumer._client.cluster
    return [
        TopicPartition(name, number)
        for name in names
        for number in sorted(cluster.partitions_for_topic(name) or ())
    ]


async def _committed(admin: Any, app: str) -> dict[TopicPartition, int]:
    found = await admin.list_consumer_group_offsets(topology.app_id(app))
    return {tp: said.offset for tp, said in found.items() if said.offset >= 0}
