"""Google Analytics 4: e-commerce events as interactions. Pure.

In: a Measurement Protocol body (`client_id`, `events`), or one event with its `event_name` as the BigQuery
export writes it (`user_pseudo_id`, `event_timestamp`), as parsed JSON. Out: one interaction per item.
What can fail: SchemaError naming the field.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from schemas.adapters.foreign import event_id, interaction, micros, objects, text
from schemas.cloudevents import Event, rfc3339

SOURCE: Final = "ga4"
_ACTIONS: Final = {
    "view_item": "product.viewed",
    "select_item": "product.clicked",
    "add_to_cart": "product.added_to_cart",
    "remove_from_cart": "product.removed_from_cart",
    "add_to_wishlist": "product.added_to_wishlist",
    "purchase": "product.purchased",
    "refund": "product.refunded",
}
_USERS: Final = ("user_id", "client_id", "user_pseudo_id", "app_instance_id")
_TIMES: Final = ("timestamp_micros", "event_timestamp")


def recognises(message: Mapping[str, Any]) -> bool:
    """Whether a message looks like Google Analytics 4's."""
    return "event_name" in message or ("events" in message and any(name in message for name in _USERS))


def interactions(message: Mapping[str, Any], received_at: datetime) -> list[Event]:
    """The interactions that a message stands for, in order; none for events of other kinds.

    The shopper is `user_id`, else `client_id` or `user_pseudo_id`. The protocol has no message id: event ids
    follow from the message's content, so the same message makes the same ids. Where it has no time of its
    own, `received_at` takes its place in both, and a retry is another event.
    """
    canonical = json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    made: list[Event] = []
    for name, params, time_from in _events(message):
        kind = _ACTIONS.get(name)
        if kind is None:
            continue
        where = f"ga4 {name}"
        user_id = text(message, *_USERS, where=where)
        time, message_id = received_at, f"{canonical}\x00{rfc3339(received_at)}"
        for field in _TIMES:
            if time_from.get(field) is not None:
                time, message_id = micros(time_from[field], field, where), canonical
                break
        for item in objects(params, "items", where):
            data = {"user_id": user_id, "product_id": text(item, "item_id", where=where)}
            if item.get("quantity") is not None:
                data["quantity"] = item["quantity"]
            session_id = params.get("session_id", params.get("ga_session_id"))
            if isinstance(session_id, int | str) and session_id != "":
                data["session_id"] = str(session_id)
            id = event_id(SOURCE, message_id, len(made))
            made.append(interaction(id, SOURCE, kind, time, data, where))
    return made


def _events(message: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """(name, parameters, what holds its time) of each event; its own time goes before the message's."""
    if "event_name" in message:
        yield text(message, "event_name", where="ga4"), message, message
        return
    for event in objects(message, "events", "ga4"):
        params = event.get("params")
        yield (
            text(event, "name", where="ga4"),
            params if isinstance(params, Mapping) else {},
            event if any(event.get(field) is not None for field in _TIMES) else message,
        )
