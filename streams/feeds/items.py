"""What a feed consists of: events, entries that are wrong, entries that mean nothing here.

In: typed records, or parsed JSON in one of lookstream's own shapes. Out: items that know their place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from schemas.base import Record
from schemas.cloudevents import STRUCTURED_CONTENT, Event, parse_time, read_event
from schemas.errors import SchemaError, shape
from schemas.events import validate

SOURCE: Final = "lookstream/feed"


class FeedUnreadable(ValueError):  # noqa: N818 (reads as the state it reports)
    """The source as a whole cannot be read: it is not there, or in none of the known formats."""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event to publish; `event.data` is a validated record, `place` where in the feed it came from."""

    place: str
    event: Event


@dataclass(frozen=True, slots=True)
class FeedError:
    """An entry that cannot be published, and why."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class FeedIgnored:
    """An entry that is as it should be, but says nothing that lookstream wants to know (a page view)."""

    place: str


FeedItem = FeedEvent | FeedError | FeedIgnored


def new_event(kind: str, data: Record, key: str) -> Event:
    """An event of now, with an id of its own."""
    return Event(str(uuid4()), SOURCE, kind, datetime.now(UTC), data, key)


def own_event(
    raw: bytes, entry: Mapping[str, Any], accepted: dict[str, type[Record]], key_field: str
) -> Event:
    """The event in a structured CloudEvent or in `{"type", "data", "id"?, "time"?, "source"?}`.

    What is not said is filled in: another id for each, the time of now. Raises SchemaError.

    Args:
        raw: the JSON that `entry` was parsed from.
        key_field: the data's field that the event is keyed by.
    """
    now = datetime.now(UTC)
    if "specversion" in entry:
        event = read_event([("content-type", STRUCTURED_CONTENT.encode())], raw, now)
    else:
        time = _text(entry, "time")
        event = Event(
            id=_text(entry, "id") or str(uuid4()),
            source=_text(entry, "source") or SOURCE,
            type=_text(entry, "type") or "",
            time=now if time is None else parse_time(time),
            data=entry.get("data"),
        )
    model = accepted.get(event.type)
    if model is None:
        raise SchemaError("type", shape(event.type), "one of " + ", ".join(accepted))
    data = validate(model, event.data, event.type)
    return replace(event, data=data, subject=str(getattr(data, key_field)))


def _text(entry: Mapping[str, Any], name: str) -> str | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise SchemaError(name, shape(value), "a string")
    return value
