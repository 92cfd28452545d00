"""Events that flow while something is killed, and what must have come of them.

In: a running shop. Out: `Flow`, a thread of shoppers and uploads; `assert_nothing_lost_or_doubled`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

from drawn_photos import Photos
from kafka import KafkaConsumer, TopicPartition
from running_shop import SOURCE, RunningShop

from models.taste.contributions import TasteSettings
from models.taste.shopper import Act, GarmentSeen, Shopper, acted, key_of
from models.visions import describe
from schemas.cloudevents import parse_time
from schemas.events import PRODUCT_ACTIONS
from streams.kafka.producer import Delivery
from vectorstore.base import GarmentPoint
from vectorstore.open import open_store
from vectorstore.paths import socket_path

RECOVERED_WITHIN_S = 60.0
RATE_HZ = 40.0


class Flow:
    """Shoppers who act and a catalogue that grows, at a modest rate, from a thread of its own."""

    def __init__(self, shop: RunningShop, photos: Photos, seed: int) -> None:
        self.shop, self.photos, self.random = shop, photos, Random(seed)
        self.users = [f"user-{seed}-{n}-{uuid4().hex[:6]}" for n in range(6)]
        self.acts: list[Delivery] = []
        self.uploads: list[Delivery] = []
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

    def burst(self, acts: int) -> None:
        """So many acts at once: more than is handled before whatever comes next."""
        for _ in range(acts):
            self._act()

    def _run(self) -> None:
        while not self._stop.wait(1 / RATE_HZ):
            self._act()
            if self.random.random() < 0.1:
                self._upload()
            self._enough.release()

    def _act(self) -> None:
        action: Any = self.random.choice(PRODUCT_ACTIONS)
        product_id = self.random.choice(self.photos.drawn).product_id
        ago = timedelta(milliseconds=self.random.randrange(864_000_000))
        self.acts.append(
            self.shop.interactions.publish(
                action,
                {"user_id": self.random.choice(self.users), "product_id": product_id},
                event_time=datetime.now(UTC) - ago,
            )
        )

    def _upload(self) -> None:
        product = self.photos.upload(self.random.choice(self.photos.drawn), id=f"new-{uuid4().hex[:12]}")
        self.uploads.append(self.shop.products.uploaded(product))


def accepted(deliveries: list[Delivery]) -> set[tuple[str, str]]:
    """(event id, key) of what the broker acknowledged; waits for what is on its way."""
    return {(d.event_id, d.key) for d in deliveries if d.wait(60.0) and d.failure is None}


def records(shop: RunningShop, topic: str, keys: set[str]) -> list[Any]:
    """What a topic holds under these keys now."""
    consumer = KafkaConsumer(bootstrap_servers=shop.kafka, group_id=None, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: list[Any] = []
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for batch in consumer.poll(timeout_ms=200).values():
                found += [record for record in batch if record.key and record.key.decode() in keys]
        return found
    finally:
        consumer.close()


def garments_of(shop: RunningShop, product_ids: set[str]) -> dict[str, list[GarmentPoint]]:
    """The garments of products, as the index has them."""
    known = describe("lite0")

    async def fetch() -> dict[str, list[GarmentPoint]]:
        store = await open_store(
            url=None,
            api_key=None,
            socket_path=socket_path(shop.data_dir),
            model=known.embedder,
            dim=known.dim,
        )
        try:
            return await store.fetch_products(sorted(product_ids))
        finally:
            await store.close()

    return asyncio.run(fetch())


def expected(shop: RunningShop, flow: Flow) -> dict[str, Shopper]:
    """What the pure core makes of the interactions that the topic holds, each once."""
    acts: dict[str, tuple[str, str, str, float]] = {}
    for record in records(shop, "interactions", set(flow.users)):
        headers, data = dict(record.headers), json.loads(record.value)
        time_s = parse_time(headers["ce_time"].decode()).timestamp()
        what = (data["user_id"], headers["ce_type"].decode(), data["product_id"], time_s)
        acts[headers["ce_id"].decode()] = what
    garments = garments_of(shop, {product_id for _, _, product_id, _ in acts.values()})
    shoppers: dict[str, Shopper] = {}
    for event_id, (user, action, product_id, time_s) in acts.items():
        seen = [GarmentSeen(g.garment_id, g.payload["part"], g.embedding) for g in garments[product_id]]
        worn = [garment for garment in seen if garment.part != "whole"] or seen
        shopper = shoppers.get(user, Shopper(describe("lite0").embedder))
        act = Act(key_of(SOURCE, event_id), action, product_id, time_s)
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
    """Every accepted event counts, once, and is answered; every accepted upload is searchable."""
    observer = shop.observer
    acts, uploads = accepted(flow.acts), {key for _, key in accepted(flow.uploads)}
    assert len(acts) > 20
    observer.wait(
        "every accepted interaction in a set's includes",
        lambda: all(event_id in observer.answers for event_id, _ in acts),
        RECOVERED_WITHIN_S,
    )
    observer.wait(
        "every accepted upload searchable", lambda: uploads <= observer.indexed(), RECOVERED_WITHIN_S
    )
    assert set(garments_of(shop, uploads)) == uploads
    assert observer.dead == []
    shoppers = expected(shop, flow)
    assert shoppers
    for user, shopper in shoppers.items():
        observer.wait(
            f"the taste of {user} that its events make",
            lambda u=user, s=shopper: remembered(observer.shopper(u)) == remembered(s),  # type: ignore[misc]
            10.0,
        )
        assert_last_is_newest(shop, user)


def assert_last_is_newest(shop: RunningShop, user: str) -> None:
    """On both topics a shopper's last record has the highest revision."""
    tastes = [taste.revision for taste, _ in shop.observer.tastes[user]]
    sets = [answer.revision for answer in shop.observer.sets[user]]
    assert tastes[-1] == max(tastes), (user, tastes)
    assert sets[-1] == max(sets), (user, sets)
