"""Sets, garments and shoppers for the tests of the agents that look at current sets; fakes and a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.cloudevents import Event, parse_json, write_event
from streams.current_sets import CurrentSets
from streams.handling import Handling
from streams.metrics import Metrics
from streams.record import Header, Record
from vectorstore.base import GarmentPoint, TasteHit, TastePoint

TIME = datetime(2026, 5, 1, 12, tzinfo=UTC)
DIM = 8
AXES = np.eye(DIM, dtype=np.float32)


def toward(axis: int, other: int, similarity: float) -> NDArray[np.float32]:
    """A unit embedding (DIM,) with this cosine to `axis`, the rest along `other`."""
    leaning = similarity * AXES[axis] + np.sqrt(1 - similarity**2) * AXES[other]
    return leaning.astype(np.float32)


class Clock:
    """Monotonic seconds that pass when told, or when somebody pauses."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.pauses: list[float] = []
        self._more = asyncio.Event()

    def __call__(self) -> float:
        return self.now_s

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds
        self._more.set()
        await asyncio.sleep(0)

    async def paused(self, times: int) -> None:
        """Returns once there were so many pauses."""
        while len(self.pauses) < times:
            await self._more.wait()
            self._more.clear()


class Sent:
    """An outbox that remembers, or fails as often as told."""

    def __init__(self) -> None:
        self.failures = 0
        self.records: list[tuple[str, bytes | None, bytes | None, list[Header]]] = []
        self._more = asyncio.Event()

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the broker is away")
        self.records.append((topic, key, value, list(headers)))
        self._more.set()

    async def has(self, count: int) -> None:
        """Returns once so many records are there."""
        while len(self.records) < count:
            await self._more.wait()
            self._more.clear()

    def requests(self) -> list[tuple[str, str, str]]:
        """(user id, trigger type, trigger id) of every request so far, which are then forgotten."""
        found = []
        for topic, key, value, headers in self.records:
            assert topic == "taste-requests"
            assert ("ce_type", b"taste.requested") in headers
            data = parse_json(value or b"")
            assert data["user_id"].encode() == key
            found.append((data["user_id"], data["trigger"]["type"], data["trigger"]["id"]))
        self.records.clear()
        return found


class Store:
    """As much of a vector store as these agents use, in memory."""

    def __init__(self, failures: Sequence[Exception] = ()) -> None:
        self.products: dict[str, list[GarmentPoint]] = {}
        self.tastes: dict[str, list[TastePoint]] = {}
        self.failures = list(failures)
        self.written: list[dict[str, list[TastePoint]]] = []
        self.asked: list[tuple[int, frozenset[str] | None]] = []

    async def fetch_products(self, product_ids: Sequence[str]) -> dict[str, list[GarmentPoint]]:
        self._fail()
        return {pid: self.products[pid] for pid in product_ids if pid in self.products}

    async def replace_tastes(self, tastes: Mapping[str, Sequence[TastePoint]]) -> None:
        self._fail(tastes)
        self.written.append({user_id: list(points) for user_id, points in tastes.items()})
        self.tastes |= self.written[-1]

    async def nearest_tastes(
        self, embedding: NDArray[np.float32], k: int, parts: frozenset[str] | None = None
    ) -> list[TasteHit]:
        self._fail()
        self.asked.append((k, parts))
        hits = [
            TasteHit(p.taste_id, p.user_id, float(p.embedding @ embedding), p.payload)
            for points in self.tastes.values()
            for p in points
            if parts is None or p.payload["part"] in parts
        ]
        return sorted(hits, key=lambda hit: -hit.similarity)[:k]

    def _fail(self, tastes: Mapping[str, Any] | None = None) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if tastes is not None and "poison" in tastes:
            raise ValueError("poison")


def handling(outbox: Sent, agent: str = "agent", **errors: Any) -> Handling:
    async def no_pause(_: float) -> None:
        return None

    return Handling(agent, outbox, Metrics(), pause=no_pause, **errors)


def garment(product_id: str, embedding: NDArray[np.float32], part: str = "upper", **payload: Any) -> Any:
    held = {"part": part, "in_stock": 1, "product_key": 1, "indexed_at": 1.0} | payload
    return GarmentPoint(f"{product_id}/{part}", product_id, embedding, held)


def as_record(topic: str, kind: str, key: str, data: Any, *, offset: int = 0, partition: int = 0) -> Record:
    """The record of a CloudEvent whose id is `kind:key:offset`."""
    event = Event(f"{kind}:{key}:{offset}", "test", kind, TIME, data, key, {"traceparent": f"trace-{key}"})
    headers, value = write_event(event)
    return Record(topic, partition, offset, key.encode(), value, tuple(headers), TIME.timestamp())


def garment_event(kind: str, product_id: str, *, offset: int = 0, **more: Any) -> Record:
    """`indexed`, `updated` or `removed` on `garments`."""
    data: dict[str, Any] = {"product_id": product_id, "version": {"event_time_s": 1.0, "offset": offset}}
    if kind == "indexed":
        data |= {"garments": [], "detector": "d", "embedder": "e"}
    return as_record("garments", f"garments.{kind}", product_id, data | more, offset=offset)


def set_record(
    user_id: str,
    revision: int,
    items: Sequence[str | tuple[str, float, str, str]],
    *,
    partition: int = 0,
    asked_s: float = 0.0,
) -> Record:
    """A set, asked for so long after TIME; an item is a product id, or (product id, score, part, slot)."""
    rows = [item if isinstance(item, tuple) else (item, 0.5, "upper", "taste") for item in items]
    data = {
        "user_id": user_id,
        "revision": revision,
        "latency_ms": 250.0,
        "items": [
            {"rank": rank, "product_id": product_id, "score": score, "part": part, "slot": slot}
            for rank, (product_id, score, part, slot) in enumerate(rows, 1)
        ],
    }
    kind = "recommendations.updated"
    record = as_record("recommendations", kind, user_id, data, offset=revision, partition=partition)
    return replace(record, appended_at_s=TIME.timestamp() + asked_s + 0.25)


def holding(**sets: Sequence[str | tuple[str, float, str, str]]) -> CurrentSets:
    """Current sets by user id, all of revision 1 on partition 0."""
    current = CurrentSets()
    for user_id, items in sets.items():
        current.read(set_record(user_id, 1, items))
    return current
