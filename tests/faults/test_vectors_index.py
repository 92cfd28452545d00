"""The owner's work in quiet moments: flushing, and an index once brute force would take too long."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from vectorstore import engine as engine_module
from vectorstore.base import GarmentPoint, GarmentQuery
from vectorstore.engine import Engine
from vectorstore.shard import UNINDEXED_LIMIT, Shard

DIM = 256
COUNT = UNINDEXED_LIMIT + 100
QUERIES = 30


def test_large_catalogues_are_indexed_when_nobody_asks(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    centres = random.normal(size=(200, DIM))
    embeddings = (centres[random.integers(200, size=COUNT)] + 0.7 * random.normal(size=(COUNT, DIM))).astype(
        np.float32
    )
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    in_stock = random.integers(2, size=COUNT)
    engine = Engine(tmp_path, "m", DIM)
    for start in range(0, COUNT, 100):
        garments = [
            GarmentPoint(
                str(uuid.UUID(int=number)),
                f"p{start}",
                embeddings[number],
                {
                    "part": "upper",
                    "in_stock": int(in_stock[number]),
                    "product_key": number,
                    "indexed_at": 1.0,
                },
            )
            for number in range(start, start + 100)
        ]
        engine.replace_product(f"p{start}", garments)

    def recall() -> float:
        hits = 0
        for number in range(QUERIES):
            excluded = range(number, number + 50)
            similarities = np.where(in_stock == 1, embeddings @ embeddings[number], -2)
            similarities[list(excluded)] = -2
            wanted = {str(uuid.UUID(int=int(one))) for one in np.argsort(-similarities)[:20]}
            query = GarmentQuery(embeddings[number], 20, excluded_product_keys=excluded)
            hits += len(wanted & {hit.garment_id for hit in engine.query(query, False)})
        return hits / (20 * QUERIES)

    engine.maintain(idle_s=5.0)
    assert engine.info().indexed_fraction == 0.0
    assert recall() == pytest.approx(1.0, abs=0.005)
    engine.maintain(idle_s=engine_module.OPTIMIZE_WHEN_IDLE_S)
    assert engine.info().indexed_fraction == 1.0
    assert recall() > 0.9
    engine.replace_product(
        "new", [GarmentPoint(str(uuid.uuid4()), "new", centred(centres[0]), new_payload())]
    )
    assert engine.query(GarmentQuery(centred(centres[0]), 1), False)[0].product_id == "new"
    assert engine.delete_product("p0") == 100
    assert engine.count() == COUNT - 99
    engine.close()


def centred(centre: np.ndarray) -> np.ndarray:
    return (centre / np.linalg.norm(centre)).astype(np.float32)


def new_payload() -> dict[str, object]:
    return {"part": "upper", "in_stock": 1, "product_key": -1, "indexed_at": 2.0}


def test_maintenance_waits_for_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(Shard, "flush", lambda shard: done.append(f"flush {shard.directory.name}"))
    monkeypatch.setattr(
        Shard, "optimize_if_large", lambda shard: done.append(f"index {shard.directory.name}")
    )
    engine = Engine(tmp_path, "m", 4)
    now = time.monotonic()
    monkeypatch.setattr(engine_module.time, "monotonic", lambda: now)
    flushes = ["flush garments", "flush tastes", "flush records"]

    def maintain(idle_s: float) -> list[str]:
        done.clear()
        engine.maintain(idle_s)
        return list(done)

    assert maintain(0.1) == []
    assert maintain(2.0) == flushes
    assert maintain(61.0) == [*flushes, "index garments", "index tastes"]
    now += 31.0
    assert maintain(0.1) == flushes
    assert maintain(0.1) == []
    monkeypatch.undo()
    engine.close()
