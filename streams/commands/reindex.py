"""`lookstream reindex`: every product embedded anew, with the model in force.

In: `product-events`, read whole without a group. Out: of each product that is in the catalogue, its newest
upload and the updates since, sent there again byte for byte; index-garments does the rest. Exit codes: 0 all
sent and acknowledged, 1 some not. Fails with KafkaUnreachable and TopicMissing.

It is safe to run at any time and to repeat: the events keep their times, so they overtake nothing newer, and
a product that was removed, or is removed meanwhile, stays removed. A product whose upload has expired from
the topic (`retention_s`) is not reached: its source has to publish it again.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from kafka import TopicPartition
from tqdm import tqdm

from models.catalogue import NEVER, Version
from schemas import events
from schemas.errors import SchemaError
from schemas.products import ProductRemoved, ProductUploaded
from streams.kafka.deliveries import Delivery, DeliveryError
from streams.kafka.reading import TopicRanges
from streams.kafka.resending import Resender
from streams.record import Record
from streams.settings import Settings

TOPIC: Final = "product-events"
_WITHIN_S: Final = 60.0
Place = tuple[int, int]


@dataclass(slots=True)
class _History:
    """What the topic says of one product: versions, and where its updates lie."""

    uploaded: Version = NEVER
    upload: Place = (-1, -1)
    removed: Version = NEVER
    updates: list[tuple[Version, Place]] = field(default_factory=list)

    def take(self, data: object, version: Version, place: Place) -> None:
        """Take in an event."""
        if isinstance(data, ProductRemoved):
            self.removed = max(self.removed, version)
        elif not isinstance(data, ProductUploaded):
            self.updates.append((version, place))
        elif version > self.uploaded:
            self.uploaded, self.upload = version, place
            self.updates = [update for update in self.updates if update[0] > version]

    def wanted(self) -> list[Place]:
        """The records that make the product what it is; none of one that is not in the catalogue."""
        if self.uploaded <= self.removed:
            return []
        return [self.upload, *(place for version, place in self.updates if version > self.uploaded)]


def wanted(records: Iterable[Record]) -> dict[Place, str]:
    """(partition, offset) → product id of the records to send again."""
    histories: dict[str, _History] = {}
    for record in records:
        try:
            event, data = events.read(
                events.PRODUCT_EVENTS, record.headers, record.value, record.key, record.appended_at
            )
        except SchemaError:  # a dead letter, then and now
            continue
        version = Version(event.time.timestamp(), record.offset)
        histories.setdefault(data.id, _History()).take(data, version, (record.partition, record.offset))
    return {place: product for product, history in histories.items() for place in history.wanted()}


def reindex(settings: Settings, *, as_json: bool) -> int:
    """Send what every product is made of once more; returns an exit code."""
    config = settings.kafka_client()
    deliveries: list[Delivery] = []
    with closing(TopicRanges(config)) as topic, closing(Resender(config)) as resender:
        spans = topic.spans(TOPIC)
        found = wanted(
            _bar(_records(topic, spans), sum(end - first for first, end in spans.values()), "reading")
        )
        again = (one for one in _records(topic, spans) if (one.partition, one.offset) in found)
        for one in _bar(again, len(found), "sending"):
            product_id = found[one.partition, one.offset]
            deliveries.append(resender.send(TOPIC, one.key, one.value, one.headers, name=product_id))
        failed = [reason for delivery in deliveries if (reason := _failure(delivery))]
    products = len(set(found.values()))
    for reason in failed:
        print(f"failed: {reason}", file=sys.stderr)
    if as_json:
        print(json.dumps({"products": products, "events": len(deliveries), "failed": failed}))
    else:
        print(f"{products} products sent again, index-garments embeds them now")
    return 1 if failed else 0


def _records(topic: TopicRanges, spans: dict[int, Place]) -> Iterator[Record]:
    for partition, (first, end) in sorted(spans.items()):
        yield from topic.read(TopicPartition(TOPIC, partition), first, end)


def _bar(records: Iterable[Record], total: int, doing: str) -> Iterable[Record]:
    bar: Iterable[Record] = tqdm(records, total=total, desc=doing, unit=" events", disable=None)
    return bar


def _failure(delivery: Delivery) -> str | None:
    try:
        delivery.result(_WITHIN_S)
    except (DeliveryError, TimeoutError) as error:
        return str(error)
    return None
