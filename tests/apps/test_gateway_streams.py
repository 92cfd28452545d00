"""Event streams: the newest at once, never an older one, nobody waits for anybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_shop import GatewayShop

from streams.gateway import event_stream
from streams.gateway.answers import ShownSet


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[GatewayShop]:
    """Six products of two colours; alice has viewed one."""
    with GatewayShop(tmp_path) as shop:
        for number in range(6):
            colour = (250 - number, 10, 10) if number % 2 else (10, 10, 250 - number)
            shop.shop.upload(f"p{number}", colour, title=f"Product {number}", brand=f"Brand {number}")
        shop.shop.act("product.viewed", "alice", "p0")
        shop.sync()
        yield shop


def sets(events: list[dict[str, str]]) -> list[dict[str, str]]:
    return [event for event in events if event["event"] == "recommendations.updated"]


def view(shop: GatewayShop, product_id: str, user_id: str = "alice") -> None:
    shop.shop.act("product.viewed", user_id, product_id)
    shop.sync()


def test_a_new_subscriber_gets_the_newest_set_at_once_and_then_each_newer_one(shop: GatewayShop) -> None:
    stream = shop.stream("alice")
    [first] = stream.until(sets)
    assert stream.status == 200
    assert stream.answer["content-type"].startswith("text/event-stream")
    assert stream.raw.startswith(b"retry: 1000\n\n")
    assert first["id"] == "1"
    shown = ShownSet.model_validate_json(first["data"])
    assert shown.user_id == "alice"
    assert {item.product_id for item in shown.items} <= {f"p{n}" for n in range(1, 6)}
    view(shop, "p1")
    stream.until(lambda events: len(sets(events)) == 2)
    assert stream.ids() == [1, 2]


def test_it_says_why_with_a_picture(shop: GatewayShop) -> None:
    stream = shop.stream("alice")
    [first] = stream.until(sets)
    item = next(item for item in json.loads(first["data"])["items"] if item["because"])
    assert item["image"] == f"/media/{item['product_id']}.png"
    assert item["photo"] == {"width": 8, "height": 8}
    because = item["because"]
    assert (because["product_id"], because["image"], because["title"]) == ("p0", "/media/p0.png", "Product 0")
    assert because["box_xyxy"] == [0.0, 0.0, 8.0, 8.0]


@pytest.mark.parametrize(("seen", "sent"), [("0", [2]), ("1", [2]), ("2", []), ("7", [])])
def test_a_subscriber_that_was_away_gets_only_what_is_newer(
    shop: GatewayShop, seen: str, sent: list[int]
) -> None:
    view(shop, "p1")
    stream = shop.stream("alice", Last_Event_ID=seen)
    assert stream.ids() == sent
    view(shop, "p2")
    assert stream.ids() == ([*sent, 3] if int(seen) < 3 else [])


def test_after_a_restart_nothing_goes_back(shop: GatewayShop) -> None:
    view(shop, "p1")
    shop.restart()
    stream = shop.stream("alice", Last_Event_ID="2")
    assert stream.ids() == []
    assert shop.gateway.sets.revision("alice") == 2
    view(shop, "p2")
    assert stream.ids() == [3]


def test_a_set_that_is_not_newer_is_dropped(shop: GatewayShop) -> None:
    first = shop.shop.topics.of("recommendations")[0]
    view(shop, "p1")
    stream = shop.stream("alice")
    assert stream.ids() == [2]
    shop.shop.topics.append("recommendations", first.key, first.value, first.headers, first.partition)
    shop.read("recommendations")
    assert stream.ids() == [2]
    assert shop.gateway.sets.revision("alice") == 2


def test_a_slow_subscriber_gets_only_the_newest_and_slows_nobody(shop: GatewayShop) -> None:
    slow, quick = shop.stream("alice"), shop.stream("alice")
    assert slow.ids() == quick.ids() == [1]
    slow.reading.clear()
    for number in range(1, 6):
        view(shop, f"p{number}")
        assert quick.ids() == list(range(1, number + 2))
    slow.reading.set()
    received = slow.ids()
    assert received[-1] == 6
    assert received in ([1, 6], [1, 2, 6])  # one may have been on its way


def test_a_subscriber_that_takes_nothing_is_cut_off(
    shop: GatewayShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "WRITE_WITHIN_S", 0.05)
    stream = shop.stream("alice")
    assert stream.ids() == [1]
    stream.reading.clear()
    view(shop, "p1")
    stream.until(lambda _: stream.ended)
    assert shop.gateway.hub.count == 0


def test_two_shoppers_stay_apart(shop: GatewayShop) -> None:
    alice, bella = shop.stream("alice"), shop.stream("bella")
    view(shop, "p1", "bella")
    for stream, user_id in ((alice, "alice"), (bella, "bella")):
        [event] = stream.until(sets)
        assert json.loads(event["data"])["user_id"] == user_id


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda s: s.publish("product-events", "product.removed", {"id": "p1"}), "removed"),
        (
            lambda s: s.publish(
                "product-events", "product.updated", {"id": "p1", "availability": "out_of_stock"}
            ),
            "out_of_stock",
        ),
    ],
)
def test_a_product_that_is_gone_is_hidden_at_once_and_stays_so(
    shop: GatewayShop, happens: Any, reason: str
) -> None:
    stream = shop.stream("alice")
    [first] = stream.until(sets)
    assert "p1" in products(first)
    happens(shop.shop)
    shop.shop.pump(lambda: any(kind != "garments.indexed" for kind, _ in shop.shop.said()))
    shop.read("garments")
    [_, hidden] = stream.until(lambda events: len(events) == 2)
    assert hidden["event"] == "product.hidden"
    assert "id" not in hidden
    assert json.loads(hidden["data"]) == {"product_id": "p1", "reason": reason}
    newest = shop.get("/v1/shoppers/alice/recommendations", "alice").json()
    assert "p1" not in {item["product_id"] for item in newest["items"]}
    [again] = sets(shop.stream("alice").settle())
    assert "p1" not in products(again)


def test_who_was_away_is_told_what_is_hidden_in_the_set_it_has(shop: GatewayShop) -> None:
    shop.shop.publish("product-events", "product.removed", {"id": "p1"})
    shop.shop.pump(lambda: any(kind == "garments.removed" for kind, _ in shop.shop.said()))
    shop.read("garments")
    events = shop.stream("alice", Last_Event_ID="1").settle()
    assert [event["event"] for event in events] == ["product.hidden"]


def test_a_blocked_product_is_hidden_at_once(shop: GatewayShop) -> None:
    stream = shop.stream("alice")
    stream.until(sets)
    rule = {"id": "r", "action": "block", "brand": "brand 1"}
    record = shop.shop.publish("rules", "rule.set", rule, key="r")
    shop.gateway._rule(record)
    packed = shop.gateway.sets.get("alice")
    assert packed is not None
    shop.gateway.hub.recheck("alice", shop.gateway.showing.current(packed))
    hidden = stream.settle()[1:]
    assert [json.loads(event["data"]) for event in hidden] == [{"product_id": "p1", "reason": "blocked"}]


def test_an_erased_shopper_is_told_once_and_may_begin_anew(shop: GatewayShop) -> None:
    stream = shop.stream("alice")
    stream.until(sets)
    shop.shop.act("user.erased", "alice")
    shop.sync()
    events = stream.settle()
    assert [event["event"] for event in events] == ["recommendations.updated", "shopper.erased"]
    assert json.loads(events[-1]["data"]) == {"user_id": "alice"}
    assert shop.get("/v1/shoppers/alice/recommendations", "alice").status_code == 404
    assert shop.get("/v1/shoppers/alice/interests", "alice").status_code == 404
    view(shop, "p3")
    assert stream.until(lambda events: len(sets(events)) == 2)


def test_a_stream_ends_with_its_token(shop: GatewayShop) -> None:
    headers = {"authorization": f"Bearer {shop.token('alice', seconds=1)}"}
    stream = shop.stream("alice", **headers)
    assert stream.ids() == [1]
    stream.until(lambda _: stream.ended)
    assert shop.gateway.hub.count == 0


def test_a_client_that_leaves_leaves_nothing(shop: GatewayShop) -> None:
    stream = shop.stream("alice")
    stream.until(sets)
    assert shop.gateway.hub.count == 1
    stream.leave()
    assert (shop.gateway.hub.count, shop.gateway.hub.users()) == (0, [])


def test_heartbeats_come_while_nothing_happens(shop: GatewayShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.01)
    stream = shop.stream("nobody")
    stream.until(lambda _: stream.raw.count(b":\n\n") >= 2)


def test_the_token_may_be_in_the_query_of_the_stream_alone(shop: GatewayShop) -> None:
    token = shop.token("alice")
    assert shop.get(f"/v1/shoppers/alice/recommendations?access_token={token}").status_code == 401


def test_a_wrong_last_event_id_is_refused(shop: GatewayShop) -> None:
    stream = shop.stream("alice", Last_Event_ID="newest")
    assert stream.ended
    assert stream.status == 422


def test_one_shopper_has_so_many_streams(shop: GatewayShop) -> None:
    shop.gateway.hub._per_shopper = 2
    streams = [shop.stream("alice") for _ in range(3)]
    assert [stream.status for stream in streams] == [200, 200, 429]


def products(event: dict[str, str]) -> set[str]:
    return {item["product_id"] for item in json.loads(event["data"])["items"]}
