"""CloudEvents 1.0 on Kafka: binary and structured mode in, binary mode out.

In: a Kafka record's headers and value. Out: an `Event`. Can fail with `SchemaError` naming the attribute.
Source: CloudEvents 1.0.2, Kafka protocol binding 1.0.2 (sections 3.2 binary and 3.3 structured mode).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pydantic_core

from schemas.errors import SchemaError, shape

Headers = Sequence[tuple[str, bytes]]

JSON_CONTENT: Final = "application/json"
STRUCTURED_CONTENT: Final = "application/cloudevents+json"
_ATTRIBUTES: Final = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype"})
_MAX_ATTRIBUTE_CHARS: Final = 1024
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
_INT32: Final = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Event:
    """One CloudEvent, its data still undecided: `schemas.read` gives it a type.

    `time` is the event time (UTC); an event without one took place when the broker appended it.
    """

    id: str
    source: str
    type: str
    time: datetime
    data: Any
    subject: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that travels along, if the producer sent one."""
        return self.extensions.get("traceparent")


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: 2026-01-31T12:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str, field_name: str = "time") -> datetime:
    """An aware UTC datetime from RFC 3339 text; raises SchemaError for anything else."""
    moment = None
    if _RFC_3339.fullmatch(text):  # fromisoformat alone takes week dates and hours without minutes, too
        with suppress(ValueError):
            moment = datetime.fromisoformat(text.upper())
    if moment is None:
        raise SchemaError(field_name, shape(text), "an RFC 3339 time with an offset (2026-01-31T12:00:00Z)")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise SchemaError(field_name, shape(text), "a time between the years 1 and 9999 in UTC") from error


def parse_json(value: bytes, where: str = "value") -> Any:
    """JSON of bounded depth, without NaN; raises SchemaError where it is not.

    A number too great for a double (1e999) comes out as infinity, which no `Record` takes.
    """
    try:
        return pydantic_core.from_json(value, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise SchemaError(where, shape(value), f"JSON in UTF-8 ({str(error)[:120]})") from None


def read_event(
    headers: Iterable[tuple[str, bytes | None]] | None, value: bytes | None, appended_at: datetime
) -> Event:
    """The CloudEvent in a Kafka record.

    Args:
        headers: the record's headers in order; of a repeated one the last counts.
        value: the record's value.
        appended_at: the broker's LogAppendTime, the event time of an event that has none.

    Raises:
        SchemaError: an attribute is missing or malformed, or the value is not JSON.
    """
    texts = _decode_headers(headers or ())
    content_type = texts.get("content-type", "").partition(";")[0].strip().lower()
    if value is None:
        raise SchemaError("value", "null (a tombstone)", "an event")
    if content_type.startswith("application/cloudevents"):
        if content_type != STRUCTURED_CONTENT:
            raise SchemaError(
                "content-type", shape(content_type), f"'{STRUCTURED_CONTENT}' or '{JSON_CONTENT}'"
            )
        return _read_structured(parse_json(value), texts, appended_at)
    if "ce_specversion" not in texts:
        parsed = parse_json(value)
        if isinstance(parsed, dict) and "specversion" in parsed:
            return _read_structured(parsed, texts, appended_at)
        raise SchemaError(
            "ce_specversion", "nothing", "'1.0': binary mode has it as a header, structured mode in the value"
        )
    attributes: dict[str, Any] = {
        name[3:]: text for name, text in texts.items() if name.startswith("ce_") and len(name) > 3
    }
    for name in ("traceparent", "tracestate"):
        if name in texts:
            attributes.setdefault(name, texts[name])
    if content_type and content_type != JSON_CONTENT and not content_type.endswith("+json"):
        raise SchemaError("content-type", shape(content_type), f"'{JSON_CONTENT}'")
    return _build(attributes, parse_json(value), appended_at, "ce_")


def _decode_headers(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, raw in headers:
        lowered = name.lower()
        if not (lowered.startswith("ce_") or lowered in ("content-type", "traceparent", "tracestate")):
            continue
        try:
            texts[lowered] = (raw or b"").decode()
        except UnicodeDecodeError:
            raise SchemaError(lowered, shape(raw), "UTF-8 text") from None
    return texts


def _read_structured(parsed: Any, texts: Mapping[str, str], appended_at: datetime) -> Event:
    if not isinstance(parsed, dict):
        raise SchemaError("value", shape(parsed), "a JSON object holding a CloudEvent")
    if "data_base64" in parsed:
        raise SchemaError("data_base64", shape(parsed["data_base64"]), "JSON in 'data'")
    attributes = {name: value for name, value in parsed.items() if name != "data" and value is not None}
    if "traceparent" in texts:
        attributes.setdefault("traceparent", texts["traceparent"])
    return _build(attributes, parsed.get("data"), appended_at, "")


def _build(attributes: Mapping[str, Any], data: Any, appended_at: datetime, prefix: str) -> Event:
    for name in ("specversion", "id", "source", "type"):
        _check_text(attributes.get(name), prefix + name)
    if attributes["specversion"] != "1.0":
        raise SchemaError(prefix + "specversion", shape(attributes["specversion"]), "'1.0'")
    subject, time = attributes.get("subject"), attributes.get("time")
    if subject is not None:
        _check_text(subject, prefix + "subject")
    if time is not None:
        _check_text(time, prefix + "time")
    return Event(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        time=appended_at if time is None else parse_time(time, prefix + "time"),
        data=data,
        subject=subject,
        extensions={
            name: text
            for name, value in attributes.items()
            if name not in _ATTRIBUTES and (text := _extension(value)) is not None
        },
    )


def _extension(value: Any) -> str | None:
    """An extension's value as binary mode has it; None for what CloudEvents does not allow."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if value in _INT32 else None
    return value if isinstance(value, str) else None


def _check_text(value: Any, name: str) -> None:
    if value is None:
        raise SchemaError(name, "nothing", "a non-empty string")
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > _MAX_ATTRIBUTE_CHARS
        or "\x00" in value
    ):
        raise SchemaError(
            name, shape(value), f"a non-empty string of at most {_MAX_ATTRIBUTE_CHARS} characters"
        )


def write_event(event: Event) -> tuple[list[tuple[str, bytes]], bytes]:
    """Headers and value of `event` in binary mode.

    `data` may be bytes (packed, application/octet-stream) or anything JSON can hold.
    """
    packed = isinstance(event.data, bytes)
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_time", rfc3339(event.time).encode()),
        ("content-type", b"application/octet-stream" if packed else JSON_CONTENT.encode()),
    ]
    if event.subject is not None:
        headers.insert(4, ("ce_subject", event.subject.encode()))
    for name, text in event.extensions.items():
        headers.append((name if name in ("traceparent", "tracestate") else f"ce_{name}", text.encode()))
    return headers, event.data if packed else pydantic_core.to_json(event.data)
