"""The embedded vector store itself: the operations of `base.VectorStore` on three shards, synchronously.

In: a directory that this process owns and requests that passed `vectorstore.checks`. Out: plain results.
What can fail: the directory belongs to another model (`ModelMismatch`), a shard cannot be opened
(`EngineFailure`), the engine refuses an update (its own exceptions: a full disk, mostly).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from vectorstore.base import (
    Embedding,
    GarmentFilter,
    GarmentPoint,
    GarmentQuery,
    Hit,
    ModelMismatch,
    Payload,
    StoreInfo,
    TasteHit,
    TastePoint,
)
from vectorstore.filters import (
    GARMENT_INDEXES,
    SPARE,
    TASTE_INDEXES,
    Condition,
    forbidden,
    most_similar,
    newest_first,
    of_parts,
    required,
)
from vectorstore.kept import KeptGarments
from vectorstore.paths import model_slug
from vectorstore.records import opened, record_id, record_payload
from vectorstore.shard import VECTOR, Shard, matching

FORMAT: Final = 1
FLUSH_WHEN_IDLE_S: Final = 1.0
FLUSH_AT_LEAST_EVERY_S: Final = 30.0
OPTIMIZE_WHEN_IDLE_S: Final = 60.0

log = logging.getLogger(__name__)


class Engine:
    """Garments, centroids and records of one model in `directory/<model slug>/`."""

    def __init__(self, directory: Path, model: str, dim: int) -> None:
        self.model, self.dim = model, dim
        home = directory / model_slug(model, dim)
        _claim(home, model, dim)
        self._garments = Shard(home / "garments", dim, GARMENT_INDEXES)
        self._tastes = Shard(home / "tastes", dim, TASTE_INDEXES, graph=False)
        self._records = Shard(home / "records", None, {})
        self._flushed_at = time.monotonic()
        self._kept = KeptGarments()

    def replace_product(self, product_id: str, garments: Sequence[GarmentPoint]) -> None:
        """See `VectorStore.replace_product`."""
        stay = [garment.garment_id for garment in garments]
        self._kept.drop(product_id)
        self._kept.drop_garments(stay)
        self._garments.upsert([_garment(garment) for garment in garments])
        self._garments.delete(matching([_of_product(product_id)], not_ids=stay))

    def fetch_products(self, product_ids: Sequence[str]) -> list[GarmentPoint]:
        """All garments of the products."""
        kept = {product_id: self._kept.product(product_id) for product_id in product_ids}
        found = [garment for garments in kept.values() for garment in garments or ()]
        if missing := [product_id for product_id, garments in kept.items() if garments is None]:
            read = self._garments.all_of(matching([Condition("product_id", missing)]))
            garments = [_point(point) for point in read]
            self._kept.keep_products(garments)
            found += garments
        return found

    def query(self, query: GarmentQuery, with_embeddings: bool) -> list[Hit]:
        """See `VectorStore.query`; one query."""
        where = matching(required(query), forbidden(query))
        found = self._garments.nearest(query.embedding, query.k + SPARE, where, bare=True)
        hits = self._hits([(point.id, float(point.score)) for point in found], with_embeddings)
        return most_similar(hits, query.k, lambda hit: hit.garment_id)

    def newest(self, k: int, wanted: GarmentFilter) -> list[Hit]:
        """See `VectorStore.newest`."""
        found = self._garments.largest("indexed_at", k + SPARE, matching(required(wanted), forbidden(wanted)))
        return newest_first(self._hits([(point.id, 0.0) for point in found], False), k)

    def update_payload(self, product_id: str, changes: Mapping[str, Any]) -> int:
        """See `VectorStore.update_payload`."""
        self._kept.drop(product_id)
        where = matching([_of_product(product_id)])
        count = self._garments.count(where)
        if count:
            self._garments.set_payload(where, dict(changes))
        return count

    def delete_product(self, product_id: str) -> int:
        """See `VectorStore.delete_product`."""
        self._kept.drop(product_id)
        return _delete(self._garments, _of_product(product_id))

    def count(self) -> int:
        """See `VectorStore.count`."""
        return self._garments.count()

    def get_records(self, product_ids: Sequence[str]) -> dict[str, bytes]:
        """See `VectorStore.get_records`."""
        found = self._records.retrieve([record_id(product_id) for product_id in product_ids])
        return dict(opened(point.payload) for point in found)

    def put_records(self, records: Mapping[str, bytes]) -> None:
        """See `VectorStore.put_records`."""
        points = [
            edge.Point(record_id(key), {}, record_payload(key, value)) for key, value in records.items()
        ]
        self._records.upsert(points)

    def replace_tastes(self, tastes: Mapping[str, Sequence[TastePoint]]) -> None:
        """See `VectorStore.replace_tastes`."""
        points = [taste for held in tastes.values() for taste in held]
        self._tastes.upsert([_taste(taste) for taste in points])
        if tastes:
            of_them = [Condition("user_id", list(tastes))]
            self._tastes.delete(matching(of_them, not_ids=[taste.taste_id for taste in points]))

    def nearest_tastes(self, embedding: Embedding, k: int, parts: frozenset[str] | None) -> list[TasteHit]:
        """See `VectorStore.nearest_tastes`."""
        found = self._tastes.nearest(embedding, k + SPARE, matching(of_parts(parts)))
        hits = []
        for point in found:
            user_id, payload = _taken(point, "user_id")
            hits.append(TasteHit(str(point.id), user_id, float(point.score), payload))
        return most_similar(hits, k, lambda hit: hit.taste_id)

    def delete_tastes(self, user_id: str) -> int:
        """See `VectorStore.delete_tastes`."""
        return _delete(self._tastes, Condition("user_id", [user_id]))

    def info(self) -> StoreInfo:
        """See `VectorStore.info`."""
        return StoreInfo("embedded", self.model, self.dim, self.count(), self._garments.indexed_fraction())

    def maintain(self, idle_s: float) -> None:
        """Work for when no request has come for `idle_s`: flush soon, build an index when it is worth it."""
        overdue = time.monotonic() - self._flushed_at >= FLUSH_AT_LEAST_EVERY_S
        if idle_s >= FLUSH_WHEN_IDLE_S or overdue:
            for shard in self._shards():
                shard.flush()
            self._flushed_at = time.monotonic()
        if idle_s >= OPTIMIZE_WHEN_IDLE_S:
            for shard in (self._garments, self._tastes):
                started = time.monotonic()
                if shard.optimize_if_large():
                    log.info("indexed %s in %.1f s", shard.directory, time.monotonic() - started)

    def close(self) -> None:
        """Flush and release all files."""
        for shard in self._shards():
            shard.close()

    def _hits(self, found: Sequence[tuple[UUID, float]], with_embeddings: bool) -> list[Hit]:
        """Hits of garments that were found with these similarities."""
        missing = [str(garment_id) for garment_id, _ in found if self._kept.garment(garment_id) is None]
        read = {point.garment_id: point for point in map(_point, self._garments.retrieve(missing, True))}
        self._kept.keep(read.values())
        hits = []
        for garment_id, similarity in found:
            g = self._kept.garment(garment_id) or read[str(garment_id)]  # the latter where too much was read
            embedding = g.embedding if with_embeddings else None
            hits.append(Hit(g.garment_id, g.product_id, similarity, g.payload, embedding))
        return hits

    def _shards(self) -> tuple[Shard, ...]:
        return self._garments, self._tastes, self._records


def _claim(home: Path, model: str, dim: int) -> None:
    """Write down whose directory this is, or make sure that it is ours."""
    claim = {"format": FORMAT, "model": model, "dim": dim}
    path = home / "model.json"
    if path.exists():
        found = json.loads(path.read_text())
        if found != claim:
            raise ModelMismatch(f"{path}: {found}, expected {claim}")
        return
    home.mkdir(parents=True, exist_ok=True)
    making = path.with_name("model.json.new")
    making.write_text(json.dumps(claim))
    making.replace(path)


def _of_product(product_id: str) -> Condition:
    return Condition("product_id", [product_id])


def _delete(shard: Shard, condition: Condition) -> int:
    where = matching([condition])
    count = shard.count(where)
    if count:
        shard.delete(where)
    return count


def _garment(garment: GarmentPoint) -> edge.Point:
    payload = {**garment.payload, "product_id": garment.product_id}
    return edge.Point(garment.garment_id, _vector(garment.embedding), payload)


def _taste(taste: TastePoint) -> edge.Point:
    payload = {**taste.payload, "user_id": taste.user_id}
    return edge.Point(taste.taste_id, _vector(taste.embedding), payload)


def _point(point: Any) -> GarmentPoint:
    product_id, payload = _taken(point, "product_id")
    return GarmentPoint(str(point.id), product_id, _embedding(point.vector), payload)


def _taken(point: Any, key: str) -> tuple[str, Payload]:
    payload: Payload = point.payload  # a new dict at every access
    return payload.pop(key), payload


def _embedding(vector: Any) -> Embedding:
    return np.asarray(vector[VECTOR], dtype=np.float32)


def _vector(embedding: Embedding) -> Any:
    return {VECTOR: embedding}
