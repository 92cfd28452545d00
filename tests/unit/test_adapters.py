"""Other systems' messages become lookstream's events: the same ones, however often they come."""

from __future__ import annotations

import contextlib
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.adapters import ga4, segment, shopify
from schemas.adapters.foreign import event_id
from schemas.errors import SchemaError
from schemas.products import Price, ProductUpdated, ProductUploaded

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def call(event: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event,
        "messageId": "m-1",
        "userId": "alice",
        "originalTimestamp": "2026-02-28T10:00:00.000Z",
        "properties": properties,
        **more,
    }


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("Product Viewed", "product.viewed"),
        ("Product Clicked", "product.clicked"),
        ("Product Added", "product.added_to_cart"),
        ("Product Removed", "product.removed_from_cart"),
        ("Product Added to Wishlist", "product.added_to_wishlist"),
    ],
)
def test_a_segment_call_about_one_product_is_one_interaction(event: str, kind: str) -> None:
    (made,) = segment.interactions(call(event, {"product_id": "sku-1", "quantity": 2}), NOW)
    assert (made.type, made.source, made.subject) == (kind, "segment", "alice")
    assert (made.data.user_id, made.data.product_id, made.data.quantity) == ("alice", "sku-1", 2)
    assert made.time == datetime(2026, 2, 28, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "kind"), [("Order Completed", "product.purchased"), ("Order Refunded", "product.refunded")]
)
def test_a_segment_order_is_one_interaction_per_product(event: str, kind: str) -> None:
    order = call(event, {"order_id": "o", "products": [{"product_id": "a"}, {"sku": 7, "quantity": "3"}]})
    made = segment.interactions(order, NOW)
    assert [(e.type, e.data.product_id, e.data.quantity) for e in made] == [(kind, "a", None), (kind, "7", 3)]
    assert len({e.id for e in made}) == 2
    assert [e.id for e in segment.interactions(copy.deepcopy(order), NOW + timedelta(days=1))] == [
        e.id for e in made
    ]


def test_segment_prefers_the_corrected_time_and_falls_back_to_the_arrival() -> None:
    both = call("Product Viewed", {"product_id": "a"}, timestamp="2026-02-28T11:00:00+01:00")
    assert segment.interactions(both, NOW)[0].time == datetime(2026, 2, 28, 10, tzinfo=UTC)
    neither = call("Product Viewed", {"product_id": "a"}, originalTimestamp=None)
    assert segment.interactions(neither, NOW)[0].time == NOW


def test_segment_anonymous_shoppers_and_the_identify_call_that_names_them() -> None:
    anonymous = call("Product Viewed", {"product_id": "a"}, userId=None, anonymousId="anon-1")
    assert segment.interactions(anonymous, NOW)[0].data.user_id == "anon-1"
    identify = {"type": "identify", "messageId": "m", "userId": "alice", "anonymousId": "anon-1"}
    (made,) = segment.interactions(identify, NOW)
    assert made.type == "user.identified"
    assert (made.subject, made.data.anonymous_id) == ("alice", "anon-1")
    assert segment.interactions({**identify, "anonymousId": "alice"}, NOW) == []


def test_other_segment_calls_mean_nothing_here() -> None:
    assert segment.interactions(call("Coupon Applied", {}), NOW) == []
    assert segment.interactions({"type": "page", "name": "Home", "messageId": "m"}, NOW) == []


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (call("Product Viewed", {}), "product_id or sku"),
        (call("Product Viewed", {"product_id": ["a"]}), "product_id"),
        (call("Product Viewed", {"product_id": "a", "quantity": 0}), "quantity"),
        (call("Order Completed", {"order_id": "o"}), "products"),
        (call("Product Viewed", {"product_id": "a"}, userId=None), "userId or anonymousId"),
        (call("Product Viewed", {"product_id": "a"}, messageId=None), "messageId"),
        (call("Product Viewed", {"product_id": "a"}, originalTimestamp="yesterday"), "originalTimestamp"),
        ({"type": "track", "messageId": "m", "userId": "a"}, "event"),
        (call("Product Viewed", {}) | {"properties": None}, "properties"),
    ],
)
def test_a_broken_segment_call_names_its_field(broken: dict[str, Any], field: str) -> None:
    with pytest.raises(SchemaError) as caught:
        segment.interactions(broken, NOW)
    assert caught.value.field == field


def test_a_ga4_message_is_one_interaction_per_item_of_its_ecommerce_events() -> None:
    message = {
        "client_id": "c.1",
        "user_id": "alice",
        "timestamp_micros": 1_772_272_800_000_000,
        "events": [
            {"name": "page_view", "params": {}},
            {"name": "view_item", "params": {"session_id": 12, "items": [{"item_id": "a"}]}},
            {"name": "purchase", "params": {"items": [{"item_id": "b", "quantity": 2}, {"item_id": "c"}]}},
        ],
    }
    made = ga4.interactions(message, NOW)
    assert [(e.type, e.data.product_id) for e in made] == [
        ("product.viewed", "a"),
        ("product.purchased", "b"),
        ("product.purchased", "c"),
    ]
    assert {e.data.user_id for e in made} == {"alice"}
    assert (made[0].data.session_id, made[1].data.quantity) == ("12", 2)
    assert made[0].time == datetime(2026, 2, 28, 10, tzinfo=UTC)
    reordered = json.loads(json.dumps(dict(reversed(message.items()))))
    again = ga4.interactions(reordered, NOW + timedelta(hours=1))
    assert [e.id for e in again] == [e.id for e in made]
    assert len({e.id for e in made}) == 3


@pytest.mark.parametrize(
    "kind", ["select_item", "add_to_cart", "remove_from_cart", "add_to_wishlist", "refund"]
)
def test_every_ga4_ecommerce_event_is_known(kind: str) -> None:
    exported = {
        "event_name": kind,
        "event_timestamp": "1772272800000000",
        "user_pseudo_id": "p.1",
        "items": [{"item_id": "a"}],
    }
    (made,) = ga4.interactions(exported, NOW)
    assert (made.data.user_id, made.time) == ("p.1", datetime(2026, 2, 28, 10, tzinfo=UTC))


def test_ga4_events_without_a_time_are_told_apart_by_their_arrival() -> None:
    message = {"client_id": "c", "events": [{"name": "view_item", "params": {"items": [{"item_id": "a"}]}}]}
    first, second = ga4.interactions(message, NOW), ga4.interactions(message, NOW + timedelta(seconds=1))
    assert first[0].id != second[0].id
    assert first[0].time == NOW


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"events": [{"name": "purchase", "params": {}}]}, "items"),
        ({"events": [{"params": {}}]}, "name"),
        ({"events": {}}, "events"),
        ({"client_id": None}, "user_id or client_id or user_pseudo_id or app_instance_id"),
        ({"timestamp_micros": "soon"}, "timestamp_micros"),
        ({"timestamp_micros": 10**30}, "timestamp_micros"),
    ],
)
def test_a_broken_ga4_message_names_its_field(change: dict[str, Any], field: str) -> None:
    message = {"client_id": "c", "events": [{"name": "view_item", "params": {"items": [{"item_id": "a"}]}}]}
    with pytest.raises(SchemaError) as caught:
        ga4.interactions(message | change, NOW)
    assert caught.value.field == field


SHIRT: dict[str, Any] = {
    "id": 632910392,
    "title": "Linen shirt",
    "vendor": "Acme",
    "product_type": "Shirts",
    "handle": "linen-shirt",
    "status": "active",
    "variants": [
        {
            "price": "59.00",
            "inventory_quantity": 0,
            "inventory_management": "shopify",
            "inventory_policy": "deny",
        },
        {
            "price": "49.90",
            "inventory_quantity": 3,
            "inventory_management": "shopify",
            "inventory_policy": "deny",
        },
    ],
    "images": [{"src": f"https://cdn.example/{n}.jpg"} for n in range(30)],
}


def webhook(topic: str, product: dict[str, Any], currency: str | None = "EUR", id: str = "w-1") -> list[Any]:
    return shopify.product_events(
        topic, product, shop="acme.example", webhook_id=id, triggered_at=NOW, currency=currency
    )


def test_a_created_shopify_product_is_an_upload() -> None:
    (made,) = webhook("products/create", SHIRT)
    assert (made.type, made.subject, made.time) == ("product.uploaded", "632910392", NOW)
    product = made.data
    assert isinstance(product, ProductUploaded)
    assert (product.title, product.brand, product.category) == ("Linen shirt", "Acme", "Shirts")
    assert product.link == "https://acme.example/products/linen-shirt"
    assert product.image_link == "https://cdn.example/0.jpg"
    assert len(product.additional_image_link or ()) == 20
    assert product.price == Price(value=49.9, currency="EUR")
    assert product.availability == "in_stock"
    assert (
        webhook("products/create", SHIRT)[0].id
        == made.id
        != webhook("products/create", SHIRT, id="w-2")[0].id
    )


@pytest.mark.parametrize(
    ("change", "availability"),
    [
        ({"variants": [{"price": "1", "inventory_quantity": 0}]}, "out_of_stock"),
        ({"variants": [{"price": "1", "inventory_quantity": 0, "inventory_policy": "continue"}]}, "in_stock"),
        ({"variants": [{"price": "1", "inventory_quantity": 0, "inventory_management": None}]}, "in_stock"),
        ({"status": "draft"}, "out_of_stock"),
    ],
)
def test_shopify_stock(change: dict[str, Any], availability: str) -> None:
    (made,) = webhook("products/update", SHIRT | change, currency=None)
    assert isinstance(made.data, ProductUpdated)
    assert made.data.availability == availability
    assert "price" not in made.data.model_fields_set


def test_shopify_deletion_a_product_without_photo_and_what_is_wrong() -> None:
    assert webhook("products/delete", {"id": 5})[0].data.id == "5"
    assert webhook("products/create", {"id": 5, "title": "No photo yet", "images": []}) == []
    with pytest.raises(SchemaError, match="field 'topic'"):
        webhook("orders/create", SHIRT)
    with pytest.raises(SchemaError, match=r"field 'variants\.price'"):
        webhook("products/update", SHIRT | {"variants": [{"price": "free"}]})
    with pytest.raises(SchemaError, match="field 'id'"):
        webhook("products/delete", {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = [
    *("type", "event", "properties", "products", "product_id", "userId", "messageId", "timestamp", "events"),
    *("event_name", "items", "item_id", "client_id", "timestamp_micros", "id", "variants", "images", "price"),
]
_TEXTS = ["track", "identify", "Product Viewed", "Order Completed", "view_item", "purchase", "a", "1"]
hostile = st.dictionaries(
    st.sampled_from(_NAMES),
    st.sampled_from(_TEXTS)
    | json_values
    | st.lists(st.dictionaries(st.sampled_from(_NAMES), json_values, max_size=3), max_size=2),
)


@given(hostile)
def test_whatever_comes_is_read_or_refused_by_name(message: dict[str, Any]) -> None:
    for read in (
        lambda: segment.interactions(message, NOW),
        lambda: ga4.interactions(message, NOW),
        lambda: webhook("products/create", message),
    ):
        with contextlib.suppress(SchemaError):  # the only exception there is
            assert all(event.id and event.subject for event in read())


@given(st.text(), st.text(), st.integers(0, 5), st.integers(0, 5))
def test_event_ids_tell_messages_and_places_apart(one: str, other: str, i: int, j: int) -> None:
    assert (event_id("segment", one, i) == event_id("segment", other, j)) == ((one, i) == (other, j))
