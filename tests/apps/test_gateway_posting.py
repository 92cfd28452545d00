"""Writing through the gateway: all or nothing, acknowledged or refused, and by whom."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_shop import GatewayShop

from schemas import events
from schemas.cloudevents import rfc3339
from streams.gateway import answers

VIEW = {"type": "product.viewed", "user_id": "alice", "product_id": "p0"}
SHOPIFY_SECRET = "shpss_a_secret"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[GatewayShop]:
    with GatewayShop(tmp_path, shopify_secret=SHOPIFY_SECRET, shopify_currency="EUR") as shop:
        yield shop


@pytest.fixture
def alice(shop: GatewayShop) -> str:
    return shop.token("alice")


@pytest.fixture
def backend(shop: GatewayShop) -> str:
    """The token of the shop's own system."""
    return shop.token(None, "produce")


def accepted(answer: httpx.Response) -> list[answers.AcceptedEvent]:
    assert answer.status_code == 202, answer.text
    return answers.AcceptedEvents.model_validate_json(answer.content).accepted


def refused(shop: GatewayShop, answer: httpx.Response, status: int) -> answers.ProblemDetails:
    """The problem; nothing was sent."""
    assert answer.status_code == status, answer.text
    assert shop.sender.sent == []
    return answers.ProblemDetails.model_validate_json(answer.content)


def typed(shop: GatewayShop, accepts: Any, topic: str) -> list[tuple[Any, Any]]:
    """(event, data) of everything on a topic, as its agent reads it."""
    return [
        events.read(accepts, r.headers, r.value, r.key, r.appended_at) for r in shop.shop.topics.of(topic)
    ]


def test_one_interaction(shop: GatewayShop, alice: str) -> None:
    [placed] = accepted(shop.post("/v1/interactions", VIEW, alice))
    [(event, data)] = typed(shop, events.INTERACTIONS, "interactions")
    assert (event.id, event.source, event.type) == (placed.id, "lookstream/gateway", "product.viewed")
    assert (data.user_id, data.product_id) == ("alice", "p0")
    assert abs(event.time - datetime.now(UTC)) < timedelta(minutes=1)
    assert placed.topic == "interactions"


def test_what_is_given_is_kept_and_a_retry_is_the_same_event(shop: GatewayShop, alice: str) -> None:
    time = rfc3339(datetime.now(UTC) - timedelta(hours=1))
    entry = VIEW | {"id": "click-1", "time": time, "quantity": 2, "session_id": "s"}
    first, again = (accepted(shop.post("/v1/interactions", entry, alice)) for _ in range(2))
    assert [first[0].id, again[0].id] == ["click-1", "click-1"]
    (one, data), (other, _) = typed(shop, events.INTERACTIONS, "interactions")
    assert (one.source, one.id, one.time) == (other.source, other.id, other.time)
    assert (rfc3339(one.time), data.quantity, data.session_id) == (time, 2, "s")


def test_a_retry_changes_nothing_but_answers_again(shop: GatewayShop, alice: str) -> None:
    shop.shop.upload("p0", (250, 10, 10))
    for _ in range(2):
        accepted(shop.post("/v1/interactions", VIEW | {"id": "click-1"}, alice))
    shop.sync()
    assert shop.get("/v1/shoppers/alice/interests", "alice").json()["contributions"] == 1


def test_a_list_keeps_its_order(shop: GatewayShop, alice: str) -> None:
    entries = [VIEW | {"id": f"e{number}", "product_id": f"p{number}"} for number in range(20)]
    assert [one.id for one in accepted(shop.post("/v1/interactions", entries, alice))] == [
        f"e{number}" for number in range(20)
    ]
    found = typed(shop, events.INTERACTIONS, "interactions")
    assert [data.product_id for _, data in found] == [f"p{number}" for number in range(20)]


def test_a_cloudevent_and_data_of_its_own(shop: GatewayShop, alice: str) -> None:
    event = {
        "specversion": "1.0",
        "id": "x",
        "source": "shop",
        "type": "shopper.arrived",
        "data": {"user_id": "alice", "gender": "female"},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    accepted(shop.post("/v1/interactions", event, alice, content_type="application/cloudevents+json"))
    accepted(shop.post("/v1/interactions", {"type": "shopper.arrived", "data": {"user_id": "alice"}}, alice))
    (one, data), (other, _) = typed(shop, events.INTERACTIONS, "interactions")
    assert (one.source, one.id, one.traceparent) == ("shop", "x", event["traceparent"])
    assert (data.gender, other.source) == ("female", "lookstream/gateway")


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (VIEW | {"product_id": ""}, "product_id"),
        ({"type": "product.viewed", "user_id": "alice"}, "product_id"),
        (VIEW | {"type": "product.eaten"}, "type"),
        ({"user_id": "alice", "product_id": "p"}, "type"),
        (VIEW | {"quantity": 0}, "quantity"),
        (VIEW | {"time": "yesterday"}, "time"),
        (VIEW | {"time": "9999-01-01T00:00:00Z"}, "time"),
        (VIEW | {"id": 7}, "id"),
        (VIEW | {"id": "x" * 2000}, "ce_id"),
        (VIEW | {"id": "a\x00b"}, "ce_id"),
        (VIEW | {"user_id": "a\nb"}, "user_id"),
        ([VIEW], "entry"),
        ("text", "entry"),
        ({"specversion": "0.3", **VIEW}, "id"),
    ],
    ids=str,
)
def test_one_wrong_entry_sends_nothing_and_is_named(
    shop: GatewayShop, alice: str, entry: Any, field: str
) -> None:
    problem = refused(shop, shop.post("/v1/interactions", [VIEW, entry, VIEW], alice), 422)
    assert (problem.entry, problem.field) == (1, field)
    assert problem.got
    assert problem.expected


@pytest.mark.parametrize(
    "body", [b"", b"{", b"7", b"[]", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000], ids=lambda b: repr(b[:9])
)
def test_what_is_no_list_of_objects_is_refused(shop: GatewayShop, alice: str, body: bytes) -> None:
    refused(shop, shop.post("/v1/interactions", body, alice), 422)


def test_limits_of_size_and_type(shop: GatewayShop, alice: str) -> None:
    refused(shop, shop.post("/v1/interactions", [VIEW] * 501, alice), 422)
    refused(shop, shop.post("/v1/interactions", b" " * 2_000_001, alice), 413)
    refused(shop, shop.post("/v1/interactions", VIEW, alice, content_type="text/plain"), 415)


def test_a_shoppers_token_writes_for_that_shopper_only(shop: GatewayShop, alice: str) -> None:
    bobs = VIEW | {"user_id": "bob"}
    problem = refused(shop, shop.post("/v1/interactions", [VIEW, bobs], alice), 403)
    assert problem.entry == 1
    refused(shop, shop.post("/v1/interactions", VIEW), 401)
    refused(shop, shop.post("/v1/interactions", VIEW, shop.token("alice", "subscribe")), 403)
    refused(shop, shop.post("/v1/products", {"id": "p", "image_link": "p.png"}, alice), 403)
    taken_over = {"type": "user.identified", "user_id": "alice", "anonymous_id": "bob"}
    refused(shop, shop.post("/v1/interactions", taken_over, alice), 403)


def test_the_shops_own_token_writes_for_all(shop: GatewayShop, backend: str) -> None:
    identified = {"type": "user.identified", "user_id": "bob", "anonymous_id": "visitor"}
    assert len(accepted(shop.post("/v1/interactions", [VIEW, identified], backend))) == 2


def test_when_kafka_does_not_acknowledge(shop: GatewayShop, alice: str) -> None:
    shop.sender.away = True
    answer = shop.post("/v1/interactions", VIEW, alice)
    refused(shop, answer, 503)
    assert int(answer.headers["retry-after"]) >= 1
    assert shop.get("/readyz").status_code == 503
    shop.sender.away = False
    assert shop.get("/readyz").status_code == 200


def test_so_many_interactions_and_no_more(shop: GatewayShop, alice: str) -> None:
    statuses = [shop.post("/v1/interactions", [VIEW] * 50, alice).status_code for _ in range(20)]
    assert statuses[0] == 202
    assert statuses[-1] == 429
    assert shop.post("/v1/interactions", VIEW | {"user_id": "bob"}, shop.token("bob")).status_code == 202


def test_segment_calls(shop: GatewayShop, alice: str) -> None:
    call = {
        "type": "track",
        "event": "Product Added",
        "userId": "alice",
        "messageId": "m1",
        "properties": {"product_id": "p0", "quantity": 2},
    }
    page = {"type": "page", "userId": "alice", "messageId": "m2"}
    first = accepted(shop.post("/v1/interactions/segment", [call, page], alice))
    again = accepted(shop.post("/v1/interactions/segment", call, alice))
    assert [one.id for one in first] == [one.id for one in again]
    (event, data), _ = typed(shop, events.INTERACTIONS, "interactions")
    assert (event.type, event.source, data.quantity) == ("product.added_to_cart", "segment", 2)


def test_ga4_messages(shop: GatewayShop, backend: str) -> None:
    message = {
        "client_id": "c.1",
        "timestamp_micros": int(datetime.now(UTC).timestamp() * 1e6),
        "events": [
            {"name": "purchase", "params": {"items": [{"item_id": "p0"}, {"item_id": "p1", "quantity": 3}]}},
            {"name": "page_view", "params": {}},
        ],
    }
    assert len(accepted(shop.post("/v1/interactions/ga4", message, backend))) == 2
    found = typed(shop, events.INTERACTIONS, "interactions")
    assert [(e.type, d.product_id, d.quantity) for e, d in found] == [
        ("product.purchased", "p0", None),
        ("product.purchased", "p1", 3),
    ]


@pytest.mark.parametrize("path", ["segment", "ga4"])
def test_other_shapes_are_refused_there(shop: GatewayShop, alice: str, path: str) -> None:
    refused(shop, shop.post(f"/v1/interactions/{path}", {"hello": "world"}, alice), 422)


def test_products_come_change_and_go(shop: GatewayShop, backend: str) -> None:
    uploaded = {"id": "p", "image_link": "p.png", "title": "Shorts", "event_id": "upload-1"}
    changed = {"type": "product.updated", "id": "p", "price": None, "availability": "out_of_stock"}
    event = {
        "specversion": "1.0",
        "id": "x",
        "source": "shop",
        "type": "product.removed",
        "data": {"id": "p"},
    }
    placed = accepted(shop.post("/v1/products", [uploaded, changed, event], backend))
    assert (placed[0].id, placed[2].id) == ("upload-1", "x")
    found = typed(shop, events.PRODUCT_EVENTS, "product-events")
    assert [e.type for e, _ in found] == ["product.uploaded", "product.updated", "product.removed"]
    assert json.loads(shop.shop.topics.of("product-events")[1].value or b"") == {
        "id": "p",
        "price": None,
        "availability": "out_of_stock",
    }


def test_a_wrong_product_is_named(shop: GatewayShop, backend: str) -> None:
    good = {"id": "p", "image_link": "p.png"}
    problem = refused(shop, shop.post("/v1/products", [good, {"id": "q"}], backend), 422)
    assert (problem.entry, problem.field) == (1, "image_link")
    refused(shop, shop.post("/v1/products", [good] * 101, backend), 422)
    refused(shop, shop.post("/v1/products", b" " * 32_000_001, backend), 413)


def test_an_upload_through_the_gateway_is_searchable(shop: GatewayShop, backend: str) -> None:
    from memory_shop import inline, picture

    accepted(shop.post("/v1/products", {"id": "p", "image_link": inline(picture(1, 2, 200))}, backend))
    shop.sync()
    [product] = shop.get("/v1/products").json()["products"]
    assert product["product_id"] == "p"
    assert product["image"].startswith("/media/inline/")


def webhook(shop: GatewayShop, body: bytes, secret: str = SHOPIFY_SECRET, **headers: str) -> httpx.Response:
    digest = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    given = {
        "X_Shopify_Topic": "products/create",
        "X_Shopify_Hmac_Sha256": digest,
        "X_Shopify_Webhook_Id": "w1",
        "X_Shopify_Shop_Domain": "drawn.myshopify.com",
    } | headers
    return shop.post("/v1/products/shopify", body, **given)


PRODUCT = json.dumps(
    {
        "id": 632910392,
        "title": "Denim shorts",
        "vendor": "Drawn",
        "handle": "denim-shorts",
        "images": [{"src": "https://cdn.shopify.example/shorts.jpg"}],
        "variants": [{"price": "49.90", "inventory_quantity": 3}],
    }
).encode()


def test_a_shopify_webhook_is_known_by_its_signature(shop: GatewayShop) -> None:
    [first] = accepted(webhook(shop, PRODUCT))
    [again] = accepted(webhook(shop, PRODUCT))
    assert first.id == again.id
    (event, data), _ = typed(shop, events.PRODUCT_EVENTS, "product-events")
    assert (event.type, data.id, data.title) == ("product.uploaded", "632910392", "Denim shorts")
    assert (data.price.value, data.price.currency) == (49.9, "EUR")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Shopify_Hmac_Sha256": ""}, 401),
        ({"X_Shopify_Hmac_Sha256": "AAAA"}, 401),
        ({"X_Shopify_Hmac_Sha256": "\xe4"}, 401),
        ({"X_Shopify_Topic": "orders/create"}, 422),
        ({"X_Shopify_Topic": ""}, 422),
        ({"X_Shopify_Webhook_Id": ""}, 422),
        ({"X_Shopify_Triggered_At": "yesterday"}, 422),
        ({"content_type": "text/plain"}, 415),
    ],
    ids=str,
)
def test_other_webhooks_are_refused(shop: GatewayShop, headers: dict[str, str], status: int) -> None:
    refused(shop, webhook(shop, PRODUCT, **headers), status)


def test_a_webhook_signed_by_another_or_changed_is_refused(shop: GatewayShop, backend: str) -> None:
    refused(shop, webhook(shop, PRODUCT, secret="another"), 401)
    digest = base64.b64encode(hmac.new(SHOPIFY_SECRET.encode(), PRODUCT, hashlib.sha256).digest()).decode()
    refused(shop, webhook(shop, PRODUCT + b" ", X_Shopify_Hmac_Sha256=digest), 401)
    refused(shop, shop.post("/v1/products/shopify", PRODUCT, backend), 401)


def test_without_a_secret_there_are_no_webhooks(tmp_path: Path) -> None:
    with GatewayShop(tmp_path) as shop:
        refused(shop, webhook(shop, PRODUCT), 404)
