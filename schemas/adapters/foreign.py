"""What the adapters share: ids that survive a retry, and fields read from other systems' messages.

In: a message as parsed JSON. Out: texts, times, interactions. What can fail: SchemaError naming the field.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from schemas.base import Record
from schemas.cloudevents import Event
from schemas.errors import SchemaError, shape
from schemas.events import INTERACTIONS, validate

_EVENTS: Final = UUID("0b9b7f0e-2b57-5c0c-8a53-5f0c1c2f6f3d")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def event_id(source: str, message_id: str, index: int = 0) -> str:
    """UUIDv5 of a message and the place in it: a message that comes again makes the same events."""
    return str(uuid5(_EVENTS, f"{source}\x00{message_id}\x00{index}"))


def text(message: Mapping[str, Any], *names: str, where: str) -> str:
    """The first of these fields that is there, as text (ids are often sent as numbers).

    Raises SchemaError where there is none, or where it is neither text nor a whole number.
    """
    for name in names:
        value = message.get(name)
        if value is None or value == "":
            continue
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
        raise SchemaError(name, shape(value), "a string", where=where)
    raise SchemaError(" or ".join(names), "nothing", "a non-empty string", where=where)


def objects(message: Mapping[str, Any], name: str, where: str) -> Sequence[Mapping[str, Any]]:
    """A field that is a list of at least one object; raises SchemaError."""
    value = message.get(name)
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return value
    raise SchemaError(
        name, "nothing" if value is None else shape(value), "a list of at least one object", where=where
    )


def micros(value: Any, name: str, where: str) -> datetime:
    """The UTC time of microseconds since 1970, given as a number or as digits; raises SchemaError."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        return _EPOCH + timedelta(microseconds=int(value))
    except (ValueError, OverflowError):
        raise SchemaError(name, shape(value), "microseconds since 1970", where=where) from None


def interaction(
    id: str, source: str, kind: str, time: datetime, data: Mapping[str, Any], where: str
) -> Event:
    """The event of an interaction, its data validated; raises SchemaError."""
    record: Record = validate(INTERACTIONS[kind], dict(data), where)
    return Event(id=id, source=source, type=kind, time=time, data=record, subject=data["user_id"])
