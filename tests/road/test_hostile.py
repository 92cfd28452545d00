"""Malformed, hostile, oversized, late, doubled and disordered events: none is lost, none stops the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from drawn_photos import Photos
from kafka import KafkaProducer
from running_shop import RunningShop, somebody

from schemas.cloudevents import Event, write_event
from streams.dead_letters import MAX_BYTES

pytestmark = pytest.mark.broker

Headers = list[tuple[str, bytes]]


def view(user: str, product_id: str, **more: Any) -> tuple[Headers, bytes]:
    """Headers and value of a good view."""
    data = {"user_id": user, "product_id": product_id} | more
    event = Event(somebody("event"), "test", "product.viewed", datetime.now(UTC), data, user)
    return write_event(event)


def without(headers: Headers, name: str) -> Headers:
    return [header for header in headers if header[0] != name]


def having(headers: Headers, name: str, value: bytes) -> Headers:
    return [*without(headers, name), (name, value)]


BAD: dict[str, Callable[[Headers, bytes], tuple[Headers, bytes | None]]] = {
    "no JSON": lambda h, v: (h, b"{user_id: alice"),
    "no UTF-8": lambda h, v: (h, b'{"user_id": "\xff\xfe"}'),
    "a list": lambda h, v: (h, b"[1, 2, 3]"),
    "nothing": lambda h, v: (h, b""),
    "a tombstone": lambda h, v: (h, None),
    "a thousand brackets": lambda h, v: (h, b"[" * 100_000),
    "not a number": lambda h, v: (h, v.replace(b"}", b', "quantity": NaN}')),
    "a huge number": lambda h, v: (h, v.replace(b"}", b', "quantity": ' + b"9" * 5000 + b"}")),
    "no id": lambda h, v: (without(h, "ce_id"), v),
    "no source": lambda h, v: (without(h, "ce_source"), v),
    "another version": lambda h, v: (having(h, "ce_specversion", b"0.3"), v),
    "an unknown type": lambda h, v: (having(h, "ce_type", b"product.sniffed"), v),
    "a product event": lambda h, v: (having(h, "ce_type", b"product.removed"), v),
    "a bad time": lambda h, v: (having(h, "ce_time", b"yesterday"), v),
    "the future": lambda h, v: (having(h, "ce_time", b"2999-01-01T00:00:00Z"), v),
    "XML": lambda h, v: (having(h, "content-type", b"text/xml"), v),
    "a type in Latin-1": lambda h, v: (having(h, "ce_type", b"\xe9t\xe9"), v),
    "no headers": lambda h, v: ([], v),
    "no product": lambda h, v: (h, v.replace(b"product_id", b"product")),
    "a product id of a kilobyte": lambda h, v: (h, v.replace(b"drawn-", b"d" * 1000)),
    "a product id with a newline": lambda h, v: (h, v.replace(b"drawn-", b"drawn\\n")),
    "a lone surrogate": lambda h, v: (h, v.replace(b"drawn-", b"\\ud800-")),
    "another user's": lambda h, v: (h, v.replace(b'"user_id":"', b'"user_id":"not-')),
    "an unknown garment": lambda h, v: (h, v.replace(b"}", b', "garment_id": "none"}')),
    "base64": lambda h, v: (
        having([], "content-type", b"application/cloudevents+json"),
        b'{"specversion": "1.0", "id": "1", "source": "s", "type": "product.viewed", "data_base64": "e30="}',
    ),
}


def test_every_bad_interaction_is_told_with_its_bytes_and_the_good_ones_go_on(shop: RunningShop) -> None:
    user = somebody("bad")
    sent: dict[str, tuple[Headers, bytes | None]] = {}
    for name, spoil in BAD.items():
        headers, value = spoil(*view(user, "drawn-0001"))
        sent[name] = ([*headers, ("case", name.encode()), ("junk", b"\x00\xff")], value)
        shop.send("interactions", user, value, sent[name][0])
        good_headers, good = view(user, "drawn-0002")
        shop.send("interactions", user, good, good_headers)
    assert shop.answered("product.viewed", user, "drawn-0003").items
    shop.observer.wait("a dead letter each", lambda: len(shop.observer.dead_of(user)) >= len(BAD))
    letters = {dict(r.headers)["case"].decode(): (r, why) for r, why in shop.observer.dead_of(user)}
    assert set(letters) == set(BAD)
    assert len(shop.observer.dead_of(user)) == len(BAD)
    for name, (record, why) in letters.items():
        headers, value = sent[name]
        assert record.value == value, name
        assert record.headers[: len(headers)] == headers, name
        assert why["topic"] == "interactions"
        assert len(why["exception.message"]) > 20
    assert "garment_id" in letters["an unknown garment"][1]["exception.message"]
    assert "ce_time" in letters["the future"][1]["exception.message"]


def test_odd_but_valid_interactions_count(shop: RunningShop, photos: Photos) -> None:
    user = somebody("Алиса 🧥 ") + "x" * 60
    product_id = photos.of("shorts")[0]
    structured = {
        "specversion": "1.0",
        "id": "ü" * 300,
        "source": "test",
        "type": "product.viewed",
        "data": {"user_id": user, "product_id": product_id, "unknown": {"deep": [1, 2, {"er": None}]}},
    }
    shop.send("interactions", user, json.dumps(structured).encode())
    answer = shop.observer.answer("ü" * 300)
    assert answer.user_id == user
    headers, value = view(user, photos.of("skirt")[0], note="x" * 200_000)
    shop.send("interactions", user, value, [*headers, ("x", b""), ("traceparent", b"00-" + b"a" * 50_000)])
    event_id = dict(headers)["ce_id"].decode()
    assert shop.observer.answer(event_id).user_id == user
    assert shop.observer.dead_of(user) == []


def test_headers_that_lookstream_uses_itself_mean_nothing_from_outside(shop: RunningShop) -> None:
    user = somebody("sly")
    for header in (
        ("lookstream-tick", b"1"),
        ("lookstream-erase", b"1"),
        ("lookstream-key", b"somebody"),
        ("__connect.errors.topic", b"elsewhere"),
    ):
        headers, value = view(user, "drawn-0004")
        shop.send("interactions", user, value, [*headers, header])
        assert shop.observer.answer(dict(headers)["ce_id"].decode()).user_id == user


def test_late_doubled_and_disordered_events_give_one_taste(shop: RunningShop, photos: Photos) -> None:
    users = [somebody("order") for _ in range(2)]
    products = [*photos.of("shorts")[:3], *photos.of("skirt")[:3]]
    now = datetime.now(UTC)
    acts = [
        (kind, product_id, now - timedelta(days=3 * place))
        for place, (kind, product_id) in enumerate(
            zip(["product.viewed", "product.purchased", "product.added_to_cart"] * 2, products, strict=True)
        )
    ]
    for user, ordered in zip(users, (acts, [*reversed(acts), acts[2], acts[0]]), strict=True):
        for kind, product_id, event_time in ordered:
            shop.interactions.publish(
                kind,
                {"user_id": user, "product_id": product_id},
                event_id=f"{user}-{product_id}",
                event_time=event_time,
            )
    shop.interactions.flush()
    answers = [shop.answered("shopper.arrived", user) for user in users]
    one, other = (shop.observer.shopper(user).taste.contributions for user in users)
    assert [(c.product_id, c.action, c.weight, c.event_time_s) for c in one] == [
        (c.product_id, c.action, c.weight, c.event_time_s) for c in other
    ]
    assert len({c.product_id for c in one}) == 6
    mine, theirs = ([(i.product_id, i.score) for i in a.items if i.slot == "taste"] for a in answers)
    assert mine == theirs
    assert len(mine) >= 12


def test_an_event_on_another_partition_finds_its_way(shop: RunningShop) -> None:
    user = somebody("astray")
    ids = []
    for partition in range(8):
        headers, value = view(user, f"drawn-00{10 + partition}")
        shop.send("interactions", user, value, headers, partition=partition)
        ids.append(dict(headers)["ce_id"].decode())
    for event_id in ids:
        shop.observer.answer(event_id)
    seen = {c.product_id for c in shop.observer.shopper(user).taste.contributions}
    assert seen == {f"drawn-00{10 + partition}" for partition in range(8)}


def test_one_product_that_never_comes_does_not_hold_up_the_others(shop: RunningShop, photos: Photos) -> None:
    product_id = somebody("never")
    users = [somebody() for _ in range(8)]
    for user in users:  # more than the row of one product holds
        headers, value = view(user, product_id, note="x" * 1_000_000)
        shop.send("interactions", user, value, headers)
    shop.observer.wait("dead letters", lambda: len([u for u in users if shop.observer.dead_of(u)]) == 5)
    early = shop.act("product.viewed", users[0], somebody("other"))
    assert early not in shop.observer.answers
    shop.upload(photos.upload(photos.drawn[7], id=product_id))
    kept = [user for user in users if not shop.observer.dead_of(user)]
    shop.observer.wait("the parked ones answered", lambda: all(shop.observer.sets[u] for u in kept))


BAD_PRODUCTS: dict[str, dict[str, Any]] = {
    "no photo": {"image_link": "nowhere.jpg"},
    "out of the media root": {"image_link": "../../../etc/passwd"},
    "an absolute path": {"image_link": "/etc/passwd"},
    "a host that is not allowed": {"image_link": "https://example.com/a.jpg"},
    "the metadata service": {"image_link": "https://169.254.169.254/latest"},
    "a file": {"image_link": "file:///etc/passwd"},
    "text": {"image_link": "data:image/png;base64,aGVsbG8="},
    "no base64": {"image_link": "data:image/png;base64,%%%"},
    "a negative price": {"image_link": "drawn-0001.jpg", "price": {"value": -1, "currency": "EUR"}},
    "a link of three kilobytes": {"image_link": "./" * 1500 + "drawn-0001.jpg"},
}


def test_every_bad_product_is_told_and_the_good_ones_go_on(shop: RunningShop, photos: Photos) -> None:
    ids = {name: somebody("bad") for name in BAD_PRODUCTS}
    for name, fields in BAD_PRODUCTS.items():
        event = Event(
            somebody("event"), "test", "product.uploaded", datetime.now(UTC), {"id": ids[name]} | fields
        )
        headers, value = write_event(event)
        shop.send("product-events", ids[name], value, headers)
    shop.upload(photos.upload(photos.drawn[0], id=somebody("good")))
    for name, product_id in ids.items():
        ((_, why),) = shop.observer.wait(
            f"a dead letter: {name}", lambda of=product_id: shop.observer.dead_of(of)
        )
        assert why["topic"] == "product-events"
        assert "root:" not in why["exception.message"]
        assert product_id not in shop.observer.indexed()


def test_the_largest_events_are_told_whole_and_greater_ones_in_part(
    shop: RunningShop, photos: Photos
) -> None:
    whole, too_great = somebody("large"), somebody("larger")
    photo = "data:image/png;base64," + "A" * 20_000_000
    headers, value = write_event(
        Event("l", "test", "product.uploaded", datetime.now(UTC), {"id": whole, "image_link": photo})
    )
    shop.send("product-events", whole, value, headers)
    packed = KafkaProducer(
        bootstrap_servers=shop.kafka,
        acks="all",
        max_request_size=40_000_000,
        compression_type="gzip",
    )
    try:
        bomb = b" " * 30_000_000
        assert len(bomb) > MAX_BYTES
        packed.send("product-events", key=too_great.encode(), value=bomb, headers=headers).get(60)
    finally:
        packed.close(timeout=5)
    ((letter, _),) = shop.observer.wait("the large one", lambda: shop.observer.dead_of(whole), 60.0)
    assert letter.value == value
    ((letter, why),) = shop.observer.wait("the larger one", lambda: shop.observer.dead_of(too_great), 60.0)
    assert letter.value is None
    assert why["omitted.bytes"] == "30000000"
    shop.upload(photos.upload(photos.drawn[0], id=somebody("good")))
