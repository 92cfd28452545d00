"""Full sets of many shoppers, what reading and keeping them costs, and how fast retract asks for new ones.

In: how many shoppers. Out: the sets, and rows for the table of `match_arrivals`.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas.cloudevents import Event, write_event
from streams.agents.retract import Retract
from streams.current_sets import CurrentSets
from streams.handling import Handling
from streams.metrics import Metrics
from streams.record import Record
from vectorstore.base import VectorStore

LENGTH: Final = 24
PRODUCTS: Final = 20_000
Row = dict[str, Any]


class Nowhere:
    """An outbox that keeps nothing."""

    async def send(self, *_: Any, **__: Any) -> None:
        return None


def record(topic: str, kind: str, key: str, data: Any) -> Record:
    event = Event(f"{kind}:{key}", "benchmark", kind, datetime.now(UTC), data, key)
    headers, value = write_event(event)
    return Record(topic, 0, 0, key.encode(), value, tuple(headers), event.time.timestamp())


def resident_mb() -> float:
    """This process's resident memory; nan where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def current_sets(shoppers: int) -> tuple[CurrentSets, Row]:
    """Full sets of all shoppers, as recommend writes them, and what reading and keeping them costs."""
    random, sets = np.random.default_rng(1), CurrentSets()
    shown: Row = {"part": "upper", "garment_id": "g" * 36, "category": "shirt", "slot": "taste"}
    shown |= {"title": "A shirt of some length", "link": "https://shop.example/products/1"}
    shown |= {"because": {"product_id": "sku-1", "garment_id": "g" * 36, "action": "product.viewed"}}
    before_mb, took_s = resident_mb(), 0.0
    for shopper in range(shoppers):
        numbers = (random.zipf(1.3, size=2 * LENGTH) % PRODUCTS).tolist()
        products = list(dict.fromkeys([*numbers, *random.integers(PRODUCTS, size=LENGTH).tolist()]))[:LENGTH]
        items = [
            shown | {"rank": rank, "product_id": f"sku-{number}", "score": 0.6 - rank / 50}
            for rank, number in enumerate(products, 1)
        ]
        user_id = f"shopper-{shopper}"
        data = {"user_id": user_id, "revision": 7, "latency_ms": 30.0, "items": items}
        said = record("recommendations", "recommendations.updated", user_id, data)
        started_s = time.perf_counter()
        sets.read(said)
        took_s += time.perf_counter() - started_s
    row: Row = {"system": "lookstream", "scenario": "current sets", "shoppers": shoppers}
    row |= {"resident_mb": round(resident_mb() - before_mb, 1)}
    return sets, row | {"read_us_a_set": round(1e6 * took_s / shoppers, 1)}


async def retract(store: VectorStore, sets: CurrentSets) -> Row:
    """What the agent alone can ask for when a product that most hold is gone, were sets back at once."""
    agent = Retract(store, sets, lambda: {0}, Handling("retract", Nowhere(), Metrics()))
    version = {"event_time_s": 1.0, "offset": 1}
    gone = record("garments", "garments.removed", "sku-1", {"product_id": "sku-1", "version": version})
    started_s = time.perf_counter()
    agent.garment(gone)
    found_s, holders = time.perf_counter() - started_s, sets.users("sku-1")
    started_s = time.perf_counter()
    answered = 0
    while answered < len(holders):
        await agent.requests.send_due()
        sent = len(holders) - len(agent.requests)  # they are sent in the order in which they were found
        for user_id in holders[answered:sent]:
            agent.requests.answered(user_id)
        answered = sent
    took_s = time.perf_counter() - started_s
    row: Row = {"system": "lookstream", "scenario": "retract", "holders": len(holders)}
    return row | {"found_ms": round(1e3 * found_s, 1), "requests_a_s": round(len(holders) / took_s)}
