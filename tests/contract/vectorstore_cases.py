"""Garments for the tests of the vector store: embeddings along axes, ids from names."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vectorstore.base import GarmentPoint, GarmentQuery

DIM = 16
AXES = np.eye(DIM, dtype=np.float32)


def toward(axis: int, other: int = 0, share: float = 0.0) -> NDArray[np.float32]:
    """A unit embedding along `axis` that leans to `other` by the angle whose sine is `share`."""
    return (AXES[axis] * np.sqrt(1 - share**2) + AXES[other] * share).astype(np.float32)


def uuid_of(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def garment(product_id: str, box: int, embedding: NDArray[np.float32], **payload: Any) -> GarmentPoint:
    required = {"part": "upper", "in_stock": 1, "product_key": key_of(product_id), "indexed_at": 1.7e9 + box}
    return GarmentPoint(uuid_of(f"{product_id}/{box}"), product_id, embedding, {**required, **payload})


def key_of(product_id: str) -> int:
    return int.from_bytes(uuid.uuid5(uuid.NAMESPACE_URL, product_id).bytes[:8], "big", signed=True)


def put(store: Any, product_id: str, *embeddings: NDArray[np.float32], **payload: Any) -> None:
    store.replace_product(
        product_id, [garment(product_id, box, vector, **payload) for box, vector in enumerate(embeddings)]
    )


def found(store: Any, embedding: NDArray[np.float32], k: int = 10, **wanted: Any) -> list[str]:
    [hits] = store.query([GarmentQuery(embedding, k, **wanted)])
    return [hit.product_id for hit in hits]
