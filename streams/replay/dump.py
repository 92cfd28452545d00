"""A running shop recorded: its topics from their first record to the last there is now, and its garments.

In: settings of the shop. Out: a `Recording`. Reading disturbs nobody: no consumer group, no writes. Fails
with KafkaUnreachable, TopicMissing or the vector store's own errors.

The vector store lists no products: those that any event names are asked for by id, and beside them the
newest garments of each part, in pages without the products found before. What is older than `retention_s`,
and beyond those pages, is missing from the recording.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Final, get_args

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from models.taste.exclusions import product_key
from models.visions import describe
from schemas import events
from schemas.errors import SchemaError
from schemas.parts import Part
from streams.apps import ranking_settings, taste_settings
from streams.kafka.admin import KafkaUnreachable
from streams.kafka.producer import TopicMissing
from streams.record import Record
from streams.replay.recording import TOPICS, Recording, Shop, in_order
from streams.services import open_configured_store
from streams.settings import Settings
from vectorstore.base import MAX_EXCLUDED_KEYS, MAX_K, GarmentPoint, VectorStore

_POLL_MS: Final = 500
_PAGE: Final = 200


def record_shop(settings: Settings) -> Recording:
    """Everything that a replay needs of a running shop."""
    records = in_order(read_topics(settings))
    known = describe(settings.vision)
    shop = Shop(
        detector=known.detector,
        embedder=known.embedder,
        partitions=settings.partitions,
        taste=taste_settings(settings),
        ranking=ranking_settings(settings),
    )
    return Recording(shop, records, asyncio.run(_garments(settings, _named(records))))


def read_topics(settings: Settings) -> Iterator[Record]:
    """The records of a recording's topics, up to the ends that these have now."""
    config = settings.kafka_client()
    where = ",".join(config["bootstrap_servers"])
    try:
        with KafkaConsumer(
            **config,
            group_id=None,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=10_000,
        ) as consumer:
            yield from _to_the_end(consumer, where)
    except KafkaError as error:
        raise KafkaUnreachable(f"no Kafka broker answers at {where}: {error}") from error


def _to_the_end(consumer: Any, where: str) -> Iterator[Record]:
    partitions = []
    for topic in TOPICS:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise TopicMissing(f"no topic {topic!r} at {where} (lookstream makes it when it starts)")
        partitions += [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        for partition, found in consumer.poll(timeout_ms=_POLL_MS).items():
            yield from (_record(one) for one in found if one.offset < ends[partition])


def _record(one: Any) -> Record:
    headers = tuple((name, raw or b"") for name, raw in one.headers or ())
    return Record(one.topic, one.partition, one.offset, one.key, one.value, headers, one.timestamp / 1000)


def _named(records: Iterable[Record]) -> set[str]:
    """Products that the events speak of."""
    found = set()
    accepted = {"garments": events.GARMENT_EVENTS, "interactions": events.INTERACTIONS}
    for record in records:
        if record.topic in accepted:
            try:
                _, data = events.read(
                    accepted[record.topic], record.headers, record.value, record.key, record.appended_at
                )
            except SchemaError:
                continue
            if isinstance(product_id := getattr(data, "product_id", None), str):
                found.add(product_id)
    return found


async def _garments(settings: Settings, product_ids: set[str]) -> list[GarmentPoint]:
    store = await open_configured_store(settings)
    try:
        found = product_ids | await _newest(store)
        points: list[GarmentPoint] = []
        for page in _pages(sorted(found)):
            held = await store.fetch_products(page)
            points += [point for product_id in page for point in held.get(product_id, ())]
        return points
    finally:
        await store.close()


async def _newest(store: VectorStore) -> set[str]:
    found: set[str] = set()
    for part in get_args(Part):
        while True:
            keys = sorted(map(product_key, found))[-MAX_EXCLUDED_KEYS:]
            hits = await store.newest(
                MAX_K, parts=frozenset({part}), in_stock_only=False, excluded_product_keys=keys
            )
            new = {hit.product_id for hit in hits} - found
            found |= new
            if len(hits) < MAX_K or not new:
                break
    return found


def _pages(names: list[str]) -> Iterator[list[str]]:
    """Pages of names."""
    return (names[at : at + _PAGE] for at in range(0, len(names), _PAGE))
