"""Product feeds: every entry is an event or an error that names it, whatever the format."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import ProductId
from schemas.products import Price, ProductUpdated, ProductUploaded
from streams.feeds import FeedError, FeedEvent, FeedUnreadable, read_product_events, read_products
from streams.feeds import photos as feed_photos
from streams.feeds.folder import product_id
from streams.feeds.jsonl import read_objects

PIXEL = b"\xff\xd8\xff\xe0 not decoded by a feed"
INLINE = "data:image/jpeg;base64," + base64.b64encode(PIXEL).decode()


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PIXEL)
    return path


def products(items: Iterable[ProductUploaded | FeedError]) -> list[ProductUploaded]:
    found = list(items)
    assert [item for item in found if isinstance(item, FeedError)] == []
    return [item for item in found if isinstance(item, ProductUploaded)]


def jsonl(path: Path, *lines: Any) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_a_folder_is_a_catalogue(tmp_path: Path) -> None:
    for name in ("shorts/blue.jpg", "shorts/Blue Denim.JPEG", "hat.png", "women/dress/1.webp", "notes.txt"):
        photo(tmp_path / name)
    found = products(read_products(tmp_path, media_root=tmp_path))
    assert [(p.id, p.image_link, p.category) for p in found] == [
        ("hat", "hat.png", None),
        ("shorts-Blue-Denim", "shorts/Blue Denim.JPEG", "shorts"),
        ("shorts-blue", "shorts/blue.jpg", "shorts"),
        ("women-dress-1", "women/dress/1.webp", "women/dress"),
    ]


def test_photos_outside_the_media_root_are_sent_inline(tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "hat.jpg")
    (tmp_path / "media").mkdir()
    for media_root in (tmp_path / "media", tmp_path / "not there", None):
        (found,) = products(read_products(tmp_path / "photos", media_root=media_root))
        assert found.image_link == INLINE


def test_a_folder_below_the_media_root_links_from_the_root(tmp_path: Path) -> None:
    photo(tmp_path / "summer" / "hat.jpg")
    (found,) = products(read_products(tmp_path / "summer", media_root=tmp_path))
    assert (found.id, found.image_link) == ("hat", "summer/hat.jpg")


def test_a_link_that_leads_out_of_the_media_root_is_sent_inline(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "hat.jpg").symlink_to(photo(tmp_path / "elsewhere.jpg"))
    (found,) = products(read_products(tmp_path / "media", media_root=tmp_path / "media"))
    assert found.image_link == INLINE


def test_photos_that_cannot_be_sent_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "large.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    photo(tmp_path / "small.jpg").write_bytes(b"1")
    monkeypatch.setattr(feed_photos, "MAX_INLINE_BYTES", len(PIXEL) - 1)
    empty, gone, large, small = read_products(tmp_path, media_root=None)
    assert isinstance(small, ProductUploaded)
    for item, name in ((empty, "empty.jpg"), (gone, "gone.jpg"), (large, "large.jpg")):
        assert isinstance(item, FeedError)
        assert item.place == str(tmp_path / name)
        assert name in item.reason


def test_colliding_names_get_ids_of_their_own_that_stay(tmp_path: Path) -> None:
    for name in ("a-b.jpg", "a/b.jpg", "a/b.png", "a b.webp"):
        photo(tmp_path / name)
    first = [p.id for p in products(read_products(tmp_path, media_root=tmp_path))]
    assert len(set(first)) == 4
    assert first == [p.id for p in products(read_products(tmp_path, media_root=tmp_path))]


paths = st.lists(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=50
    ).filter(lambda part: part not in (".", "..")),
    min_size=1,
    max_size=4,
).map(lambda parts: PurePosixPath(*parts[:-1], parts[-1] + ".jpg"))


@given(st.lists(paths, unique=True, max_size=6))
def test_product_ids_are_valid_and_unique(given_paths: list[PurePosixPath]) -> None:
    from pydantic import TypeAdapter

    valid, taken = TypeAdapter(ProductId), set[str]()
    for path in given_paths:
        made = product_id(path, taken)
        assert valid.validate_python(made) == made
        assert made not in taken
        assert made == product_id(path, taken)
        taken.add(made)


def test_json_lines_of_product_data(tmp_path: Path) -> None:
    photo(tmp_path / "hat.jpg")
    feed = jsonl(
        tmp_path / "feed.jsonl",
        {"id": "a", "image_link": "https://cdn.example/a.jpg", "price": {"value": 49.9, "currency": "EUR"}},
        "",
        {"id": "b", "image_link": "hat.jpg", "additional_image_link": ["hat.jpg"], "unknown": 1},
    )
    a, b = products(read_products(feed, media_root=None))
    assert (a.image_link, a.price) == ("https://cdn.example/a.jpg", Price(value=49.9, currency="EUR"))
    assert (b.image_link, b.additional_image_link) == (INLINE, [INLINE])


def test_json_lines_of_events_keep_what_they_say(tmp_path: Path) -> None:
    cloudevent = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "shop/pim",
        "type": "product.uploaded",
        "time": "2026-03-01T12:00:00Z",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "data": {"id": "a", "image_link": "https://cdn.example/a.jpg"},
    }
    update = {"type": "product.updated", "data": {"id": "a", "title": None}}
    feed = jsonl(
        tmp_path / "feed.ndjson", cloudevent, update, {"type": "product.removed", "data": {"id": "a"}}
    )
    first, second, third = read_product_events(feed, media_root=None)
    assert isinstance(first, FeedEvent)
    assert isinstance(second, FeedEvent)
    assert isinstance(third, FeedEvent)
    assert (first.event.id, first.event.source, first.event.subject) == ("e-1", "shop/pim", "a")
    assert first.event.time.isoformat() == "2026-03-01T12:00:00+00:00"
    assert first.event.traceparent == cloudevent["traceparent"]
    assert isinstance(second.event.data, ProductUpdated)
    assert second.event.data.model_fields_set == {"id", "title"}
    assert third.event.type == "product.removed"
    assert len({first.event.id, second.event.id, third.event.id}) == 3
    _, *others = read_products(feed, media_root=None)
    assert [item.reason for item in others if isinstance(item, FeedError)] == [
        "got product.updated, expected product.uploaded",
        "got product.removed, expected product.uploaded",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{not json", "JSON in UTF-8"),
        ("[1]", "got list of 1, expected a JSON object"),
        ('{"id": "a"}', "field 'image_link': got nothing"),
        ('{"id": "a", "image_link": "x.jpg", "price": "1 EUR"}', "field 'price'"),
        ('{"id": "a", "image_link": "http://cdn.example/a.jpg"}', "expected a relative path, an https or"),
        ('{"id": "a", "image_link": "/etc/hostname"}', "expected a relative path"),
        ('{"type": "product.viewed", "data": {}}', "field 'type': got string 'product.viewed'"),
        ('{"type": "product.removed", "time": 5, "data": {"id": "a"}}', "field 'time'"),
        ('{"specversion": "1.0", "type": "product.removed", "data": {"id": "a"}}', "field 'id': got nothing"),
    ],
)
def test_a_wrong_line_is_named_and_the_next_is_read(tmp_path: Path, line: str, reason: str) -> None:
    good = {"id": "z", "image_link": "https://cdn.example/z.jpg"}
    wrong, right = read_products(jsonl(tmp_path / "feed.jsonl", line, good), media_root=None)
    assert isinstance(wrong, FeedError)
    assert wrong.place == f"{tmp_path / 'feed.jsonl'}:1"
    assert reason in wrong.reason
    assert isinstance(right, ProductUploaded)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.feeds.jsonl.MAX_LINE_BYTES", 20)
    feed = tmp_path / "feed.jsonl"
    feed.write_bytes(b'\xef\xbb\xbf{"a": 1}\n' + b"x" * 50 + b'\n{"b": 2}\n' + b"y" * 21)
    found = [entry for _, _, entry in read_objects(feed)]
    assert [type(entry) for entry in found] == [dict, FeedError, dict, FeedError]
    assert found[0] == {"a": 1}


def test_photos_are_never_taken_from_outside_the_feeds_folder(tmp_path: Path) -> None:
    photo(tmp_path / "secret.jpg")
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "feed" / "notes.txt").write_text("private")
    for link in ("../secret.jpg", "link.jpg", "notes.txt"):
        feed = jsonl(tmp_path / "feed" / "feed.jsonl", {"id": "a", "image_link": link})
        (found,) = read_products(feed, media_root=tmp_path / "feed" / "media")
        assert isinstance(found, FeedError) or found.image_link == link  # never the file's content


def test_links_below_the_media_root(tmp_path: Path) -> None:
    photo(tmp_path / "media" / "feed" / "near.jpg")
    photo(tmp_path / "media" / "far.jpg")
    lines = [{"id": link, "image_link": link} for link in ("near.jpg", "far.jpg", "feed/near.jpg", "no.jpg")]
    feed = jsonl(tmp_path / "media" / "feed" / "feed.jsonl", *lines)
    near, far, full, missing = read_products(feed, media_root=tmp_path / "media")
    links = [p.image_link for p in (near, far, full) if isinstance(p, ProductUploaded)]
    assert links == ["feed/near.jpg", "far.jpg", "feed/near.jpg"]
    assert isinstance(missing, FeedError)
    assert "no photo 'no.jpg'" in missing.reason


def test_a_source_that_is_nothing_known_says_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(FeedUnreadable, match="not there"):
        read_products(tmp_path / "no.jsonl", media_root=None).__next__()
    with pytest.raises(FeedUnreadable, match="not there"):
        read_product_events(tmp_path / "no.jsonl", media_root=None)
    (tmp_path / "feed.pdf").touch()
    with pytest.raises(FeedUnreadable, match=r"\.pdf.*\.jsonl"):
        read_product_events(tmp_path / "feed.pdf", media_root=None)


def test_a_path_that_would_be_read_as_an_address_is_sent_inline(tmp_path: Path) -> None:
    photo(tmp_path / "shorts: blue" / "1.jpg")
    (found,) = products(read_products(tmp_path, media_root=tmp_path))
    assert (found.id, found.image_link) == ("shorts-blue-1", INLINE)
