"""The publishers without a broker: what is sent, what is refused before it is, what becomes of failures."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, NotLeaderForPartitionError
from kafka.future import Future
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata, RecordMetadata
from kafka.structs import TopicPartition

from schemas.cloudevents import Event
from schemas.errors import SchemaError
from schemas.events import INTERACTIONS, PRODUCT_EVENTS, read
from schemas.products import ProductUpdated, ProductUploaded
from streams.kafka import publisher as module
from streams.kafka.producer import (
    DeliveryError,
    EventTooLarge,
    InteractionPublisher,
    KafkaUnreachable,
    ProductPublisher,
    TopicMissing,
)

SHIRT = {"id": "sku-1", "image_link": "shirts/1.jpg"}
VIEW = {"user_id": "alice", "product_id": "sku-1"}


class FakeKafka:
    """Takes records in as kafka-python's producer does; the test decides what becomes of them."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.sent: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = []
        self.futures: list[FutureProduceResult] = []
        self.closed = self.forced = False
        self._sender = self
        FakeKafka.newest = self

    newest: FakeKafka

    def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Future:
        self.sent.append((topic, value, key, headers))
        self.futures.append(FutureProduceResult(TopicPartition(topic, 0)))
        return FutureRecordMetadata(self.futures[-1], 0, 0, None, 0, 0, 0)

    def acknowledge(self, index: int) -> None:
        self.futures[index].success((100 + index, -1, None))

    def fail(self, index: int, error: Exception) -> None:
        self.futures[index].failure(error)

    def force_close(self) -> None:
        self.forced = True

    def close(self, timeout: float) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KafkaProducer", FakeKafka)


@pytest.fixture
def products() -> ProductPublisher:
    return ProductPublisher("localhost:9092, other:9092")


@pytest.fixture
def kafka(products: ProductPublisher) -> FakeKafka:
    return FakeKafka.newest


def sent(kafka: FakeKafka, index: int = -1) -> tuple[Event, Any]:
    topic, value, key, headers = kafka.sent[index]
    accepted = PRODUCT_EVENTS if topic == "product-events" else INTERACTIONS
    return read(accepted, headers, value, key, datetime.now(UTC))


def test_the_producer_waits_for_every_replica_and_makes_no_topics(kafka: FakeKafka) -> None:
    assert kafka.settings["acks"] == "all"
    assert kafka.settings["allow_auto_create_topics"] is False
    assert kafka.settings["bootstrap_servers"] == ["localhost:9092", "other:9092"]
    assert "enable_idempotence" not in kafka.settings  # the default


def test_a_record_and_a_dict_are_the_same_event(products: ProductPublisher, kafka: FakeKafka) -> None:
    time = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for given in (SHIRT, ProductUploaded(id="sku-1", image_link="shirts/1.jpg")):
        products.uploaded(given, event_id="e-1", event_time=time)
    assert kafka.sent[0] == kafka.sent[1]
    topic, value, key, headers = kafka.sent[0]
    assert (topic, value, key) == ("product-events", b'{"image_link":"shirts/1.jpg","id":"sku-1"}', b"sku-1")
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"e-1",
        "ce_source": b"lookstream/client",
        "ce_type": b"product.uploaded",
        "ce_subject": b"sku-1",
        "ce_time": b"2026-03-01T12:00:00.000Z",
        "content-type": b"application/json",
    }


def test_ids_and_times_are_given_where_the_caller_gives_none(
    products: ProductPublisher, kafka: FakeKafka
) -> None:
    first, second = products.removed("sku-1"), products.removed("sku-1")
    assert first.event_id != second.event_id
    event, _ = sent(kafka)
    assert event.id == second.event_id
    assert abs(datetime.now(UTC) - event.time) < timedelta(minutes=1)


def test_an_update_says_only_what_changed(products: ProductPublisher, kafka: FakeKafka) -> None:
    products.updated({"id": "sku-1", "title": None, "price": {"value": 5, "currency": "EUR"}})
    assert kafka.sent[0][1] == b'{"title":null,"price":{"value":5.0,"currency":"EUR"},"id":"sku-1"}'
    products.updated(ProductUpdated(id="sku-1", availability="out_of_stock"))
    assert kafka.sent[1][1] == b'{"availability":"out_of_stock","id":"sku-1"}'


def test_interactions_are_keyed_by_the_shopper() -> None:
    with InteractionPublisher("localhost", source="shop/web") as interactions:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        interactions.publish("product.viewed", VIEW, traceparent=trace)
        kafka = FakeKafka.newest
        kafka.acknowledge(0)
    event, data = sent(kafka)
    assert (kafka.sent[0][0], kafka.sent[0][2]) == ("interactions", b"alice")
    assert (event.source, event.traceparent, data.product_id) == ("shop/web", trace, "sku-1")
    assert kafka.closed
    assert not kafka.forced


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"data": {"id": "sku-1"}}, "image_link"),
        ({"data": {**SHIRT, "price": {"value": -1, "currency": "EUR"}}}, "price.value"),
        ({"data": {**SHIRT, "title": "lone \ud800"}}, "title"),
        ({"data": ProductUpdated(id="sku-1")}, "data"),
        ({"data": None}, "data"),
        ({"type": "product.viewed"}, "type"),
        ({"id": ""}, "ce_id"),
        ({"id": "x" * 2000}, "ce_id"),
        ({"source": " "}, "ce_source"),
        ({"time": datetime(2026, 3, 1)}, "time"),
    ],
)
def test_what_is_invalid_is_named_and_not_sent(
    products: ProductPublisher, kafka: FakeKafka, event: dict[str, Any], field: str
) -> None:
    valid = {"id": "e", "source": "s", "type": "product.uploaded", "time": datetime.now(UTC), "data": SHIRT}
    with pytest.raises(SchemaError) as caught:
        products.send(Event(**{**valid, **event}))
    assert caught.value.field == field
    assert kafka.sent == []


def test_an_event_that_is_too_large_is_not_sent(products: ProductPublisher, kafka: FakeKafka) -> None:
    with pytest.raises(EventTooLarge, match=r"'sku-1' is 24,0\d\d,\d\d\d bytes, .* 24,000,000") as caught:
        products.uploaded({"id": "sku-1", "image_link": "x" * 23_999_999})
    assert caught.value.limit_bytes == 24_000_000 < caught.value.size_bytes
    assert kafka.sent == []
    products.flush()


def test_a_delivery_says_where_the_event_lies(products: ProductPublisher, kafka: FakeKafka) -> None:
    delivery = products.uploaded(SHIRT)
    before = delivery.done
    with pytest.raises(TimeoutError, match="no acknowledgement in 0 s"):
        delivery.result(0)
    kafka.acknowledge(0)
    assert (before, delivery.done) == (False, True)
    assert delivery.result(0) == ("product-events", 0, 100)
    products.flush(0)


def test_flush_names_failures_that_nobody_looked_at_and_names_them_once(
    products: ProductPublisher, kafka: FakeKafka
) -> None:
    for number in range(3):
        products.removed(f"sku-{number}", event_id=f"e-{number}")
    kafka.fail(0, KafkaTimeoutError("expired"))
    kafka.acknowledge(1)
    kafka.fail(2, NotLeaderForPartitionError())
    with pytest.raises(DeliveryError, match=r"2 not delivered: event e-0 of 'sku-0': .*expired") as caught:
        products.flush()
    assert {(event.event_id, event.key) for event in caught.value.failed} == {
        ("e-0", "sku-0"),
        ("e-2", "sku-2"),
    }
    products.flush(0)


def test_a_failure_that_the_caller_was_told_is_not_named_again(
    products: ProductPublisher, kafka: FakeKafka
) -> None:
    told, untold = products.uploaded(SHIRT, event_id="told"), products.removed("sku-2", event_id="untold")
    kafka.fail(0, KafkaTimeoutError("expired"))
    kafka.fail(1, KafkaTimeoutError("expired"))
    with pytest.raises(DeliveryError, match="told"):
        told.result()
    with pytest.raises(DeliveryError) as caught:
        products.close()
    assert [event.event_id for event in caught.value.failed] == ["untold"] == [untold.event_id]


def test_what_is_not_acknowledged_in_time_is_named_and_given_up_at_the_end(
    products: ProductPublisher, kafka: FakeKafka
) -> None:
    products.removed("sku-1", event_id="late")
    for _ in range(2):
        with pytest.raises(DeliveryError, match="event late of 'sku-1': no acknowledgement after 0 s"):
            products.flush(0)
    with pytest.raises(DeliveryError):
        products.close(0)
    assert kafka.forced
    assert kafka.closed
    products.close()
    with pytest.raises(RuntimeError, match="closed"):
        products.removed("sku-1")


def test_what_ended_the_block_is_not_hidden_by_what_failed(
    products: ProductPublisher, kafka: FakeKafka
) -> None:
    def shop() -> None:
        with products:
            products.removed("sku-1", event_id="lost")
            kafka.fail(0, KafkaTimeoutError("expired"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        shop()
    assert "event lost" in caught.value.__notes__[0]
    assert kafka.closed


def test_sending_waits_while_too_much_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING_BYTES", 1000)
    products = ProductPublisher("localhost")
    kafka = FakeKafka.newest
    products.uploaded({"id": "large", "image_link": "x" * 2000})  # alone, however large
    second = threading.Thread(target=products.removed, args=["second"], daemon=True)
    second.start()
    second.join(0.05)
    assert (second.is_alive(), len(kafka.sent)) == (True, 1)
    kafka.fail(0, KafkaTimeoutError("expired"))
    second.join(10)
    assert (second.is_alive(), len(kafka.sent)) == (False, 2)


def test_no_broker_and_no_topic_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**_: Any) -> None:
        raise KafkaTimeoutError("no bootstrap")

    def no_topic(*_: Any) -> None:
        raise KafkaTimeoutError("Failed to update metadata")

    monkeypatch.setattr(FakeKafka, "partitions_for", no_topic)
    with pytest.raises(TopicMissing, match="topic 'product-events' at localhost:9092") as missing:
        ProductPublisher("localhost:9092")
    monkeypatch.setattr(module, "KafkaProducer", unreachable)
    with pytest.raises(KafkaUnreachable, match="no Kafka broker answers at localhost:9092") as nobody:
        ProductPublisher("localhost:9092")
    assert "\n" not in f"{missing.value}{nobody.value}"


def test_position_fits_what_kafka_python_returns() -> None:
    assert RecordMetadata._fields[:4] == ("topic", "partition", "topic_partition", "offset")
