"""Interaction files: lookstream's, Segment's and Google's lines side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.feeds import FeedError, FeedEvent, FeedIgnored, FeedUnreadable, read_interactions


def lines(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(entry) for entry in entries))
    return path


VIEW = {"user_id": "alice", "product_id": "sku-1"}
SEGMENT = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m",
    "anonymousId": "anon",
    "timestamp": "2026-03-01T12:00:00Z",
    "properties": {"products": [{"product_id": "a"}, {"product_id": "b"}]},
}
GA4 = {
    "client_id": "c",
    "timestamp_micros": 1,
    "events": [{"name": "view_item", "params": {"items": [{"item_id": "a"}]}}],
}


def test_every_shape_in_one_file(tmp_path: Path) -> None:
    own = {"type": "product.viewed", "id": "e-1", "time": "2026-03-01T12:00:00Z", "data": VIEW}
    cloudevent = {"specversion": "1.0", "id": "e-2", "source": "web", "type": "shopper.arrived"}
    cloudevent["data"] = {"user_id": "bella"}  # type: ignore[assignment]
    page = {"type": "page", "messageId": "p", "anonymousId": "anon"}
    items = list(read_interactions(lines(tmp_path / "i.jsonl", own, cloudevent, SEGMENT, GA4, page)))
    assert isinstance(items[-1], FeedIgnored)
    events = [item.event for item in items if isinstance(item, FeedEvent)]
    assert [(event.type, event.subject, event.source) for event in events] == [
        ("product.viewed", "alice", "lookstream/feed"),
        ("shopper.arrived", "bella", "web"),
        ("product.purchased", "anon", "segment"),
        ("product.purchased", "anon", "segment"),
        ("product.viewed", "c", "ga4"),
    ]
    assert [event.id for event in events[:2]] == ["e-1", "e-2"]
    assert [item.place.rpartition(":")[2] for item in items] == ["1", "2", "3", "3", "4", "5"]


def test_reading_a_file_again_makes_the_same_events_where_the_source_has_ids(tmp_path: Path) -> None:
    file = lines(tmp_path / "i.jsonl", SEGMENT, GA4, {"type": "product.viewed", "id": "e", "data": VIEW})
    first, second = (
        [item.event.id for item in read_interactions(file) if isinstance(item, FeedEvent)] for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == 4


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"type": "product.viewed", "data": {"user_id": "a"}}, "field 'product_id': got nothing"),
        ({"type": "product.stolen", "data": VIEW}, "field 'type'"),
        ({"data": VIEW}, "field 'type'"),
        ({"type": "product.viewed", "time": "noon", "data": VIEW}, "field 'time'"),
        ({"type": "product.viewed", "data": None}, "field 'data': got null"),
        ({**SEGMENT, "messageId": None}, "segment Order Completed: field 'messageId'"),
        ({**GA4, "client_id": None, "user_id": {}}, "ga4 view_item: field 'user_id'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, entry: dict[str, Any], reason: str) -> None:
    good = {"type": "product.viewed", "data": VIEW}
    wrong, right = read_interactions(lines(tmp_path / "i.jsonl", entry, good))
    assert isinstance(wrong, FeedError)
    assert wrong.place == f"{tmp_path / 'i.jsonl'}:1"
    assert reason in wrong.reason
    assert isinstance(right, FeedEvent)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FeedUnreadable, match="not there"):
        read_interactions(tmp_path / "no.jsonl")
