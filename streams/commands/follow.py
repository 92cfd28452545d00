"""`lookstream follow`: recommendation sets as they arrive.

In: `recommendations`, read without a group (nobody else's reading is disturbed). Out: each newer set on
stdout, as lines for people or as JSON, one set a line. What can fail: KafkaUnreachable, TopicMissing.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.errors import SchemaError
from schemas.events import RECOMMENDATIONS, read
from schemas.recommendations import RecommendationSet, RecommendedItem, ShopperErased
from streams.kafka.admin import KafkaUnreachable
from streams.kafka.producer import TopicMissing
from streams.settings import Settings

TOPIC: Final = "recommendations"
_CONNECT_TIMEOUT_MS: Final = 10_000
_POLL_MS: Final = 500


def follow(
    settings: Settings, users: Sequence[str], *, as_json: bool, from_beginning: bool, count: int | None
) -> int:
    """Print sets of `users` (none given: of everybody) until interrupted or `count` sets are printed.

    `from_beginning` starts with what the topic holds, which is at least everybody's newest set. Returns 0.
    """
    config = settings.kafka_client()
    printed, newest = 0, Newest()
    try:
        with _consumer(config) as consumer:
            _assign(consumer, ",".join(config["bootstrap_servers"]), from_beginning)
            print(f"following {TOPIC} of {', '.join(users) or 'everybody'}", file=sys.stderr, flush=True)
            while count is None or printed < count:
                for record in _records(consumer):
                    found = newest.take(record)
                    if found is None or (users and found.user_id not in users):
                        continue
                    if isinstance(found, RecommendationSet):
                        print(found.model_dump_json() if as_json else as_text(found), flush=True)
                        printed += 1
                        if printed == count:
                            break
                    elif not as_json:
                        print(f"{found.user_id}: erased", flush=True)
    except KeyboardInterrupt:  # the ordinary end
        pass
    return 0


class Newest:
    """Takes records in and gives back the sets that are newer than what it gave for that shopper before."""

    def __init__(self) -> None:
        self._revisions: dict[str, int] = {}

    def take(self, record: Any) -> RecommendationSet | ShopperErased | None:
        """The newer set or the erasure in a consumer's record; None for anything else."""
        if record.value is None:  # a tombstone: the shopper may begin anew
            self._revisions.pop((record.key or b"").decode(errors="replace"), None)
            return None
        appended_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        try:
            _, data = read(RECOMMENDATIONS, record.headers, record.value, record.key, appended_at)
        except SchemaError as error:
            place = f"{record.topic}/{record.partition}@{record.offset}"
            print(f"not a recommendation set: {place}: {error}", file=sys.stderr)
            return None
        if isinstance(data, RecommendationSet):
            if data.revision <= self._revisions.get(data.user_id, 0):
                return None
            self._revisions[data.user_id] = data.revision
            return data
        return data if isinstance(data, ShopperErased) else None


def as_text(found: RecommendationSet) -> str:
    """A set in lines: whose and why, then an item a line."""
    head = (
        f"{found.user_id}  revision {found.revision}  {found.strategy}  {len(found.items)} items"
        f"  {found.latency_ms:.0f} ms after {found.trigger.type}"
    )
    return "\n".join([head, *map(_line, found.items)])


def _line(item: RecommendedItem) -> str:
    title = f"  {item.title}" if item.title else ""
    reason: str = item.slot
    if item.because is not None:
        action = item.because.action.removeprefix("product.")
        reason = f"{action} {item.because.product_id} ({item.because.share:.0%})"
    return f"{item.rank:4}  {item.part:9}  {item.score:6.3f}  {item.product_id}{title}  ← {reason}"


def _consumer(config: dict[str, Any]) -> KafkaConsumer:
    try:
        return KafkaConsumer(
            **config,
            group_id=None,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS,
        )
    except KafkaError as error:
        where = ",".join(config["bootstrap_servers"])
        raise KafkaUnreachable(f"no Kafka broker answers at {where}: {error}") from error


def _assign(consumer: Any, where: str, from_beginning: bool) -> None:
    partitions = [TopicPartition(TOPIC, number) for number in consumer.partitions_for_topic(TOPIC) or ()]
    if not partitions:
        raise TopicMissing(f"no topic {TOPIC!r} at {where} (lookstream makes it when it starts)")
    consumer.assign(partitions)
    if from_beginning:
        consumer.seek_to_beginning(*partitions)
    else:
        consumer.seek_to_end(*partitions)
    for partition in partitions:  # a seek is lazy: without this, a set that comes now could be passed over
        consumer.position(partition)


def _records(consumer: Any) -> Iterator[Any]:
    for records in consumer.poll(timeout_ms=_POLL_MS).values():
        yield from records
