"""The registry of event types, and the one way from a Kafka record to a typed event.

In: a record's key, headers, value and LogAppendTime. Out: (`Event`, typed record). Fails with SchemaError.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from schemas.base import Record
from schemas.cloudevents import Event, read_event
from schemas.errors import SchemaError, from_validation_error, shape
from schemas.garments import GarmentsIndexed, GarmentsRemoved, GarmentsUpdated
from schemas.interactions import (
    ProductInteraction,
    RecommendationsViewed,
    ShopperArrived,
    UserErased,
    UserIdentified,
)
from schemas.products import ProductRemoved, ProductUpdated, ProductUploaded
from schemas.recommendations import RecommendationSet, RuleSet, ShopperErased
from schemas.requests import ErasureRequested, HandoverRequested, TasteHandedOver, TasteRequested

PRODUCT_EVENTS: Final[dict[str, type[Record]]] = {
    "product.uploaded": ProductUploaded,
    "product.updated": ProductUpdated,
    "product.removed": ProductRemoved,
}
PRODUCT_ACTIONS: Final[tuple[str, ...]] = (
    "product.viewed",
    "product.clicked",
    "product.added_to_cart",
    "product.added_to_wishlist",
    "product.purchased",
    "product.removed_from_cart",
    "product.refunded",
    "product.dismissed",
)
INTERACTIONS: Final[dict[str, type[Record]]] = {
    **dict.fromkeys(PRODUCT_ACTIONS, ProductInteraction),
    "shopper.arrived": ShopperArrived,
    "recommendations.viewed": RecommendationsViewed,
    "user.identified": UserIdentified,
    "user.erased": UserErased,
}
GARMENT_EVENTS: Final[dict[str, type[Record]]] = {
    "garments.indexed": GarmentsIndexed,
    "garments.updated": GarmentsUpdated,
    "garments.removed": GarmentsRemoved,
}
TASTE_REQUESTS: Final[dict[str, type[Record]]] = {
    "taste.requested": TasteRequested,
    "taste.handover_requested": HandoverRequested,
    "taste.handed_over": TasteHandedOver,
    "taste.erasure_requested": ErasureRequested,
}
RECOMMENDATIONS: Final[dict[str, type[Record]]] = {
    "recommendations.updated": RecommendationSet,
    "shopper.erased": ShopperErased,
}
RULES: Final[dict[str, type[Record]]] = {"rule.set": RuleSet}

MAX_AHEAD: Final = timedelta(minutes=5)


def read(
    accepted: dict[str, type[Record]],
    headers: Iterable[tuple[str, bytes | None]] | None,
    value: bytes | None,
    key: bytes | None,
    appended_at: datetime,
) -> tuple[Event, Any]:
    """The typed event in a Kafka record of a topic that carries the `accepted` types.

    Raises:
        SchemaError: not a CloudEvent, of another type, invalid data, a key that is not the subject's id, or
            an event time more than five minutes after the broker appended it.
    """
    event = read_event(headers, value, appended_at)
    model = accepted.get(event.type)
    if model is None:
        raise SchemaError("ce_type", shape(event.type), "one of " + ", ".join(accepted))
    if event.time - appended_at > MAX_AHEAD:
        ahead_s = (event.time - appended_at).total_seconds()
        raise SchemaError("ce_time", f"a time {ahead_s:.0f} s after the broker's", "at most 300 s after it")
    data = validate(model, event.data, event.type)
    expected_key = _key_of(data)
    if expected_key is not None and (key is None or key != expected_key.encode()):
        got = "nothing" if key is None else shape(key.decode(errors="replace"))
        raise SchemaError("key", got, f"the record's key to be {shape(expected_key)}", where=event.type)
    return event, data


def validate(model: type[Record], data: Any, where: str) -> Record:
    """`data` as a `model`; raises SchemaError naming the field."""
    if not isinstance(data, dict):
        raise SchemaError("data", shape(data), "a JSON object", where=where)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise from_validation_error(error, where) from None


def _key_of(data: Any) -> str | None:
    if isinstance(data, (ProductUploaded, ProductUpdated, ProductRemoved, RuleSet)):
        return data.id
    for name in ("user_id", "product_id"):
        if isinstance(key := getattr(data, name, None), str):
            return key
    return None
