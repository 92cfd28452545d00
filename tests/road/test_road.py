"""The whole road on a real broker, a real engine and real vision: photos and clicks in, sets out."""

from __future__ import annotations

from typing import Any

import pytest
from drawn_photos import Photos
from running_shop import RunningShop, somebody

pytestmark = pytest.mark.broker


def shown(answer: Any) -> list[tuple[str, float]]:
    return [(item.product_id, item.score) for item in answer.items]


def ids(answer: Any) -> list[str]:
    return [item.product_id for item in answer.items]


def test_up_says_where_everything_is(empty_shop: RunningShop) -> None:
    assert {"kafka", "gateway", "metrics"} <= set(empty_shop.ready)
    assert empty_shop.ready_after_s < 30.0
    assert set(empty_shop.services()) == {"vectors", "broker", "catalogue", "shopper"}


def test_every_photo_is_searchable_and_nothing_is_dead(shop: RunningShop, photos: Photos) -> None:
    uploaded = {product.product_id for product in photos.drawn}
    assert uploaded <= shop.observer.indexed()
    assert [r for r in shop.observer.dead if r.key.decode() in uploaded] == []
    for product in photos.drawn[:3]:
        (said,) = shop.observer.said("garments.indexed", product.product_id)
        assert (said.title, said.price.value) == (product.title, product.price["value"])
        assert [garment.part for garment in said.garments].count("whole") == 1


def test_every_view_changes_the_next_set(shop: RunningShop, photos: Photos) -> None:
    user = somebody()
    before = shop.answered("shopper.arrived", user)
    viewed = (photos.of("shorts") + photos.of("skirt"))[:12]
    for count, product_id in enumerate(viewed, 1):
        event_id = shop.act("product.viewed", user, product_id)
        answer = shop.observer.answer(event_id)
        assert event_id in answer.includes
        assert answer.revision > before.revision
        assert shown(answer) != shown(before), f"view {count} changed nothing"
        assert not set(viewed[:count]) & set(ids(answer))
        assert len(set(ids(answer))) == len(ids(answer)) == 24
        before = answer
    assert before.strategy.startswith("taste")
    reasons = [item.because for item in before.items if item.slot == "taste"]
    assert reasons
    assert all(because.product_id in viewed for because in reasons if because)


def test_an_unknown_shopper_gets_a_trending_set_at_once(shop: RunningShop) -> None:
    answer = shop.answered("shopper.arrived", somebody())
    assert answer.strategy == "trending"
    assert len(answer.items) == 24
    assert {item.slot for item in answer.items} <= {"trending", "fresh"}
    assert all(item.because is None for item in answer.items)


def test_an_early_interaction_is_a_reason_after_its_upload(shop: RunningShop, photos: Photos) -> None:
    user, product_id = somebody("early"), somebody("product")
    event_id = shop.act("product.added_to_cart", user, product_id)
    assert shop.answered("shopper.arrived", user).strategy == "trending"
    assert event_id not in shop.observer.answers
    shop.upload(photos.upload(photos.drawn[0], id=product_id))
    answer = shop.observer.answer(event_id)
    reasons = {(i.because.product_id, i.because.action) for i in answer.items if i.because}
    assert reasons == {(product_id, "product.added_to_cart")}
    assert product_id not in ids(answer)


def test_sold_out_disappears_and_comes_back_unseen_by_the_vision(shop: RunningShop, photos: Photos) -> None:
    user, product_id = somebody(), somebody("product")
    shop.upload(photos.upload(photos.drawn[3], id=product_id))
    view = photos.drawn[3].product_id  # the same picture: it would lead every set
    assert product_id in ids(shop.answered("product.viewed", user, view))[:3]
    embedded = shop.measured("lookstream_stage_seconds_count", stage="embed")

    def stock(availability: str, title: str) -> Any:
        shop.products.updated({"id": product_id, "availability": availability, "title": title})
        return shop.observer.wait(
            f"the product is {availability}",
            lambda: [s for s in shop.observer.said("garments.updated", product_id) if s.title == title],
        )

    assert stock("out_of_stock", "gone")[0].availability == "out_of_stock"
    assert product_id not in ids(shop.answered("shopper.arrived", user))
    stock("in_stock", "back again")
    answer = shop.answered("shopper.arrived", user)
    assert [i.title for i in answer.items if i.product_id == product_id] == ["back again"]
    assert shop.measured("lookstream_stage_seconds_count", stage="embed") == embedded


def test_a_removed_product_comes_back_only_by_a_newer_upload(shop: RunningShop, photos: Photos) -> None:
    from datetime import UTC, datetime, timedelta

    user, product_id = somebody(), somebody("product")
    product, view = photos.upload(photos.drawn[5], id=product_id), photos.drawn[5].product_id
    earlier = datetime.now(UTC) - timedelta(hours=1)
    shop.upload(product)
    assert product_id in ids(shop.answered("product.viewed", user, view))
    shop.products.removed(product_id)
    shop.observer.wait("removed", lambda: shop.observer.said("garments.removed", product_id))
    assert product_id not in ids(shop.answered("shopper.arrived", user))
    shop.products.uploaded(product | {"title": "late"}, event_time=earlier)
    shop.products.updated({"id": product_id, "availability": "in_stock"}, event_time=earlier)
    shop.products.updated({"id": product_id, "title": "after"})
    shop.upload(photos.upload(photos.drawn[6], id=somebody("product")))
    assert product_id not in ids(shop.answered("shopper.arrived", user))
    count = len(shop.observer.said("garments.indexed", product_id))
    shop.products.uploaded(product | {"title": "new"})
    shop.observer.wait(
        "indexed again", lambda: len(shop.observer.said("garments.indexed", product_id)) > count
    )
    answer = shop.answered("shopper.arrived", user)
    assert [i.title for i in answer.items if i.product_id == product_id] == ["new"]
