"""The dead letters on Kafka: read, and sent back to where they came from.

In: places on `dead-letters`. Out: the letters, the newest first; replayed, their original bytes, key and
headers on their original topic, acknowledged. Reading disturbs nobody: no consumer group. Fails with
KafkaUnreachable, TopicMissing, LetterMissing, NotReplayable, DeliveryError. Every call blocks.

A letter of a compacted topic goes back only while its original is the key's newest record there: it must
not take the place of something newer, nor bring back what was deleted.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from kafka import TopicPartition

from streams import topology
from streams.kafka.deliveries import Delivery, Position
from streams.kafka.reading import TopicRanges
from streams.kafka.resending import WITHIN_S, Resender
from streams.letters import NotReplayable, Origin, origin, place, summary
from streams.record import Record
from streams.settings import Settings

TOPIC: Final = "dead-letters"


class LetterMissing(LookupError):  # noqa: N818 (reads as the state it reports)
    """There is no dead letter at that place (any more)."""


class LetterBox:
    """One reader, and a sender once something is replayed; a context manager. Not for two threads at once."""

    def __init__(self, settings: Settings) -> None:
        """Connect; raises KafkaUnreachable."""
        self._config = settings.kafka_client()
        self._resender = Resender(self._config)
        self._letters = TopicRanges(self._config)
        self._origins: TopicRanges | None = None  # of its own: letters may be half read meanwhile

    def spans(self) -> dict[int, tuple[int, int]]:
        """Partition → (first offset, offset after the last)."""
        return self._letters.spans(TOPIC)

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """Summaries of the `limit` newest letters, by the broker's time, the newest first."""
        found = []
        for partition, (first, end) in self.spans().items():
            at = TopicPartition(TOPIC, partition)
            found += [summary(one) for one in self._letters.read(at, max(first, end - limit), end)]
        found.sort(key=lambda said: (said["time"], said["offset"]), reverse=True)
        return found[:limit]

    def everything(self) -> Iterator[Record]:
        """All letters that there are now, partition by partition."""
        for partition, (first, end) in sorted(self.spans().items()):
            yield from self._letters.read(TopicPartition(TOPIC, partition), first, end)

    def get(self, partition: int, offset: int) -> Record:
        """The letter at a place; raises LetterMissing."""
        first, end = self.spans().get(partition, (0, 0))
        if first <= offset < end:
            for letter in self._letters.read(TopicPartition(TOPIC, partition), offset, offset + 1):
                return letter
        held = f"{first} to {end - 1}" if end > first else "none"
        raise LetterMissing(
            f"dead letter {partition}/{offset}: not there, partition {partition} holds {held}"
        )

    def send_back(self, letter: Record) -> Delivery:
        """Send a letter to where it came from, without waiting; raises NotReplayable."""
        was = origin(letter)
        if topology.topic(was.topic).compact and not self._is_newest(was):
            raise NotReplayable(
                f"{place(letter)}: {was.topic} has something newer of that key, or has deleted it"
            )
        if was.key is None and was.partition not in self._letters.spans(was.topic):
            raise NotReplayable(f"{place(letter)}: {was.topic} has no partition {was.partition}")
        return self._resender.send(
            was.topic, was.key, was.value, was.headers, name=place(letter), partition=was.partition
        )

    def replay(self, partition: int, offset: int) -> Position:
        """Send one letter back and wait for the acknowledgement."""
        return self.send_back(self.get(partition, offset)).result(WITHIN_S)

    def close(self) -> None:
        """Disconnect."""
        self._letters.close()
        if self._origins is not None:
            self._origins.close()
        self._resender.close()

    def _is_newest(self, was: Origin) -> bool:
        """Whether the original is still on its topic and nothing with its key follows it."""
        if self._origins is None:
            self._origins = TopicRanges(self._config)
        partition = TopicPartition(was.topic, was.partition)
        if partition not in self._origins.partitions(was.topic):
            return False
        _, end = self._origins.spans(was.topic)[was.partition]
        records = self._origins.read(partition, was.offset, end)
        return [record.offset for record in records if record.key == was.key] == [was.offset]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
