"""The real services for a benchmark: embedded Kafka and Qdrant, the shopper's worker, a drawn-up index.

In: an empty directory, how many products and shoppers. Out: `Road`, a context manager with clients to publish
through, and what the topics say with the broker's own times. Embeddings are drawn around styles (as
`match_arrivals` draws them), so no photo is looked at: the catalogue's worker is idle or, by default, absent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from models.catalogue import ProductRecord, Version, pack
from models.taste.exclusions import product_key
from schemas.cloudevents import Event, parse_json, write_event
from streams.kafka.broker import EmbeddedBroker
from streams.services import open_configured_store
from streams.settings import Settings
from streams.supervisor import Child
from vectorstore.base import GarmentPoint, VectorStore

PARTS: Final = ("upper", "lower", "footwear", "bag", "full_body", "headwear")
STYLES: Final = 60
READY_WITHIN_S: Final = 60.0
Row = dict[str, Any]


@dataclass(slots=True)
class Answers:
    """What came out: per event id the broker's time of its first set, and every set with its time."""

    answered_s: dict[str, float] = field(default_factory=dict)
    sets: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)

    def take_in(self, record: Any) -> None:
        """Read a record of `recommendations`."""
        if record.value is None or ("ce_type", b"recommendations.updated") not in record.headers:
            return
        appended_s, data = record.timestamp / 1000, parse_json(record.value)
        for event_id in data["includes"]:
            self.answered_s.setdefault(event_id, appended_s)
        products = {item["product_id"] for item in data["items"]}
        kept = {"products": products, "trigger": data["trigger"], "revision": data["revision"]}
        self.sets.append((appended_s, data["user_id"], kept))


class Road:
    """Services in `directory`; `products` of `garments` each in the index."""

    def __init__(
        self, directory: Path, *, products: int, garments: int = 2, catalogue: bool = False, **more: Any
    ) -> None:
        self.settings = Settings(data_dir=directory, **more)
        self.products, self.garments = [f"sku-{n}" for n in range(products)], garments
        self.random = np.random.default_rng(0)
        self.apps = ("shopper", "catalogue") if catalogue else ("shopper",)
        self.answers, self.store = Answers(), None
        self.children: list[Child] = []
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Road:
        try:
            await self._start()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _start(self) -> None:
        broker = EmbeddedBroker(self.settings.data_dir)
        self.kafka = await asyncio.to_thread(broker.start)
        self._open.callback(broker.stop)
        self.settings = self.settings.model_copy(update={"kafka": self.kafka})
        await self._run("vectors", "vectors")
        self.store = await open_configured_store(self.settings)
        self._open.push_async_callback(self.store.close)
        await self._fill(self.store)
        for app in self.apps:
            await self._run(f"worker-{app}", "worker", app)
        self.producer = AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all", linger_ms=0)
        await self.producer.start()
        self._open.push_async_callback(self.producer.stop)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=None)
        await self._consumer.start()
        self._open.push_async_callback(self._consumer.stop)
        self._assign()
        following = asyncio.create_task(self._follow())
        self._open.callback(following.cancel)

    def _assign(self) -> None:
        self._consumer.assign([TopicPartition("recommendations", n) for n in range(self.settings.partitions)])

    async def _run(self, name: str, *arguments: str) -> Child:
        child = Child(name, list(arguments), self.settings)
        self.children.append(child)
        child.start()
        self._open.callback(child.stop)
        deadline_s = time.monotonic() + READY_WITHIN_S
        while child.ready is None:
            if not child.alive() or time.monotonic() > deadline_s:
                raise RuntimeError(f"{name} did not start: {child.last_words()}")
            await asyncio.sleep(0.05)
        return child

    async def _fill(self, store: VectorStore) -> None:
        """Write products around styles straight into the index."""
        info = await store.info()
        styles = self.random.normal(size=(STYLES, info.dim)).astype(np.float32)
        for number, product_id in enumerate(self.products):
            drawn = styles[number % STYLES] + self.random.normal(size=(self.garments, info.dim))
            drawn = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
            await store.replace_product(product_id, list(_points(product_id, number, drawn)))
            await store.put_records({product_id: _record(product_id)})

    async def _follow(self) -> None:
        async for record in self._consumer:
            self.answers.take_in(record)

    async def publish(self, kind: str, key: str, data: Any, topic: str = "interactions") -> tuple[str, Any]:
        """An event under way: its id and a future of the record's metadata."""
        event_id = str(uuid4())
        headers, value = write_event(Event(event_id, "benchmark", kind, datetime.now(UTC), data, key))
        return event_id, await self.producer.send(topic, value, key.encode(), headers=headers)

    async def ends(self, topic: str) -> int:
        """How many records a topic has had, over all partitions."""
        places = [TopicPartition(topic, n) for n in range(self.settings.partitions)]
        return sum((await self._consumer.end_offsets(places)).values())

    async def answered(self, ids: Sequence[str], within_s: float = 200.0) -> None:
        """Return when every event is in a set."""
        deadline_s = time.monotonic() + within_s
        while missing := [event_id for event_id in ids if event_id not in self.answers.answered_s]:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{len(missing)} of {len(ids)} events have no set after {within_s:g} s")
            await asyncio.sleep(0.05)


def _points(product_id: str, number: int, embeddings: Any) -> Iterator[GarmentPoint]:
    parts = ["whole", *(PARTS[(number + n) % len(PARTS)] for n in range(len(embeddings) - 1))]
    shown = {"in_stock": 1, "product_key": product_key(product_id), "indexed_at": 1e9 + number}
    shown |= {"title": f"A garment of some length {number}", "link": f"https://shop.example/{product_id}"}
    shown |= {"image_link": f"{product_id}.jpg", "category": "shirts", "box_xyxy": [0.0, 0.0, 640.0, 800.0]}
    for part, embedding in zip(parts, embeddings, strict=True):
        payload = {**shown, "part": part, "image": 0, "score": 0.9}
        yield GarmentPoint(str(uuid4()), product_id, embedding, payload)


def _record(product_id: str) -> bytes:
    version = Version(1e9, 0)
    fields = {"image_link": (f"{product_id}.jpg", version)}
    return pack(ProductRecord(uploaded=version, newest=version, fields=fields))


def machine() -> dict[str, Any]:
    """What this runs on."""
    return {
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far; nan where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print what was measured, with the machine and the command."""
    command = " ".join(sys.argv)
    if as_json:
        print(json.dumps({"machine": machine(), "command": command, "rows": rows}, indent=1))
        return
    print(machine(), command)
    for row in rows:
        print("  ".join(f"{n} {v:.4g}" if isinstance(v, float) else f"{n} {v}" for n, v in row.items()))
