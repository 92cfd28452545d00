"""`taste.updated`: a shopper's packed state with what it answers, as it travels on `tastes`.

Layout of the value: uint32 length of the header · header (JSON of `TasteUpdated`) · the state's bytes.
"""

import struct

from schemas.base import Record, UserId
from schemas.cloudevents import parse_json
from schemas.errors import SchemaError, shape
from schemas.events import validate
from schemas.recommendations import Through, Trigger


class TasteUpdated(Record):
    """What a taste answers.

    Attributes:
        includes: ids of the events that are new in it.
        oldest_appended_at_s: LogAppendTime (unix seconds) of the oldest of them, where latency starts.
    """

    user_id: UserId
    revision: int
    trigger: Trigger
    includes: list[str]
    oldest_appended_at_s: float
    through: Through
    traceparent: str | None = None


def pack(header: TasteUpdated, state: bytes) -> bytes:
    """The record's value."""
    head = header.model_dump_json().encode()
    return struct.pack("<I", len(head)) + head + state


def unpack(value: bytes) -> tuple[TasteUpdated, bytes]:
    """Header and state of a record's value; raises SchemaError."""
    if len(value) < 4 or len(value) < 4 + (length := struct.unpack_from("<I", value)[0]):
        raise SchemaError("value", shape(value), "a packed taste", where="taste.updated")
    header = validate(TasteUpdated, parse_json(value[4 : 4 + length]), "taste.updated")
    assert isinstance(header, TasteUpdated)
    return header, value[4 + length :]
