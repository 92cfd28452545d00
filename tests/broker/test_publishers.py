"""The publishers against a real broker: what arrives, what the limits are, what happens when it goes away."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, TopicPartition

from schemas.events import INTERACTIONS, PRODUCT_EVENTS, read
from streams.kafka.admin import create_topics
from streams.kafka.broker import EmbeddedBroker
from streams.kafka.producer import (
    DeliveryError,
    EventTooLarge,
    InteractionPublisher,
    KafkaUnreachable,
    ProductPublisher,
    TopicMissing,
)
from streams.kafka.topics import topic_specs
from streams.settings import Settings

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def address(broker: EmbeddedBroker) -> str:
    """The shared broker, with lookstream's topics."""
    create_topics({"bootstrap_servers": broker.bootstrap}, topic_specs(Settings()))
    return broker.bootstrap


@pytest.fixture
def run() -> str:
    """A prefix for ids: the broker is shared."""
    return uuid4().hex


def records(address: str, topic: str, count: int, prefix: str) -> list[Any]:
    """The first `count` records of a topic whose key begins with `prefix`, in the order of arrival."""
    found: list[Any] = []
    consumer: Any = KafkaConsumer(bootstrap_servers=address, max_partition_fetch_bytes=30_000_000)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        deadline = time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=200).values():
                found += [record for record in batch if record.key.decode().startswith(prefix)]
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def typed(record: Any) -> tuple[Any, Any]:
    accepted = PRODUCT_EVENTS if record.topic == "product-events" else INTERACTIONS
    appended_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return read(accepted, record.headers, record.value, record.key, appended_at)


def test_a_products_events_arrive_in_order_and_can_be_read(address: str, run: str) -> None:
    with ProductPublisher(address, source="shop/pim") as products:
        uploaded = products.uploaded({"id": run, "image_link": "a.jpg"})
        products.updated({"id": run, "availability": "out_of_stock"})
        removed = products.removed(run).result(10)
        assert uploaded.result(0).partition == removed.partition
    found = records(address, "product-events", 3, run)
    assert [record.offset for record in found][-1] == removed.offset
    events = [typed(record)[0] for record in found]
    assert [event.type for event in events] == ["product.uploaded", "product.updated", "product.removed"]
    assert events[0].id == uploaded.event_id
    assert {event.source for event in events} == {"shop/pim"}


def test_a_thousand_interactions_are_batched_and_all_arrive(address: str, run: str) -> None:
    with InteractionPublisher(address) as interactions:
        for number in range(1000):
            data = {"user_id": f"{run}-{number % 50}", "product_id": f"sku-{number}"}
            interactions.publish("product.viewed", data, event_id=f"e-{number}")
        interactions.flush(30)
    found = records(address, "interactions", 1000, run)
    assert {typed(record)[0].id for record in found} == {f"e-{number}" for number in range(1000)}
    partitions: dict[bytes, set[int]] = {}
    for record in found:
        partitions.setdefault(record.key, set()).add(record.partition)
    assert all(len(of_one_shopper) == 1 for of_one_shopper in partitions.values())
    assert len(set.union(*partitions.values())) > 1


def test_the_largest_event_that_is_let_through_is_one_the_broker_takes(address: str, run: str) -> None:
    with ProductPublisher(address) as products:
        product = {"id": run, "image_link": "x"}
        with pytest.raises(EventTooLarge) as caught:
            products.uploaded(product | {"image_link": "x" * 23_999_990}, event_id="e")
        too_much = caught.value.size_bytes - caught.value.limit_bytes
        largest = products.uploaded(product | {"image_link": "x" * (23_999_990 - too_much)}, event_id="e")
        assert largest.size_bytes == 24_000_000
        small = products.removed(run)
        products.flush(30)
        assert largest.result(0).offset + 1 == small.result(0).offset
        with pytest.raises(EventTooLarge):
            products.uploaded(product | {"image_link": "x" * (23_999_991 - too_much)}, event_id="e")


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker of the test's own, to be killed; it has no topics yet."""
    with EmbeddedBroker(tmp_path) as running:
        yield running


def test_a_missing_topic_and_a_broker_that_dies(mortal: EmbeddedBroker) -> None:
    with pytest.raises(TopicMissing, match=r"topic 'interactions' at 127\.0\.0\.1"):
        InteractionPublisher(mortal.bootstrap, connect_timeout_s=0.5)
    create_topics({"bootstrap_servers": mortal.bootstrap}, topic_specs(Settings(partitions=1)))
    interactions = InteractionPublisher(mortal.bootstrap, delivery_timeout_s=1.5)
    interactions.publish("shopper.arrived", {"user_id": "alice"}).result(10)
    mortal.stop()
    lost = interactions.publish("shopper.arrived", {"user_id": "bella"}, event_id="lost")
    with pytest.raises(DeliveryError) as caught:
        interactions.close(20)
    assert [(event.event_id, event.key) for event in caught.value.failed] == [("lost", "bella")]
    assert lost.done
    assert "no acknowledgement" not in caught.value.failed[0].reason  # failed for good, not merely late


def test_nobody_at_the_address_is_told_quickly_in_one_line() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(KafkaUnreachable, match=address) as caught:
            ProductPublisher(address, connect_timeout_s=0.3)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - begun < 5
