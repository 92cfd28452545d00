"""Another embedder: tastes are rebuilt from their products when first touched; no set is empty meanwhile."""

from __future__ import annotations

import asyncio
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pytest
from crowd import Crowd
from memory_shop import EMBEDDER, MODEL, NOW_S
from test_identities import OTHER, USER, Act, publish

from models.taste.contributions import TasteSettings
from models.taste.exclusions import product_key
from models.taste.shopper import Shopper
from schemas.recommendations import ModelNames, Trigger
from schemas.requests import TasteRequested
from vectorstore.base import GarmentPoint

NEXT, NEXT_DIM, PRODUCTS = "colours-2", 12, 12


class NextCrowd(Crowd):
    """The same shoppers under another embedder, whose index fills product by product."""

    def __init__(self, before: Crowd) -> None:
        super().__init__(products=0)
        self.tastes.parts, self.topics, self.cursors = before.tastes.parts, before.topics, before.cursors
        for agent in (self.update, self.wait, self.recommend):
            agent.outbox = agent.handling.outbox = self.topics
        self.update.identities.outbox = self.topics
        self.store._model, self.store._dim = NEXT, NEXT_DIM
        self.update.embedder = NEXT
        self.recommend.model = ModelNames(detector=MODEL.detector, embedder=NEXT)

    def stock(self, product_id: str) -> None:
        super().stock(product_id)
        garment_id = str(uuid5(NAMESPACE_URL, product_id))
        old = self.store.points[garment_id]
        embedding = embedding_of(product_id)
        self.store.points[garment_id] = GarmentPoint(garment_id, product_id, embedding, old.payload)


def embedding_of(product_id: str) -> np.ndarray:
    drawn = np.random.default_rng(1000 + int(product_id[1:])).normal(size=NEXT_DIM)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def shop_before(*viewed: int) -> Crowd:
    shop = Crowd(products=PRODUCTS)
    publish(shop, [Act(USER, product, 10 * n) for n, product in enumerate(viewed)])
    publish(shop, [Act(OTHER, product, n) for n, product in enumerate((8, 9, 10))], 500)
    shop.settle()
    return shop


def after_change(before: Crowd, *indexed: int) -> NextCrowd:
    shop = NextCrowd(before)
    for n in indexed:
        shop.stock(f"p{n}")
    return shop


def arrive(shop: Crowd, name: str) -> list[tuple[str, str | None]]:
    """(product, reason) of the set that answers an arrival."""
    shop.act("shopper.arrived", USER, event_id=name)
    shop.settle()
    (answer,) = [answer for answer in shop.sets(USER) if name in answer.includes]
    assert answer.model.embedder == shop.update.embedder
    return [(item.product_id, item.because and item.because.product_id) for item in answer.items]


def row(shop: Crowd) -> Shopper:
    held = shop.held(USER)
    assert held is not None
    return held


def reasons(items: list[tuple[str, str | None]]) -> set[str]:
    return {why for _, why in items if why}


def test_a_taste_is_rebuilt_when_it_is_first_touched() -> None:
    before = shop_before(0, 1, 2)
    shop = after_change(before, *range(PRODUCTS))
    old = row(shop)
    items = arrive(shop, "first")
    new = row(shop)
    assert (old.embedder, new.embedder) == (EMBEDDER, NEXT)
    assert [c.key for c in new.taste.contributions] == [c.key for c in old.taste.contributions]
    assert [c.weight for c in new.taste.contributions] == [c.weight for c in old.taste.contributions]
    for c in new.taste.contributions:
        assert float(c.embedding @ embedding_of(c.product_id)) > 0.97
    assert set() < reasons(items) <= {"p0", "p1", "p2"}
    assert not {"p0", "p1", "p2"} & {product for product, _ in items}
    other = shop.held(OTHER)
    assert other is not None
    assert other.embedder == EMBEDDER  # not touched yet


def test_what_is_not_found_yet_is_looked_for_again_at_every_touch() -> None:
    shop = after_change(shop_before(0, 1, 2), 2, *range(6, PRODUCTS))
    assert reasons(arrive(shop, "first")) == {"p2"}
    missing = {c.product_id for c in row(shop).taste.contributions if c.scale == 0.0}
    assert missing == {"p0", "p1"}
    shop.stock("p1")
    assert reasons(arrive(shop, "second")) <= {"p1", "p2"}
    assert {c.product_id for c in row(shop).taste.contributions if c.scale == 0.0} == {"p0"}
    shop.stock("p0")
    calls = len(shop.store.calls)
    assert reasons(arrive(shop, "third")) <= {"p0", "p1", "p2"}
    assert all(c.scale != 0.0 for c in row(shop).taste.contributions)
    assert "fetch_products" in shop.store.calls[calls:]


def test_while_nothing_is_found_sets_are_full_of_what_is_trending_or_new() -> None:
    shop = after_change(shop_before(0, 1, 2), *range(6, PRODUCTS))
    items = arrive(shop, "first")
    assert len(items) == PRODUCTS - 6
    assert reasons(items) == set()
    assert shop.sets(USER)[-1].strategy == "trending"
    shop.stock("p0")
    assert reasons(arrive(shop, "second")) == {"p0"}


def test_a_taste_that_was_on_its_way_when_the_embedder_changed_gets_a_set_all_the_same() -> None:
    before = Crowd(products=PRODUCTS)
    publish(before, [Act(USER, 1, 0)])
    # It stops between the taste and its set.
    before.settle(lambda open_: min(open_, key=lambda place: place[0] == "tastes"), most=2000)
    shop = after_change(before, *range(PRODUCTS))
    shop.cursors = {place: 0 if place[0] == "tastes" else at for place, at in shop.cursors.items()}
    count = len(shop.sets(USER))
    shop.settle()
    answer = shop.sets(USER)[count]
    assert (answer.strategy, answer.model.embedder) == ("trending", NEXT)
    assert answer.items


def test_new_views_lead_while_the_old_ones_are_missing_and_join_them_later() -> None:
    shop = after_change(shop_before(0, 1), *range(4, PRODUCTS))
    publish(shop, [Act(USER, 4, 2000)], 100)
    shop.settle()
    assert reasons(arrive(shop, "first")) == {"p4"}
    shop.stock("p0")
    shop.stock("p1")
    arrive(shop, "second")
    found = {c.product_id for c in row(shop).taste.contributions if c.scale > 0}
    assert found == {"p0", "p1", "p4"}


def test_exclusions_profile_and_revision_stay() -> None:
    before = shop_before(0, 1, 2)
    before.act("shopper.arrived", USER, event_id="said", gender="female")
    before.settle()
    shop = after_change(before, *range(6, PRODUCTS))
    old = row(shop)
    arrive(shop, "first")
    new = row(shop)
    assert (new.seen, new.gender, new.revision) == (old.seen, "female", old.revision + 1)
    assert new.excluded == sorted(product_key(f"p{n}") for n in (0, 1, 2))


def test_sums_of_the_other_embedder_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Crowd(products=PRODUCTS)
    before.update.settings = TasteSettings(capacity=2)
    publish(before, [Act(USER, n, n) for n in range(4)])
    before.settle()
    assert row(before).taste.forgotten is not None
    shop = after_change(before, *range(PRODUCTS))
    shop.update.settings = TasteSettings(capacity=2)
    arrive(shop, "first")
    assert row(shop).taste.forgotten is None
    assert len(row(shop).taste.contributions) == 2


def test_a_request_for_a_new_set_is_a_touch_too() -> None:
    shop = after_change(shop_before(0, 1, 2), *range(PRODUCTS))
    trigger = Trigger(type="garments.indexed", id="1", time=shop.topics.log[-1].appended_at)
    asked = TasteRequested(user_id=USER, trigger=trigger)
    shop.publish("taste-requests", "taste.requested", asked.model_dump(mode="json"))
    shop.settle()
    assert row(shop).embedder == NEXT
    assert shop.sets(USER)[-1].trigger.type == "garments.indexed"
    assert {item.slot for item in shop.sets(USER)[-1].items} >= {"taste"}


def test_nothing_is_fetched_for_a_taste_that_is_whole() -> None:
    shop = Crowd(products=PRODUCTS)
    publish(shop, [Act(USER, 1, 0)])
    shop.settle()
    shop.store.calls.clear()
    asyncio.run(shop.deliver(shop.act("shopper.arrived", USER, time_s=NOW_S)))
    assert row(shop).revision == 2
    assert shop.store.calls == []
