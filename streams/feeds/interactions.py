"""Interaction files: JSON Lines in lookstream's shape, Segment's or Google Analytics 4's, also mixed.

In: a file. Out: items; a line may be several events (an order). What can fail: FeedUnreadable before the
first item; a wrong line is a FeedError.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.adapters import ga4, segment
from schemas.cloudevents import Event
from schemas.errors import SchemaError
from schemas.events import INTERACTIONS
from streams.feeds import jsonl
from streams.feeds.items import FeedError, FeedEvent, FeedIgnored, FeedItem, FeedUnreadable, own_event


def read_interactions(file: Path) -> Iterator[FeedItem]:
    """The interactions in a file, one at a time.

    A line is {"type": "product.viewed", "id"?, "time"?, "source"?, "data": {…}}, a structured CloudEvent, a
    Segment call or a Google Analytics 4 message. A page view and the like is FeedIgnored.

    Raises:
        FeedUnreadable: the file is not there.
    """
    if not file.is_file():
        raise FeedUnreadable(f"{file}: not there, expected a file")
    return _read(file)


def _read(file: Path) -> Iterator[FeedItem]:
    for place, raw, entry in jsonl.read_objects(file):
        if isinstance(entry, FeedError):
            yield entry
            continue
        try:
            found = _events(raw, entry)
        except SchemaError as error:
            yield FeedError(place, str(error))
            continue
        if not found:
            yield FeedIgnored(place)
        for event in found:
            yield FeedEvent(place, event)


def _events(raw: bytes, entry: Mapping[str, Any]) -> list[Event]:
    if "specversion" not in entry:
        if segment.recognises(entry):
            return segment.interactions(entry, datetime.now(UTC))
        if ga4.recognises(entry):
            return ga4.interactions(entry, datetime.now(UTC))
    return [own_event(raw, entry, INTERACTIONS, "user_id")]
