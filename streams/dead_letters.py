"""Dead letters: the original bytes and headers, and the reason in Kafka Connect's error headers.

In: a record and the exception that ended it. Out: key, value and headers for `dead-letters`.
Source: Kafka Connect's DeadLetterQueueReporter (KIP-298).
"""

from collections.abc import Sequence
from typing import Final

from streams.record import Header, Record

PREFIX: Final = "__connect.errors."
MAX_BYTES: Final = 24_900_000
"""What the topic takes (25 MB), less room for the reason."""
_MAX_MESSAGE_CHARS: Final = 2000


def dead_letter(record: Record, stage: str, error: BaseException) -> tuple[bytes | None, list[Header]]:
    """The original value; the original headers, then where the record came from and why it died.

    A record that came compressed may be greater than the topic takes. It goes without its value, or without
    value and headers, rather than block its partition for ever; `omitted.bytes` says how much is missing.
    """
    reasons = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "stage": stage,
        "exception.class.name": f"{type(error).__module__}.{type(error).__qualname__}",
        "exception.message": str(error)[:_MAX_MESSAGE_CHARS],
    }
    value, kept = record.value, [h for h in record.headers if not h[0].startswith(PREFIX)]
    whole = _size(value, kept)
    if whole > MAX_BYTES:
        value = None
        kept = kept if _size(None, kept) <= MAX_BYTES else []
        reasons["omitted.bytes"] = str(whole - _size(None, kept))
    told = [(PREFIX + name, text.encode("utf-8", "replace")) for name, text in reasons.items()]
    return value, [*kept, *told]


def _size(value: bytes | None, headers: Sequence[Header]) -> int:
    return len(value or b"") + sum(len(name.encode()) + len(raw) + 10 for name, raw in headers)


def reason(headers: tuple[Header, ...] | list[Header]) -> dict[str, str]:
    """What a dead letter's headers say, by the names after the prefix."""
    return {
        name.removeprefix(PREFIX): value.decode("utf-8", "replace")
        for name, value in headers
        if name.startswith(PREFIX)
    }
