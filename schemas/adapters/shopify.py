"""Shopify: product webhooks as product events. Pure.

In: the body of a `products/create`, `products/update` or `products/delete` webhook as parsed JSON, and what
its headers say. Out: product events. What can fail: SchemaError naming the field.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from schemas.adapters.foreign import event_id, objects, text
from schemas.base import Record
from schemas.cloudevents import Event
from schemas.errors import SchemaError, shape
from schemas.events import PRODUCT_EVENTS, validate

TOPICS: Final = {
    "products/create": "product.uploaded",
    "products/update": "product.updated",
    "products/delete": "product.removed",
}
_MAX_ADDITIONAL_IMAGES: Final = 20


def product_events(
    topic: str,
    product: Mapping[str, Any],
    *,
    shop: str,
    webhook_id: str,
    triggered_at: datetime,
    currency: str | None = None,
) -> list[Event]:
    """The product events that a webhook stands for; none for the creation of a product without a photo.

    A product that is a draft or archived is out of stock, so that it is not recommended; of many photos the
    first 21 count, and of many variants the cheapest's price.

    Args:
        topic: X-Shopify-Topic.
        product: the body.
        shop: X-Shopify-Shop-Domain ("example.myshopify.com"); links and the events' source begin with it.
        webhook_id: X-Shopify-Webhook-Id, the same for each retry.
        triggered_at: X-Shopify-Triggered-At.
        currency: the shop's currency (ISO 4217), which the body does not say; without it there is no price.
    """
    kind = TOPICS.get(topic)
    if kind is None:
        raise SchemaError("topic", shape(topic), "one of " + ", ".join(TOPICS))
    where = f"shopify {topic}"
    data: dict[str, Any] = {"id": text(product, "id", where=where)}
    if kind != "product.removed":
        data |= _fields(product, shop, currency, where)
    if kind == "product.uploaded" and "image_link" not in data:
        return []
    record: Record = validate(PRODUCT_EVENTS[kind], data, where)
    source = f"https://{shop}"
    id = event_id(source, webhook_id)
    return [Event(id=id, source=source, type=kind, time=triggered_at, data=record, subject=data["id"])]


def _fields(product: Mapping[str, Any], shop: str, currency: str | None, where: str) -> dict[str, Any]:
    """The fields in lookstream's names, only those that the body says something about."""
    said: dict[str, Any] = {
        "title": product.get("title"),
        "brand": product.get("vendor"),
        "category": product.get("product_type"),
    }
    if handle := product.get("handle"):
        said["link"] = f"https://{shop}/products/{handle}"
    if product.get("images"):
        images = objects(product, "images", where)
        links = [text(image, "src", where=f"{where} images") for image in images]
        said["image_link"] = links[0]
        said["additional_image_link"] = links[1 : 1 + _MAX_ADDITIONAL_IMAGES] or None
    variants = objects(product, "variants", where) if product.get("variants") else ()
    if variants or product.get("status"):
        sold = product.get("status", "active") == "active" and any(map(_for_sale, variants))
        said["availability"] = "in_stock" if sold else "out_of_stock"
    if currency is not None and variants:
        prices = [_amount(variant.get("price"), where) for variant in variants]
        said["price"] = {"value": min(prices), "currency": currency}
    return {name: value for name, value in said.items() if value}


def _for_sale(variant: Mapping[str, Any]) -> bool:
    """Stock is left, or is not counted, or the shop sells without."""
    quantity = variant.get("inventory_quantity")
    return (
        variant.get("inventory_policy") == "continue"
        or not variant.get("inventory_management", "shopify")
        or (isinstance(quantity, int) and quantity > 0)
    )


def _amount(value: Any, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        got = "nothing" if value is None else shape(value)
        raise SchemaError("variants.price", got, "an amount ('19.99')", where=where) from None
