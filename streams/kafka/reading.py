"""Topics read as they are, by commands: without a group, from one offset to another.

In: kafka-python's client settings, topics, offsets. Out: records. Fails with KafkaUnreachable where no broker
answers or it sends nothing more, TopicMissing where there is no such topic. Every call blocks.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.kafka.admin import ClientConfig, KafkaUnreachable
from streams.kafka.publisher import TopicMissing
from streams.record import Record

_CONNECT_TIMEOUT_MS: Final = 10_000
_POLL_MS: Final = 500
_STALLED_S: Final = 30.0


class TopicRanges:
    """A reader of ranges of topics, one at a time."""

    def __init__(self, config: ClientConfig) -> None:
        """Connect; raises KafkaUnreachable."""
        self.where = ",".join(config["bootstrap_servers"])
        try:
            self.consumer: Any = KafkaConsumer(
                **config,
                group_id=None,
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS,
            )
        except KafkaError as error:
            raise KafkaUnreachable(f"no Kafka broker answers at {self.where}: {error}") from error

    def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic; raises TopicMissing."""
        try:
            numbers = self.consumer.partitions_for_topic(topic)
        except KafkaError as error:
            raise KafkaUnreachable(f"no Kafka broker answers at {self.where}: {error}") from error
        if not numbers:
            raise TopicMissing(f"no topic {topic!r} at {self.where} (lookstream makes it when it starts)")
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    def spans(self, topic: str) -> dict[int, tuple[int, int]]:
        """Partition → (first offset, offset after the last) of a topic, as they are now."""
        partitions = self.partitions(topic)
        first, end = self.consumer.beginning_offsets(partitions), self.consumer.end_offsets(partitions)
        return {p.partition: (first[p], end[p]) for p in partitions}

    def read(self, partition: TopicPartition, first: int, end: int) -> Iterator[Record]:
        """The records of a partition from an offset up to another."""
        consumer = self.consumer
        consumer.assign([partition])
        consumer.seek(partition, first)
        moved_s, at = time.monotonic(), first
        while at < end:
            for one in (one for found in consumer.poll(timeout_ms=_POLL_MS).values() for one in found):
                if one.offset < end:
                    yield _record(one)
            if (now_at := consumer.position(partition)) > at:
                moved_s, at = time.monotonic(), now_at
            elif time.monotonic() - moved_s > _STALLED_S:
                raise KafkaUnreachable(f"{self.where} sends nothing of {partition.topic} any more")

    def seek_to_end(self, topic: str) -> None:
        """Follow a topic from its end on: what comes from now on is polled."""
        partitions = self.partitions(topic)
        self.consumer.assign(partitions)
        self.consumer.seek_to_end(*partitions)
        for partition in partitions:  # a seek is lazy: without this, what comes now could be passed over
            self.consumer.position(partition)

    def poll(self, timeout_ms: int) -> list[Record]:
        """What has come."""
        return [_record(one) for found in self.consumer.poll(timeout_ms=timeout_ms).values() for one in found]

    def close(self) -> None:
        """Disconnect."""
        self.consumer.close()


def _record(one: Any) -> Record:
    headers = tuple((name, raw or b"") for name, raw in one.headers or ())
    return Record(one.topic, one.partition, one.offset, one.key, one.value, headers, one.timestamp / 1000)
