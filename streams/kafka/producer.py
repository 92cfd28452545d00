"""The client for catalogue and clickstream teams: typed, keyed CloudEvents onto lookstream's topics.

In: products and interactions, as records of `schemas` or as dicts. Out: events on `product-events` (keyed by
product id) and `interactions` (keyed by user id), acknowledged by every in-sync replica. What can fail:
invalid data (SchemaError, at the call), an event larger than its topic allows (EventTooLarge, at the call),
no broker or no topic (KafkaUnreachable, TopicMissing, at the start), an event not delivered (DeliveryError,
at `flush`, at the end of the `with` block, or at the delivery's own `result`).

    from streams.kafka.producer import ProductPublisher

    with ProductPublisher("localhost:9092") as products:
        products.uploaded({"id": "sku-1", "image_link": "shorts/1.jpg", "title": "Denim shorts"})
        products.updated({"id": "sku-1", "availability": "out_of_stock"})
        products.removed("sku-2")
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from schemas import events
from schemas.base import Record
from schemas.events import validate
from schemas.interactions import ProductAction
from schemas.products import ProductRemoved, ProductUpdated, ProductUploaded
from streams.kafka.admin import KafkaUnreachable
from streams.kafka.deliveries import Delivery, DeliveryError, FailedEvent
from streams.kafka.publisher import EventTooLarge, Publisher, TopicMissing

__all__ = [
    "Delivery",
    "DeliveryError",
    "EventTooLarge",
    "FailedEvent",
    "InteractionPublisher",
    "InteractionType",
    "KafkaUnreachable",
    "ProductPublisher",
    "TopicMissing",
]

InteractionType = (
    ProductAction | Literal["shopper.arrived", "recommendations.viewed", "user.identified", "user.erased"]
)


class ProductPublisher(Publisher):
    """Publishes what happens in a catalogue on `product-events`. See `Publisher` for the arguments.

    `product` is the record or a dict with Google Merchant's names. Each method returns a `Delivery`, and
    raises SchemaError and EventTooLarge.
    """

    topic_name = "product-events"
    _accepted = events.PRODUCT_EVENTS
    _key_field = "id"

    def uploaded(
        self,
        product: ProductUploaded | Mapping[str, Any],
        *,
        event_id: str | None = None,
        event_time: datetime | None = None,
        traceparent: str | None = None,
    ) -> Delivery:
        """A product enters the catalogue or is replaced as a whole."""
        return self._publish("product.uploaded", product, event_id, event_time, traceparent)

    def updated(
        self,
        product: ProductUpdated | Mapping[str, Any],
        *,
        event_id: str | None = None,
        event_time: datetime | None = None,
        traceparent: str | None = None,
    ) -> Delivery:
        """Some fields of a product changed; those not given stay, those given as None are cleared."""
        return self._publish("product.updated", product, event_id, event_time, traceparent)

    def removed(
        self,
        product_id: str,
        *,
        event_id: str | None = None,
        event_time: datetime | None = None,
        traceparent: str | None = None,
    ) -> Delivery:
        """A product leaves the catalogue."""
        data = validate(ProductRemoved, {"id": product_id}, "product.removed")
        return self._publish("product.removed", data, event_id, event_time, traceparent)


class InteractionPublisher(Publisher):
    """Publishes what shoppers do on `interactions`. See `Publisher` for the arguments."""

    topic_name = "interactions"
    _accepted = events.INTERACTIONS
    _key_field = "user_id"

    def publish(
        self,
        type: InteractionType,
        data: Record | Mapping[str, Any],
        *,
        event_id: str | None = None,
        event_time: datetime | None = None,
        traceparent: str | None = None,
    ) -> Delivery:
        """Send `data`, such as {"user_id": "alice", "product_id": "sku-1"}, as an event of `type`.

        Raises SchemaError and EventTooLarge; nothing was sent then.
        """
        return self._publish(type, data, event_id, event_time, traceparent)
