"""The headers of Kafka records as JSON Schema: CloudEvents in binary mode, and records that are no events of
their own. Out: `CLOUD_EVENT_HEADERS`, `RECORD_HEADERS` by topic, and `headers_of` an event type.
"""

from typing import Any, Final

from schemas.cloudevents import JSON_CONTENT
from schemas.export import Json


def headers_of(event_type: str, content_type: str = JSON_CONTENT) -> Json:
    """The headers of an event of this type, beside what all events have."""
    own = {"ce_type": {"const": event_type}, "content-type": {"const": content_type}}
    return {
        "type": "object",
        "allOf": [{"$ref": "#/components/schemas/CloudEventHeaders"}, {"properties": own}],
    }


def _text(description: str, **more: Any) -> Json:
    return {"type": "string", "description": description} | more


CLOUD_EVENT_HEADERS: Final[Json] = {
    "type": "object",
    "description": "A CloudEvent in Kafka's binary mode; source and id together recognise a duplicate.",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    "properties": {
        "ce_specversion": _text("The version of CloudEvents.", const="1.0"),
        "ce_id": _text("Unique within the source.", minLength=1, maxLength=1024),
        "ce_source": _text("Who says so.", minLength=1, maxLength=1024),
        "ce_type": _text("The event type.", minLength=1, maxLength=1024),
        "ce_subject": _text("Whom or what it is about.", minLength=1, maxLength=1024),
        "ce_time": _text("The event time, RFC 3339; the broker's where absent.", format="date-time"),
        "content-type": _text("The media type of the value."),
        "traceparent": _text("W3C trace context that travels along."),
    },
}
RECORD_HEADERS: Final[dict[str, Json]] = {
    "dead-letters": {
        "type": "object",
        "description": "The original headers, then the reason, named as Kafka Connect names it.",
        "required": [f"__connect.errors.{name}" for name in ("topic", "partition", "offset", "stage")],
        "properties": {
            f"__connect.errors.{name}": _text(about)
            for name, about in {
                "topic": "Where the record came from.",
                "partition": "Its partition there.",
                "offset": "Its offset there.",
                "stage": "The stage of the work that failed.",
                "exception.class.name": "The kind of error.",
                "exception.message": "What was wrong, naming the field.",
                "omitted.bytes": "How much of a record too great for this topic is left out.",
            }.items()
        },
    },
    "waiting": {
        "type": "object",
        "description": "The headers of the interaction as it came.",
        "properties": {
            "lookstream-key": _text("The key that the interaction has on its own topic."),
            "lookstream-tick": _text("A tick: what has waited too long expires."),
            "lookstream-erase": _text("What waits for the user in the value is forgotten."),
        },
    },
}
