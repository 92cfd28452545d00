"""The embedding map: garments in the plane, near each other where they look alike.

In: the vector store. Out: the newest garments' embeddings projected on their two first principal components.
Fails with the vector store's errors. Made again at most every 30 s.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.gateway.showing import image_address
from vectorstore.base import GarmentPoint, VectorStore

MAX_POINTS: Final = 5000
_FRESH_S: Final = 30.0
_PAGE: Final = 200


class EmbeddingMap:
    """Maps of the newest garments, by how many they show."""

    def __init__(self, store: VectorStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._lock = asyncio.Lock()
        self._made: dict[int, tuple[float, dict[str, Any]]] = {}

    async def map(self, limit: int) -> dict[str, Any]:
        """`limit` garments at most: where, what, and the share of their variance that the plane shows."""
        async with self._lock:
            made_s, made = self._made.get(limit, (float("-inf"), {}))
            if self._clock() - made_s >= _FRESH_S:
                points = await self._newest(limit)
                made = await asyncio.to_thread(as_map, points)
                self._made = {limit: (self._clock(), made)}
        return made

    async def _newest(self, limit: int) -> list[GarmentPoint]:
        """The newest garments with their embeddings; in stock or not."""
        hits = await self._store.newest(limit, in_stock_only=False)
        wanted = {hit.garment_id for hit in hits}
        products = list(dict.fromkeys(hit.product_id for hit in hits))
        found: list[GarmentPoint] = []
        for at in range(0, len(products), _PAGE):
            held = await self._store.fetch_products(products[at : at + _PAGE])
            found += [point for points in held.values() for point in points if point.garment_id in wanted]
        return found


def as_map(points: list[GarmentPoint]) -> dict[str, Any]:
    """The map of these garments."""
    embeddings = np.array([point.embedding for point in points], np.float32).reshape(len(points), -1)
    places, explained = plane(embeddings)
    return {
        "points": [
            {
                "x": round(float(x), 4),
                "y": round(float(y), 4),
                "product_id": point.product_id,
                "garment_id": point.garment_id,
                "part": point.payload["part"],
                "category": point.payload.get("category"),
                "title": point.payload.get("title"),
                "image": image_address(point.payload.get("image_link")),
            }
            for point, (x, y) in zip(points, places, strict=True)
        ],
        "explained": round(explained, 4),
    }


def plane(embeddings: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Embeddings (N, D) on their two first principal components: (N, 2) in [-1, 1], and the share explained.

    The sign of an axis is the one in which its farthest point is positive, so that a map made again looks
    the same.
    """
    if len(embeddings) < 3:
        return np.zeros((len(embeddings), 2), np.float32), 0.0
    centred = embeddings - embeddings.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)  # ascending
    places = centred @ axes[:, [-1, -2]]
    farthest = places[np.abs(places).argmax(axis=0), [0, 1]]
    places = places * np.where(farthest < 0, -1.0, 1.0) / max(float(np.abs(places).max()), 1e-12)
    total = float(values.sum())
    return places.astype(np.float32), float(values[-2:].sum()) / total if total > 1e-12 else 0.0
