"""The right set the moment something changes: what is new finds its shoppers, what is gone leaves."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from drawn_photos import Photos
from running_shop import RunningShop, somebody, until

pytestmark = pytest.mark.broker


def ids(answer: Any) -> list[str]:
    return [item.product_id for item in answer.items]


def copy_of(photos: Photos, product_id: str) -> dict[str, Any]:
    """An upload of the same photo under an id of its own."""
    (drawn,) = [product for product in photos.drawn if product.product_id == product_id]
    return photos.upload(drawn, id=somebody("copy"))


def shoppers_of(shop: RunningShop, products: list[str], count: int) -> list[str]:
    """New shoppers who viewed these products, once their sets have come and their centroids are written."""
    users = [somebody() for _ in range(count)]
    last = [shop.act("product.viewed", user, product) for user in users for product in products]
    for event_id in last:
        shop.observer.answer(event_id)

    def indexed() -> bool:
        read = [shop.measured("lookstream_events_in_total", agent=a) for a in ("index-tastes", "recommend")]
        return read[0] == read[1] >= len(last)  # a page without them has none of either

    until("all tastes indexed", indexed)
    return users


def because_of(shop: RunningShop, event_id: str, users: list[str]) -> dict[str, Any]:
    """User → the set that has this event as its trigger."""
    return {
        user: answer for user in users for answer in shop.observer.sets[user] if answer.trigger.id == event_id
    }


def event_of(shop: RunningShop, kind: str, product_id: str) -> str:
    """The id of the one event of a kind about a product."""
    found = shop.observer.wait(
        f"{kind} of {product_id}",
        lambda: [e.id for e, d in shop.observer.garments if (e.type, d.product_id) == (kind, product_id)],
    )
    assert len(found) == 1
    return str(found[0])


def test_a_new_garment_finds_its_shopper_and_no_other(shop: RunningShop, photos: Photos) -> None:
    (likes_shorts,) = shoppers_of(shop, photos.of("shorts")[:3], 1)
    (likes_dresses,) = shoppers_of(shop, photos.of("long_sleeve_dress")[:3], 1)
    only_arrived = somebody()
    shop.answered("shopper.arrived", only_arrived)
    everybody = [likes_shorts, likes_dresses, only_arrived]
    assert all(len(shop.observer.sets[user][-1].items) == 24 for user in everybody)
    new = copy_of(photos, photos.of("shorts")[0])
    sent_s = time.monotonic()
    shop.products.uploaded(new)
    shop.products.flush()
    event_id = event_of(shop, "garments.indexed", new["id"])
    (answer,) = shop.observer.wait(
        "the shopper's set", lambda: because_of(shop, event_id, [likes_shorts]), timeout_s=5.0
    ).values()
    assert time.monotonic() - sent_s < 2.0
    assert (answer.trigger.type, answer.includes) == ("garments.indexed", [event_id])
    assert new["id"] in ids(answer)
    assert {item.product_id: item.slot for item in answer.items}[new["id"]] == "taste"
    shop.upload(copy_of(photos, photos.of("bag")[0]))  # whatever else there were would have come by then
    assert set(because_of(shop, event_id, everybody)) == {likes_shorts}


@pytest.mark.parametrize("ends", ["updated", "removed"])
def test_what_is_gone_leaves_exactly_the_sets_that_hold_it(
    shop: RunningShop, photos: Photos, ends: str
) -> None:
    product = copy_of(photos, photos.of("skirt")[0])
    shop.upload(product)
    everybody = shoppers_of(shop, photos.of("skirt")[:2], 12) + shoppers_of(shop, photos.of("bag")[:2], 4)
    holders = [user for user in everybody if product["id"] in ids(shop.observer.sets[user][-1])]
    assert len(holders) >= 12
    if ends == "removed":
        shop.products.removed(product["id"])
    else:
        shop.products.updated({"id": product["id"], "availability": "out_of_stock"})
    event_id = event_of(shop, f"garments.{ends}", product["id"])
    shop.observer.wait(
        f"{len(holders)} sets without it",
        lambda: set(because_of(shop, event_id, holders)) == set(holders),
        timeout_s=10.0,
    )
    again = because_of(shop, event_id, everybody)
    assert set(again) == set(holders)
    for answer in again.values():
        assert (answer.trigger.type, answer.includes) == (f"garments.{ends}", [event_id])
        assert product["id"] not in ids(answer)
        assert len(answer.items) == 24


def test_a_dismissed_product_leaves_the_set_at_once(shop: RunningShop, photos: Photos) -> None:
    (user,) = shoppers_of(shop, photos.of("skirt")[:2], 1)
    dismissed = ids(shop.observer.sets[user][-1])[0]
    answer = shop.answered("product.dismissed", user, dismissed)
    assert dismissed not in ids(answer)


def test_what_went_while_nobody_looked_is_retracted_after_a_restart(
    shop: RunningShop, photos: Photos
) -> None:
    product = copy_of(photos, photos.of("skirt")[1])
    shop.upload(product)
    holders = [
        user
        for user in shoppers_of(shop, photos.of("skirt")[:2], 3)
        if product["id"] in ids(shop.observer.sets[user][-1])
    ]
    assert holders
    os.kill(shop.services()["shopper"], signal.SIGKILL)
    shop.products.removed(product["id"])
    event_of(shop, "garments.removed", product["id"])
    shop.observer.wait(
        "sets without it",
        lambda: all(product["id"] not in ids(shop.observer.sets[user][-1]) for user in holders),
        timeout_s=60.0,
    )
    # What triggered the last set may also be a view that the kill had redelivered after the removal.
