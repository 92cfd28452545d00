"""Segment: track calls of its e-commerce specification, and identify, as interactions. Pure.

In: a call as parsed JSON. Out: the interactions it stands for: none for a call of another kind, one per
product of an order. What can fail: SchemaError naming the field.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from schemas.adapters.foreign import event_id, interaction, objects, text
from schemas.cloudevents import Event, parse_time
from schemas.errors import SchemaError, shape

SOURCE: Final = "segment"
CALLS: Final = ("track", "identify", "page", "screen", "group", "alias")
_ACTIONS: Final = {
    "product viewed": "product.viewed",
    "product clicked": "product.clicked",
    "product added": "product.added_to_cart",
    "product removed": "product.removed_from_cart",
    "product added to wishlist": "product.added_to_wishlist",
}
_ORDERS: Final = {"order completed": "product.purchased", "order refunded": "product.refunded"}


def recognises(message: Mapping[str, Any]) -> bool:
    """Whether a message looks like a call of Segment's."""
    return message.get("type") in CALLS and "data" not in message


def interactions(call: Mapping[str, Any], received_at: datetime) -> list[Event]:
    """The interactions that a call stands for, in order.

    The shopper is `userId`, else `anonymousId`; an identify call with both says that they are one. The time
    is `timestamp` (which Segment corrects for wrong clocks), else `originalTimestamp`, else `received_at`.
    A call that is retried has the same `messageId`, and so makes the same event ids.
    """
    name = call.get("event")
    where = f"segment {name}" if isinstance(name, str) else f"segment {call.get('type')}"
    if call.get("type") == "identify":
        return _identified(call, received_at, where)
    if call.get("type") != "track":
        return []
    if not isinstance(name, str):
        raise SchemaError("event", "nothing" if name is None else shape(name), "a string", where=where)
    plain = " ".join(name.casefold().split())
    if plain not in _ACTIONS and plain not in _ORDERS:
        return []
    properties = call.get("properties")
    if not isinstance(properties, Mapping):
        got = "nothing" if properties is None else shape(properties)
        raise SchemaError("properties", got, "an object", where=where)
    kind = _ACTIONS.get(plain) or _ORDERS[plain]
    products = [properties] if plain in _ACTIONS else objects(properties, "products", where)
    user_id = text(call, "userId", "anonymousId", where=where)
    message_id, time = text(call, "messageId", where=where), _time(call, received_at)
    made = []
    for index, product in enumerate(products):
        data = {"user_id": user_id, "product_id": text(product, "product_id", "sku", where=where)}
        if product.get("quantity") is not None:
            data["quantity"] = product["quantity"]
        made.append(interaction(event_id(SOURCE, message_id, index), SOURCE, kind, time, data, where))
    return made


def _identified(call: Mapping[str, Any], received_at: datetime, where: str) -> list[Event]:
    if not call.get("userId") or not call.get("anonymousId"):
        return []
    data = {
        "user_id": text(call, "userId", where=where),
        "anonymous_id": text(call, "anonymousId", where=where),
    }
    if data["user_id"] == data["anonymous_id"]:
        return []
    id = event_id(SOURCE, text(call, "messageId", where=where))
    return [interaction(id, SOURCE, "user.identified", _time(call, received_at), data, where)]


def _time(call: Mapping[str, Any], received_at: datetime) -> datetime:
    for name in ("timestamp", "originalTimestamp"):
        value = call.get(name)
        if value is not None:
            if not isinstance(value, str):
                raise SchemaError(name, shape(value), "an RFC 3339 time")
            return parse_time(value, name)
    return received_at
