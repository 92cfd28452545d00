"""Services of a running shop killed while events flow: nothing accepted is lost, nothing counts twice."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from drawn_photos import Photos
from running_shop import RunningShop, is_running, services_below, until

from models.taste.contributions import TasteSettings
from models.taste.shopper import Act, GarmentSeen, Shopper, acted, key_of
from models.visions import describe
from streams.kafka.producer import Delivery
from vectorstore.base import GarmentPoint
from vectorstore.open import open_store
from vectorstore.paths import socket_path

pytestmark = pytest.mark.broker

ACTIONS = (
    *("product.viewed", "product.clicked", "product.added_to_cart", "product.added_to_wishlist"),
    *("product.purchased", "product.dismissed", "product.refunded", "product.removed_from_cart"),
)
RECOVERED_WITHIN_S = 60.0
RATE_HZ = 40.0


class Flow:
    """Shoppers who act and a catalogue that grows, at a modest rate, from a thread of its own."""

    def __init__(self, shop: RunningShop, photos: Photos, seed: int) -> None:
        self.shop, self.photos, self.random = shop, photos, Random(seed)
        self.users = [f"user-{seed}-{n}-{uuid4().hex[:6]}" for n in range(6)]
        self.acts: list[tuple[Delivery, str, str, str, datetime]] = []
        self.uploads: list[tuple[Delivery, str]] = []
        self._stop = threading.Event()
        self._enough = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, acts: int) -> None:
        """Wait until that many acts were sent from now on."""
        for _ in range(acts):
            assert self._enough.acquire(timeout=60.0)

    def accepted(self) -> list[tuple[str, str, str, str, datetime]]:
        """(event id, user, action, product, event time) of the acts that the broker acknowledged."""
        return [(d.event_id, *rest) for d, *rest in self.acts if d.wait(60.0) and d.failure is None]

    def _run(self) -> None:
        while not self._stop.wait(1 / RATE_HZ):
            self._act()
            if self.random.random() < 0.1:
                self._upload()
            self._enough.release()

    def _act(self) -> None:
        user, action = self.random.choice(self.users), self.random.choice(ACTIONS)
        product_id = self.random.choice(self.photos.drawn).product_id
        ago = timedelta(milliseconds=self.random.randrange(864_000_000))
        event_time = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()), UTC) - ago
        data = {"user_id": user, "product_id": product_id}
        delivery = self.shop.interactions.publish(action, data, event_time=event_time)  # type: ignore[arg-type]
        self.acts.append((delivery, user, action, product_id, event_time))

    def _upload(self) -> None:
        product_id = f"new-{uuid4().hex[:12]}"
        product = self.photos.upload(self.random.choice(self.photos.drawn), id=product_id)
        self.uploads.append((self.shop.products.uploaded(product), product_id))


@pytest.fixture(scope="module")
def shop(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with RunningShop(tmp_path_factory.mktemp("killed"), photos.folder) as running:
        running.upload(*map(photos.upload, photos.drawn))
        yield running


def embeddings(shop: RunningShop, product_ids: list[str]) -> dict[str, list[GarmentPoint]]:
    """The garments of products, as the index has them."""
    known = describe("lite0")

    async def fetch() -> dict[str, list[GarmentPoint]]:
        path = socket_path(shop.data_dir)
        store = await open_store(url=None, api_key=None, socket_path=path, model=known.embedder, dim=known.dim)
        try:
            return await store.fetch_products(product_ids)
        finally:
            await store.close()

    return asyncio.run(fetch())


def expected(flow: Flow, garments: dict[str, list[GarmentPoint]]) -> dict[str, Shopper]:
    """What the pure core makes of the accepted acts, in whatever order."""
    shoppers: dict[str, Shopper] = {}
    for event_id, user, action, product_id, event_time in flow.accepted():
        seen = [GarmentSeen(g.garment_id, g.payload["part"], g.embedding) for g in garments[product_id]]
        worn = [garment for garment in seen if garment.part != "whole"] or seen
        act = Act(key_of("test", event_id), action, product_id, event_time.timestamp())
        shopper = shoppers.get(user, Shopper(describe("lite0").embedder))
        shoppers[user] = acted(shopper, act, worn, TasteSettings())
    return shoppers


def remembered(shopper: Shopper) -> Any:
    """Everything that events put into a taste, comparable."""
    return (
        [
            (c.event_key, c.garment_id, c.action, c.event_time_s, c.weight, c.codes.tobytes(), c.scale)
            for c in shopper.taste.contributions
        ],
        shopper.bought,
        shopper.dismissed,
        shopper.seen,
    )


def assert_nothing_lost_or_doubled(shop: RunningShop, flow: Flow) -> None:
    observer = shop.observer
    acts = flow.accepted()
    assert len(acts) > 20
    observer.wait(
        "every accepted interaction in a set's includes",
        lambda: all(event_id in observer.answers for event_id, *_ in acts),
        RECOVERED_WITHIN_S,
    )
    uploads = {product_id for delivery, product_id in flow.uploads if delivery.wait(60.0)}
    observer.wait(
        "every accepted upload searchable", lambda: uploads <= observer.indexed(), RECOVERED_WITHIN_S
    )
    assert set(embeddings(shop, sorted(uploads))) == uploads
    assert observer.dead == []
    garments = embeddings(shop, sorted({product_id for *_, product_id, _ in acts}))
    for user, shopper in expected(flow, garments).items():
        assert remembered(observer.shopper(user)) == remembered(shopper), user
        assert_last_is_newest(shop, user)


def assert_last_is_newest(shop: RunningShop, user: str) -> None:
    """On both topics a shopper's last record has the highest revision."""
    for revisions in (
        [taste.revision for taste, _ in shop.observer.tastes[user]],
        [answer.revision for answer in shop.observer.sets[user]],
    ):
        assert revisions[-1] == max(revisions), (user, revisions)


@pytest.mark.parametrize("service", ["shopper", "catalogue", "vectors", "broker"])
def test_a_killed_service_loses_nothing(shop: RunningShop, photos: Photos, service: str) -> None:
    killed = shop.services()[service]
    with Flow(shop, photos, seed=len(service)) as flow:
        flow.wait_for(30)
        os.kill(killed, signal.SIGKILL)
        flow.wait_for(40)
        until(f"{service} runs again", lambda: shop.services().get(service) not in (None, killed))
        flow.wait_for(20)
    assert_nothing_lost_or_doubled(shop, flow)
