"""What can never work is refused in the same words on every back end, and nothing is stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vectorstore_cases import AXES, DIM, garment, uuid_of

from vectorstore.base import MAX_EXCLUDED_KEYS, GarmentPoint, GarmentQuery, InvalidRequest, TastePoint

BAD_EMBEDDINGS = {
    "zero": np.zeros(DIM, dtype=np.float32),
    "NaN": np.full(DIM, np.nan, dtype=np.float32),
    "infinite": np.full(DIM, np.inf, dtype=np.float32),
    "too long": AXES[0] * np.float32(1.01),
    "wrong dimension": np.ones(1, dtype=np.float32),
    "a matrix": AXES[:1],
    "integers": np.eye(DIM, dtype=np.int64)[0],
    "a list": AXES[0].tolist(),
}


def test_bad_embeddings_are_refused(store: Any) -> None:
    for embedding in BAD_EMBEDDINGS.values():
        bad = garment("p", 1, embedding)
        with pytest.raises(ValueError, match=f"garment {bad.garment_id}: embedding"):
            store.replace_product("p", [garment("p", 0, AXES[0]), bad])
        with pytest.raises(InvalidRequest, match="query: embedding"):
            store.query([GarmentQuery(AXES[0], 1), GarmentQuery(embedding, 1)])
        with pytest.raises(InvalidRequest, match="query: embedding"):
            store.nearest_tastes(embedding, 1)
        with pytest.raises(InvalidRequest, match=r"taste .*: embedding"):
            store.replace_tastes({"u": [TastePoint(uuid_of("t"), "u", embedding, {"part": "upper"})]})
    assert store.count() == 0


def test_what_can_never_work_is_refused(store: Any) -> None:
    for k in (0, -1, 10_001, 2.0, True):
        with pytest.raises(InvalidRequest, match=r"^k: "):
            store.query([GarmentQuery(AXES[0], k)])
        with pytest.raises(InvalidRequest, match=r"^k: "):
            store.newest(k)
    with pytest.raises(InvalidRequest, match="excluded_product_keys"):
        store.query([GarmentQuery(AXES[0], 1, excluded_product_keys=range(MAX_EXCLUDED_KEYS + 1))])
    with pytest.raises(InvalidRequest, match="parts: empty"):
        store.query([GarmentQuery(AXES[0], 1, parts=frozenset())])
    with pytest.raises(InvalidRequest, match="expected a UUID"):
        store.replace_product("p", [GarmentPoint("p-0", "p", AXES[0], garment("p", 0, AXES[0]).payload)])
    with pytest.raises(InvalidRequest, match="given twice"):
        store.replace_product("p", [garment("p", 0, AXES[0]), garment("p", 0, AXES[1])])
    with pytest.raises(InvalidRequest, match="product_id 'q', expected 'p'"):
        store.replace_product("p", [garment("q", 0, AXES[0])])
    with pytest.raises(InvalidRequest, match="'in_stock': True"):
        store.update_payload("p", {"in_stock": True})
    assert store.count() == 0
