"""What is posted becomes events: lookstream's own shape, CloudEvents, Segment's, GA4's and Shopify's.

In: a body, and whose token it came with. Out: events with validated data. Fails with a Problem: 422 naming
entry and field, 403 for an entry that the token does not cover. Pure but for the time of now and new ids.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import pydantic_core

from schemas import events
from schemas.adapters import ga4, segment, shopify
from schemas.base import Record
from schemas.cloudevents import (
    STRUCTURED_CONTENT,
    Event,
    parse_json,
    parse_time,
    read_event,
    rfc3339,
    write_event,
)
from schemas.errors import SchemaError, shape
from schemas.events import validate
from streams.gateway.identity import Identity
from streams.gateway.problems import Problem, invalid, wrong
from streams.gateway.sending import Outgoing

SOURCE: Final = "lookstream/gateway"
MAX_INTERACTIONS: Final = 500
MAX_PRODUCTS: Final = 100
_OWN: Final = ("type", "id", "time", "source", "data", "traceparent")

Entry = Mapping[str, Any]
Adapter = Callable[[Entry, datetime], list[Event]]


def entries(body: bytes, most: int) -> list[Entry]:
    """The objects in a body that is one or a list of them; raises a Problem (422)."""
    try:
        parsed = parse_json(body, "body")
    except SchemaError as error:
        raise invalid(error) from None
    listed = parsed if isinstance(parsed, list) else [parsed]
    if not listed or len(listed) > most:
        raise wrong("body", listed, f"one object or a list of 1 to {most}")
    for place, entry in enumerate(listed):
        if not isinstance(entry, dict):
            raise invalid(SchemaError("entry", shape(entry), "a JSON object"), place)
    return listed


def interactions(body: bytes, identity: Identity) -> list[Outgoing]:
    """Interactions in lookstream's shape or as structured CloudEvents."""
    identity.require("produce")
    now = datetime.now(UTC)

    def own(entry: Entry, received_at: datetime) -> list[Event]:
        return [_own(entry, events.INTERACTIONS, None, received_at)]

    return _interactions(_each(body, MAX_INTERACTIONS, own, now), identity, now)


def adapted(body: bytes, identity: Identity, adapter: Adapter) -> list[Outgoing]:
    """Interactions in the shape of Segment or GA4; what says nothing to us (a page view) is left out."""
    identity.require("produce")
    now = datetime.now(UTC)
    return _interactions(_each(body, MAX_INTERACTIONS, adapter, now), identity, now)


def segment_calls(call: Mapping[str, Any], received_at: datetime) -> list[Event]:
    """The interactions of a Segment call; raises SchemaError for what is none."""
    if not segment.recognises(call):
        raise SchemaError("type", shape(call.get("type")), "one of " + ", ".join(segment.CALLS))
    return segment.interactions(call, received_at)


def ga4_messages(message: Mapping[str, Any], received_at: datetime) -> list[Event]:
    """The interactions of a GA4 message; raises SchemaError for what is none."""
    if not ga4.recognises(message):
        raise SchemaError("events", "nothing", "a list of events beside client_id or user_id")
    return ga4.interactions(message, received_at)


def products(body: bytes, identity: Identity) -> list[Outgoing]:
    """Product events in lookstream's shape (`product.uploaded` unless said otherwise) or as CloudEvents."""
    require_shop(identity)
    now = datetime.now(UTC)

    def own(entry: Entry, received_at: datetime) -> list[Event]:
        return [_own(entry, events.PRODUCT_EVENTS, "product.uploaded", received_at)]

    return [
        _outgoing("product-events", "id", event, place, now)
        for place, of_entry in enumerate(_each(body, MAX_PRODUCTS, own, now))
        for event in of_entry
    ]


def require_shop(identity: Identity) -> None:
    """Raise a Problem (403) unless this is the token of the shop's own system."""
    identity.require("produce")
    if identity.user_id is not None:
        raise Problem(403, "this takes a producer's token, and this one is a shopper's", "shopper-token")


def shopify_webhook(body: bytes, headers: Mapping[str, str], currency: str | None) -> list[Outgoing]:
    """The product events of a webhook whose signature was verified."""
    now = datetime.now(UTC)
    for name in ("x-shopify-topic", "x-shopify-webhook-id"):
        if not headers.get(name):
            raise wrong(name, None, "the header")
    [product, *_] = entries(body, 1)
    said_at = headers.get("x-shopify-triggered-at")
    try:
        found = shopify.product_events(
            headers["x-shopify-topic"],
            product,
            shop=headers.get("x-shopify-shop-domain", "shopify.example"),
            webhook_id=headers["x-shopify-webhook-id"],
            triggered_at=now if said_at is None else parse_time(said_at, "x-shopify-triggered-at"),
            currency=currency,
        )
    except SchemaError as error:
        raise invalid(error) from None
    return [_outgoing("product-events", "id", event, 0, now) for event in found]


def _interactions(found: Sequence[Sequence[Event]], identity: Identity, now: datetime) -> list[Outgoing]:
    made = []
    for place, of_entry in enumerate(found):
        for event in of_entry:
            _check_covered(event, identity, place)
            made.append(_outgoing("interactions", "user_id", event, place, now))
    return made


def _check_covered(event: Event, identity: Identity, place: int) -> None:
    """A shopper's token is good for what that shopper does, and not to take over another's taste."""
    if identity.user_id is None:
        return
    if event.data.user_id != identity.user_id:
        raise Problem(
            403, f"entry {place}: the token does not name this user_id", "other-shopper", entry=place
        )
    if event.type == "user.identified":
        detail = f"entry {place}: who somebody was is said with a producer's token, not with the shopper's"
        raise Problem(403, detail, "shopper-token", entry=place)


def _each(body: bytes, most: int, adapter: Adapter, now: datetime) -> list[list[Event]]:
    """The events of each entry; raises a Problem that names the first wrong one."""
    found = []
    for place, entry in enumerate(entries(body, most)):
        try:
            found.append(adapter(entry, now))
        except SchemaError as error:
            raise invalid(error, place) from None
    return found


def _own(
    entry: Mapping[str, Any], accepted: dict[str, type[Record]], kind: str | None, now: datetime
) -> Event:
    """The event in an entry, its data validated; raises SchemaError."""
    if "specversion" in entry:
        event = read_event([("content-type", STRUCTURED_CONTENT.encode())], pydantic_core.to_json(entry), now)
    else:
        event = _flat(entry, kind, now)
    model = accepted.get(event.type)
    if model is None:
        raise SchemaError("type", shape(event.type or None), "one of " + ", ".join(accepted))
    return replace(event, data=validate(model, event.data, event.type))


def _flat(entry: Mapping[str, Any], kind: str | None, now: datetime) -> Event:
    """The event of an entry whose data lies beside its type, or in `data`."""
    time, said = _text(entry, "time"), entry.get("data")
    # A product's `id` is data, and an event of one is known by it only inside `data`.
    own = _OWN if kind is None or said is not None else tuple(name for name in _OWN if name != "id")
    data = {name: value for name, value in entry.items() if name not in own} if said is None else said
    trace = _text(entry, "traceparent")
    return Event(
        id=(_text(entry, "id") if "id" in own else _text(entry, "event_id")) or str(uuid4()),
        source=_text(entry, "source") or SOURCE,
        type=_text(entry, "type") or kind or "",
        time=now if time is None else parse_time(time),
        data=data,
        extensions={"traceparent": trace} if trace else {},
    )


def _text(entry: Mapping[str, Any], name: str) -> str | None:
    value = entry.get(name)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise SchemaError(name, shape(value), "a non-empty string")
    return value


def _outgoing(topic: str, key_field: str, event: Event, place: int, now: datetime) -> Outgoing:
    """The event with JSON-like data and its subject, checked as its reader will check it."""
    if event.time - now > events.MAX_AHEAD:
        got = f"a time {(event.time - now).total_seconds():.0f} s ahead: {rfc3339(event.time)}"
        raise invalid(SchemaError("time", got, "at most 300 s ahead"), place)
    key = str(getattr(event.data, key_field))
    payload = event.data.model_dump(mode="json", exclude_unset=True)
    made = replace(event, data=payload, subject=key)
    headers, _ = write_event(replace(made, data=None))
    try:
        read_event(headers, b"null", now)
    except SchemaError as error:
        raise invalid(error, place) from None
    return Outgoing(topic, key, made)
