"""An erased user on a real broker: after compaction and retention no store holds anything of the user.

Retention and compaction, which take days by default, are hurried through the broker's own settings.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn_photos import Photos
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from rocksdict import AccessType, Options, Rdict
from running_shop import RunningShop, somebody, until

from models.visions import describe
from streams import topology
from vectorstore.open import open_store
from vectorstore.paths import socket_path

pytestmark = pytest.mark.broker

COMPACTED = [
    *(t.name for t in topology.TOPICS if t.compact and t.name in ("tastes", "recommendations")),
    *(topology.changelog("shopper", table) for table in topology.tables("shopper")),
]
EXPIRING = ["interactions", "waiting", "taste-requests", "dead-letters"]
OVERWRITTEN = ("tables/", "vectors/", "gateway/shelf/")
HURRIED = {
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.001",
    "delete.retention.ms": "0",
    "file.delete.delay.ms": "0",
}


@pytest.fixture
def admin(shop: RunningShop) -> Iterator[Any]:
    """The broker's settings, hurried, and put back afterwards."""
    client = KafkaAdminClient(bootstrap_servers=shop.kafka)
    quick = {"log.cleaner.backoff.ms": "50"}
    client.alter_configs([ConfigResource(ConfigResourceType.BROKER, "1", quick)])
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, HURRIED) for name in COMPACTED])
    yield client
    back = {name: ("DELETE", None) for name in HURRIED if name != "segment.ms"}
    back |= {"segment.ms": ("SET", "604800000")}
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, back) for name in COMPACTED])
    client.alter_configs(
        [ConfigResource(ConfigResourceType.BROKER, "1", {"log.cleaner.backoff.ms": ("DELETE", None)})]
    )
    client.close()


def records(shop: RunningShop, topics: list[str]) -> Iterator[Any]:
    """Everything that is on these topics now."""
    with KafkaConsumer(bootstrap_servers=shop.kafka, group_id=None, enable_auto_commit=False) as consumer:
        partitions = [
            TopicPartition(topic, n) for topic in topics for n in consumer.partitions_for_topic(topic) or ()
        ]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(p) < end for p, end in ends.items()):
            for found in consumer.poll(timeout_ms=200).values():
                yield from found


def holding(shop: RunningShop, topics: list[str], *names: str) -> set[str]:
    """The topics that hold anything of these ids, in a key, a header or a value."""
    found = set()
    for record in records(shop, topics):
        parts = [record.key, record.value, *(raw for _, raw in record.headers or ())]
        data = b"\n".join(part for part in parts if part)
        if any(name.encode() in data for name in names):
            found.add(record.topic)
    return found


def filler(shop: RunningShop) -> None:
    """A record on every partition of the compacted topics: it closes the segments before it."""
    for topic in COMPACTED:
        for partition in range(len(shop.raw.partitions_for(topic))):
            shop.send(topic, f"filler-{time.monotonic_ns()}", None, partition=partition)


def expire(admin: Any, shop: RunningShop) -> None:
    """What the retention of the topics that are not compacted does after its time."""
    with KafkaConsumer(bootstrap_servers=shop.kafka, group_id=None) as consumer:
        for topic in EXPIRING:
            partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
            admin.delete_records(consumer.end_offsets(partitions))


def in_files(folder: Path, *names: str) -> set[str]:
    """Folders of the data directory, two levels deep, with files that hold these ids as bytes."""
    return {
        (place := "/".join(path.relative_to(folder).parts[:3])).rpartition("-")[0] or place
        for path in folder.rglob("*")
        if path.is_file() and any(name.encode() in path.read_bytes() for name in names)
    }


def in_tables(folder: Path, *names: str) -> list[str]:
    """RocksDB tables, the gateway's among them, with a row that holds anything of these ids."""
    found = []
    for path in [*sorted(folder.glob("tables/*/*/tables/*.db")), folder / "gateway" / "shelf"]:
        db = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
        rows = [key + value for key, value in db.items()]
        found += [path.name for row in rows if any(name.encode() in row for name in names)]
        db.close()
    return found


def centroids(shop: RunningShop, user_id: str) -> int:
    """How many centroids the vector store still had of a user."""

    async def ask() -> int:
        known = describe("lite0")
        store = await open_store(
            url=None,
            api_key=None,
            socket_path=socket_path(shop.data_dir),
            model=known.embedder,
            dim=known.dim,
        )
        try:
            return await store.delete_tastes(user_id)
        finally:
            await store.close()

    return asyncio.run(ask())


def test_after_compaction_and_retention_nothing_of_an_erased_user_is_left(
    shop: RunningShop, photos: Photos, admin: Any
) -> None:
    user, visitor = somebody("erased"), somebody("visitor")
    viewed = photos.of("shorts")[:4]
    shop.answered("product.viewed", visitor, viewed[0])
    shop.answered("user.identified", user, anonymous_id=visitor)
    for product_id in viewed[1:]:
        shop.answered("product.viewed", user, product_id)
    shop.act("product.viewed", user, "never-uploaded")
    shop.send("interactions", user, b"{}")  # a dead letter of this user
    until("parked", lambda: "waiting" in holding(shop, ["waiting"], user))
    until("dead", lambda: "dead-letters" in holding(shop, ["dead-letters"], user))
    assert holding(shop, [*COMPACTED, *EXPIRING], user, visitor) == {*COMPACTED, *EXPIRING}
    assert len(in_tables(shop.data_dir, user, visitor)) >= 3
    until("on the gateway's shelf", lambda: "shelf" in in_tables(shop.data_dir, user))

    shop.act("user.erased", user)
    until("confirmed", lambda: {user, visitor} <= {*shop.observer.erased})
    expire(admin, shop)

    def compacted() -> bool:
        filler(shop)
        return holding(shop, COMPACTED, user, visitor) == set()

    until("compacted", compacted, timeout_s=60.0)
    assert holding(shop, [*COMPACTED, *EXPIRING], user, visitor) == set()
    assert centroids(shop, user) == centroids(shop, visitor) == 0
    until("forgotten by the tables", lambda: in_tables(shop.data_dir, user, visitor) == [])
    # What is left as bytes: in the topics that expire, and in what the databases overwrite later. No logs.
    left = {name for name in in_files(shop.data_dir, user, visitor) if not name.startswith(OVERWRITTEN)}
    assert left <= {f"kafka/data/{topic}" for topic in EXPIRING}
    later = shop.answered("shopper.arrived", user)
    assert later.strategy == "trending"
    assert json.loads(later.model_dump_json())["revision"] > 1
