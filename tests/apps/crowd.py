"""The shopper app's agents over several partitions, records delivered in any order that Kafka allows.

In: events, and how to choose what is delivered next. Out: the tables of each partition, and what a search
through all that is kept would find of somebody.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from memory_shop import DIM, EMBEDDER, NOW_S, PARTITIONS, MemoryShop

import models.catalogue as catalogue
from models.catalogue import ProductRecord, Version
from models.taste import state
from models.taste.exclusions import product_key
from models.taste.shopper import Shopper
from schemas.events import RECOMMENDATIONS, read
from schemas.recommendations import RecommendationSet
from streams.agents.update_tastes import UpdateTastes
from streams.agents.wait_for_garments import WaitForGarments
from streams.record import Record, murmur2_partition
from vectorstore.base import GarmentPoint

COMPACTED = ("tastes", "recommendations")
READERS = {
    "interactions": "update",
    "taste-requests": "update",
    "waiting": "wait",
    "garments": "wait",
    "tastes": "recommend",
}
Choose = Callable[[list[tuple[str, int]]], tuple[str, int]]


def first(open_: list[tuple[str, int]]) -> tuple[str, int]:
    """The order without surprises."""
    return open_[0]


class PartitionedTable(MutableMapping[bytes, bytes]):
    """A row is where it was written: on the partition of the record in hand."""

    def __init__(self) -> None:
        self.parts: list[dict[bytes, bytes]] = [{} for _ in range(PARTITIONS)]
        self.at = 0

    def __getitem__(self, key: bytes) -> bytes:
        return self.parts[self.at][key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        assert isinstance(value, bytes)
        self.parts[self.at][key] = value

    def __delitem__(self, key: bytes) -> None:
        del self.parts[self.at][key]

    def __iter__(self) -> Iterator[bytes]:
        return (key for part in self.parts for key in part)

    def items(self) -> Any:
        return [row for part in self.parts for row in part.items()]

    def __len__(self) -> int:
        return sum(map(len, self.parts))


class Crowd(MemoryShop):
    """A shop with products p0, p1, …, all but `late` of them on sale."""

    def __init__(self, products: int = 6, late: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.tastes, self.parked = PartitionedTable(), PartitionedTable()
        self.update = UpdateTastes(
            self.tastes,
            self.store,
            EMBEDDER,
            self.settings,
            self._handling("update"),
            partitions=PARTITIONS,
            popular=self.trending.count,
            erasure_key=b"k" * 32,
            marker_s=86_400.0,
        )
        self.wait = WaitForGarments(self.parked, self.store, 7 * 86_400.0, self._handling("wait"))
        self.cursors: dict[tuple[str, int], int] = {}
        for n in range(products):
            if f"p{n}" not in late:
                self.stock(f"p{n}")

    def stock(self, product_id: str) -> None:
        """Put a product into the index; an event says so where it comes late."""
        rng = np.random.default_rng(int(product_id[1:]))
        embedding = rng.normal(size=DIM).astype(np.float32)
        payload = {
            "part": "upper",
            "in_stock": 1,
            "product_key": product_key(product_id),
            "indexed_at": NOW_S,
            "box_xyxy": [0.0, 0.0, 9.0, 9.0],
            "image": 0,
        }
        garment_id = str(uuid5(NAMESPACE_URL, product_id))
        point = GarmentPoint(garment_id, product_id, embedding / np.linalg.norm(embedding), payload)
        self.store.points[garment_id] = point
        record = ProductRecord(uploaded=Version(NOW_S, 0), newest=Version(NOW_S, 0))
        self.store.records[product_id] = catalogue.pack(record)

    def settle(self, choose: Choose = first, most: int = 2000) -> int:
        """Deliver until nothing is new; returns how many records that took."""
        return asyncio.run(self._settle(choose, most))

    async def _settle(self, choose: Choose, most: int) -> int:
        for count in range(most):
            logs = self.logs()
            open_ = [place for place in sorted(logs) if self.cursors.get(place, 0) < len(logs[place])]
            if not open_:
                return count
            place = choose(open_)
            self.cursors[place] = self.cursors.get(place, 0) + 1
            await self.deliver(logs[place][self.cursors[place] - 1])
        raise AssertionError(f"still something new after {most} records")

    async def deliver(self, record: Record) -> None:
        self.tastes.at = self.parked.at = record.partition
        await super().deliver(record)

    def logs(self) -> dict[tuple[str, int], list[Record]]:
        """The records of each partition that an agent reads."""
        found: dict[tuple[str, int], list[Record]] = {}
        for record in self.topics.log:
            if record.topic in READERS:
                found.setdefault((record.topic, record.partition), []).append(record)
        return found

    def sets(self, user_id: str | None = None) -> list[RecommendationSet]:
        """All sets sent, of one shopper or of all, those of erased ones included."""
        found = []
        for record in self.of_type("recommendations", "recommendations.updated"):
            _, data = read(RECOMMENDATIONS, record.headers, record.value, record.key, record.appended_at)
            if user_id in (None, data.user_id):
                found.append(data)
        return found

    def rewind(self, back: Callable[[tuple[str, int]], int]) -> None:
        """As after a crash: each partition is read again from so many records before."""
        self.cursors = {place: max(0, at - back(place)) for place, at in self.cursors.items()}

    def held(self, user_id: str) -> Shopper | None:
        """The row of a shopper, on the shopper's own partition."""
        packed = self.tastes.parts[murmur2_partition(user_id.encode(), PARTITIONS)].get(user_id.encode())
        return None if packed is None else state.unpack(packed)

    def put(self, user_id: str, shopper: Shopper) -> None:
        """Write a row, as an older version may have left it."""
        key = user_id.encode()
        self.tastes.parts[murmur2_partition(key, PARTITIONS)][key] = state.pack(shopper)

    def everything(self) -> list[tuple[str, bytes]]:
        """(where, bytes) of all that stays once compaction has run and the other topics have expired."""
        kept = []
        for name, table in (("tastes", self.tastes), ("waiting", self.parked)):
            for part in table.parts:
                kept += [(f"table {name}", key + b"\n" + value) for key, value in part.items()]
        newest: dict[tuple[str, bytes], Record] = {}
        for record in self.topics.log:
            if record.topic in COMPACTED:
                newest[record.topic, record.key or b""] = record
        for record in newest.values():
            if record.value is not None:
                headers = b"\n".join(name.encode() + raw for name, raw in record.headers)
                kept.append((f"topic {record.topic}", (record.key or b"") + headers + record.value))
        return kept

    def found(self, *names: str) -> list[str]:
        """Where anything of these ids is still kept, by name or by a plain hash of it."""
        traces: list[bytes] = []
        for name in names:
            raw = name.encode()
            traces += [raw, raw.hex().encode(), *(h(raw).digest() for h in (hashlib.sha256, hashlib.md5))]
        return sorted({where for where, data in self.everything() if any(trace in data for trace in traces)})

    def of_type(self, topic: str, kind: str) -> list[Record]:
        """The records of a topic with that event type."""
        return [r for r in self.topics.of(topic) if ("ce_type", kind.encode()) in r.headers]


def keys_of(shopper: Shopper | None) -> set[tuple[Any, ...]]:
    """What a taste is made of: product, action and time."""
    contributions = () if shopper is None else shopper.taste.contributions
    return {(c.product_id, c.action, round(c.event_time_s, 3)) for c in contributions}
