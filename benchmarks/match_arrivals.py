"""What it costs to find the shoppers that a new garment is for, and to keep all current sets in memory.

In: how many shoppers and garments. Out: a table, or with --json `{"machine": …, "rows": […]}`: milliseconds
of `nearest_tastes` over the socket and of a whole match, while no centroid is indexed and when all are, with
recall against brute force; how long the owner answers nothing while it builds the index; memory and reading
time of the current sets. The owner's CPU time is told beside: on a busy machine wall time says little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from current_sets import LENGTH, Nowhere, Row, current_sets, record, retract
from numpy.typing import NDArray
from running import cpu_s, machine

from streams.agents.centroids import centroid_id
from streams.agents.match_arrivals import NEAREST, MatchArrivals
from streams.current_sets import CurrentSets
from streams.handling import Handling
from streams.metrics import Metrics
from vectorstore import engine
from vectorstore.base import GarmentPoint, TastePoint
from vectorstore.embedded import EmbeddedStore
from vectorstore.service import serve_vectors

STYLES: Final = 500
PARTS: Final = ("upper", "lower", "footwear", "bag", "full_body", "headwear")
SHARES: Final = (0.38, 0.26, 0.14, 0.08, 0.06, 0.08)
Embeddings = NDArray[np.float32]


class Crowd:
    """Centroids of many shoppers, drawn around styles: (N, dim) embeddings, their parts and shoppers."""

    def __init__(self, shoppers: int, per_shopper: int, dim: int) -> None:
        self.random, self.dim = np.random.default_rng(0), dim
        self.styles = self.random.normal(size=(STYLES, dim)).astype(np.float32)
        self.shoppers, self.per_shopper = shoppers, per_shopper
        self.embeddings = self.draw(shoppers * per_shopper)
        self.parts = self.random.choice(len(PARTS), size=len(self.embeddings), p=SHARES)

    def draw(self, count: int) -> Embeddings:
        """(count, dim) unit embeddings."""
        made = self.styles[self.random.integers(STYLES, size=count)]
        made = made + self.random.normal(size=(count, self.dim)).astype(np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return np.asarray(made, np.float32)

    async def fill(self, store: EmbeddedStore) -> None:
        """Write all centroids, 512 shoppers at a time as index-tastes does in a burst."""
        excluded = " ".join(f"{number:08x}" for number in range(30))
        for start in range(0, self.shoppers, 512):
            tastes = {}
            for shopper in range(start, min(start + 512, self.shoppers)):
                user_id, first = f"shopper-{shopper}", shopper * self.per_shopper
                tastes[user_id] = [
                    TastePoint(
                        centroid_id(user_id, "any", at),
                        user_id,
                        self.embeddings[at],
                        {"part": PARTS[self.parts[at]], "weight": 0.3, "revision": 7, "excluded": excluded},
                    )
                    for at in range(first, first + self.per_shopper)
                ]
            await store.replace_tastes(tastes)


def own(data_dir: Path, socket_path: Path, dim: int, ready: Any) -> None:
    """The store's owner, which builds its index after two seconds of quiet instead of a minute."""
    engine.OPTIMIZE_WHEN_IDLE_S = 2.0  # type: ignore[misc]
    serve_vectors(data_dir, socket_path, model="benchmark", dim=dim, ready=ready.set)


async def nearest(
    store: EmbeddedStore, crowd: Crowd, garments: int, pid: int, measured: Callable[..., None]
) -> None:
    """`nearest_tastes` for new garments of all parts."""
    queries, took_s, found = crowd.draw(garments), [], []
    parts = crowd.random.choice(len(PARTS), size=garments, p=SHARES)
    started_cpu_s = cpu_s(pid)
    for query, part in zip(queries, parts, strict=True):
        started_s = time.perf_counter()
        found.append(await store.nearest_tastes(query, NEAREST, frozenset({PARTS[part]})))
        took_s.append(time.perf_counter() - started_s)
    cpu, recalls = (cpu_s(pid) - started_cpu_s) / garments, []
    for query, part, hits in zip(queries, parts, found, strict=True):
        similarities = np.sort(crowd.embeddings[crowd.parts == part] @ query)[-NEAREST:]
        recalls.append(np.mean([hit.similarity >= similarities[0] - 1e-5 for hit in hits]))
    measured("nearest_tastes", took_s, cpu, recall=float(np.mean(recalls)))


async def match(
    store: EmbeddedStore,
    crowd: Crowd,
    sets: CurrentSets,
    garments: int,
    pid: int,
    measured: Callable[..., None],
) -> None:
    """Whole matches of products with one garment each."""
    agent = MatchArrivals(store, sets, LENGTH, Handling("match-arrivals", Nowhere(), Metrics()))
    took_s, asked, started_cpu_s = [], 0, cpu_s(pid)
    for number, embedding in enumerate(crowd.draw(garments)):
        product_id, part = f"new-{number}", str(crowd.random.choice(PARTS, p=SHARES))
        payload = {"part": part, "in_stock": 1, "product_key": number, "indexed_at": 1.0}
        point = GarmentPoint(centroid_id(product_id, part, 0), product_id, embedding, payload)
        await store.replace_product(product_id, [point])
        data: dict[str, Any] = {"product_id": product_id, "version": {"event_time_s": 1.0, "offset": number}}
        data |= {"garments": [], "detector": "d", "embedder": "e"}
        await agent.handle([record("garments", "garments.indexed", product_id, data)])
        started_s = time.perf_counter()
        await agent.match_next()
        took_s.append(time.perf_counter() - started_s)
        asked = len(agent.requests)
    cpu = (cpu_s(pid) - started_cpu_s) / garments
    measured("match", took_s, cpu, shoppers_asked_for=asked)


async def build(store: EmbeddedStore) -> Row:
    """Leave the store alone until it has built its index; how long it answered nothing."""
    longest_s = 0.0
    for _ in range(300):
        started_s = time.perf_counter()
        await store.count()
        longest_s = max(longest_s, time.perf_counter() - started_s)
        if longest_s > 1.0:
            break
        await asyncio.sleep(0.05)
    return {"system": "lookstream", "scenario": "index build", "silent_s": round(longest_s, 2)}


async def run(shoppers: int, per_shopper: int, garments: int, dim: int) -> list[Row]:
    """All measurements."""
    sets, row = current_sets(shoppers)
    rows, crowd = [row], Crowd(shoppers, per_shopper, dim)
    with tempfile.TemporaryDirectory() as name:
        socket_path = Path(name) / "socket" / "vectors.sock"
        spawning = multiprocessing.get_context("spawn")
        ready = spawning.Event()
        owner = spawning.Process(target=own, args=(Path(name), socket_path, dim, ready))
        owner.start()
        try:
            await asyncio.to_thread(ready.wait, 30.0)
            store = EmbeddedStore(socket_path, model="benchmark", dim=dim, timeout_s=300.0)
            rows.append(await retract(store, sets))
            started_s = time.perf_counter()
            await crowd.fill(store)
            took_s = (time.perf_counter() - started_s) / shoppers
            rows.append({"system": "lookstream", "scenario": "write", "ms_a_shopper": round(1e3 * took_s, 3)})
            pid = owner.pid or 0
            for state in ("nothing indexed", "all indexed"):

                def measured(
                    what: str, took_s: list[float], cpu: float, state: str = state, **more: Any
                ) -> None:
                    p50, p99 = (round(1e3 * float(q), 2) for q in np.percentile(took_s, (50, 99)))
                    named = {"system": "lookstream", "scenario": f"{what}, {state}", "n": len(took_s)}
                    named |= {"centroids": len(crowd.embeddings), "p50_ms": p50, "p99_ms": p99}
                    rows.append(named | {"owner_cpu_ms": round(1e3 * cpu, 2)} | more)

                await nearest(store, crowd, garments, pid, measured)
                await match(store, crowd, sets, garments, pid, measured)
                if state == "nothing indexed":
                    rows.append(await build(store))
            await store.close()
        finally:
            owner.terminate()
            owner.join()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shoppers", type=int, default=100_000)
    parser.add_argument("--per-shopper", type=int, default=3, help="centroids of each")
    parser.add_argument("--garments", type=int, default=200, help="new ones, for each measurement")
    parser.add_argument("--dim", type=int, default=256, help="numbers of an embedding")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = asyncio.run(run(options.shoppers, options.per_shopper, options.garments, options.dim))
    if options.json:
        json.dump({"machine": machine(), "command": " ".join(sys.argv), "rows": rows}, sys.stdout, indent=1)
        print()
        return
    print(machine(), " ".join(sys.argv))
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items() if name != "system"))


if __name__ == "__main__":
    main()
