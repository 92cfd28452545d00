"""The vector store on a Qdrant server or cluster.

In: the calls of `base.VectorStore`. Out: their results. What can fail: as the interface says; every update
waits until the server has applied it, and nothing is tried again here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
from qdrant_client import AsyncQdrantClient, models

from vectorstore import filters
from vectorstore.base import (
    Embedding,
    GarmentFilter,
    GarmentPoint,
    GarmentQuery,
    Hit,
    Payload,
    StoreInfo,
    TasteHit,
    TastePoint,
)
from vectorstore.checked import CheckedStore
from vectorstore.filters import SPARE, Condition
from vectorstore.qdrant import SEARCH, VECTOR, Collections, applied, failures, matching, prepare
from vectorstore.records import opened, record_id, record_payload

TIMEOUT_S: Final = 30
PAGE: Final = 256


class ServerStore(CheckedStore):
    """A `VectorStore` on a server. Belongs to the event loop on which it was opened."""

    def __init__(self, client: AsyncQdrantClient, names: Collections, model: str, dim: int) -> None:
        """Use `open`, or `over` with a client of your own."""
        super().__init__(model, dim)
        self._client, self._names = client, names

    @classmethod
    async def open(cls, url: str, api_key: str | None, *, model: str, dim: int) -> Self:
        """Connect to the server at `url` and make what is missing there."""
        client = AsyncQdrantClient(url=url, api_key=api_key, timeout=TIMEOUT_S, check_compatibility=False)
        try:
            return await cls.over(client, model=model, dim=dim)
        except BaseException:
            await client.close()
            raise

    @classmethod
    async def over(cls, client: AsyncQdrantClient, *, model: str, dim: int) -> Self:
        """The same with a client that was made on the running event loop; the store closes it."""
        return cls(client, await prepare(client, model, dim), model, dim)

    async def count(self) -> int:
        """See `VectorStore.count`."""
        return await self._count(self._names.garments, None)

    async def info(self) -> StoreInfo:
        """See `VectorStore.info`."""
        with failures("info"):
            found = await self._client.get_collection(self._names.garments)
        points, indexed = found.points_count, found.indexed_vectors_count
        fraction = min(indexed / points, 1.0) if points and indexed is not None else None
        return StoreInfo("server", self._model, self._dim, await self.count(), fraction)

    async def close(self) -> None:
        """See `VectorStore.close`."""
        await self._client.close()

    async def _replace_product(self, product_id: str, garments: Sequence[GarmentPoint]) -> None:
        points = [
            _point(garment.garment_id, garment.embedding, {**garment.payload, "product_id": product_id})
            for garment in garments
        ]
        others = matching([_of_product(product_id)], not_ids=[garment.garment_id for garment in garments])
        await self._replace(self._names.garments, points, others, "replace_product")

    async def _fetch_products(self, product_ids: Sequence[str]) -> list[GarmentPoint]:
        where = matching([Condition("product_id", list(product_ids))])
        found: list[GarmentPoint] = []
        offset = None
        while True:
            with failures("fetch_products"):
                page, offset = await self._client.scroll(
                    self._names.garments, where, PAGE, offset=offset, with_payload=True, with_vectors=True
                )
            for point in page:
                product_id, payload = _taken(point, "product_id")
                found.append(GarmentPoint(str(point.id), product_id, _embedding(point), payload))
            if offset is None:
                return found

    async def _query(self, queries: Sequence[GarmentQuery], with_embeddings: bool) -> list[list[Hit]]:
        requests = [
            _nearest(
                query.embedding,
                query.k,
                matching(filters.required(query), filters.forbidden(query)),
                with_embeddings,
            )
            for query in queries
        ]
        with failures("query"):
            answers = await self._client.query_batch_points(self._names.garments, requests)
        return [
            filters.most_similar(
                [_hit(point) for point in answer.points], query.k, lambda hit: hit.garment_id
            )
            for query, answer in zip(queries, answers, strict=True)
        ]

    async def _newest(self, k: int, wanted: GarmentFilter) -> list[Hit]:
        order = models.OrderBy(key="indexed_at", direction=models.Direction.DESC)
        with failures("newest"):
            answer = await self._client.query_points(
                self._names.garments,
                query=models.OrderByQuery(order_by=order),
                query_filter=matching(filters.required(wanted), filters.forbidden(wanted)),
                limit=k + SPARE,
                with_payload=True,
            )
        return filters.newest_first([_hit(point, ranked=False) for point in answer.points], k)

    async def _update_payload(self, product_id: str, changes: Payload) -> int:
        where = matching([_of_product(product_id)])
        count = await self._count(self._names.garments, where)
        present = {key: value for key, value in changes.items() if value is not None}
        absent = [key for key, value in changes.items() if value is None]
        operations: list[models.UpdateOperation] = []
        if present:
            setting = models.SetPayload(payload=present, filter=where)
            operations.append(models.SetPayloadOperation(set_payload=setting))
        if absent:
            deleting = models.DeletePayload(keys=absent, filter=where)
            operations.append(models.DeletePayloadOperation(delete_payload=deleting))
        if count and operations:
            await self._update(self._names.garments, operations, "update_payload")
        return count

    async def _delete_product(self, product_id: str) -> int:
        return await self._delete(self._names.garments, _of_product(product_id), "delete_product")

    async def _get_records(self, product_ids: Sequence[str]) -> dict[str, bytes]:
        ids = [record_id(product_id) for product_id in product_ids]
        with failures("get_records"):
            found = await self._client.retrieve(self._names.records, ids, with_payload=True)
        return dict(opened(point.payload or {}) for point in found)

    async def _put_records(self, records: dict[str, bytes]) -> None:
        points = [
            models.PointStruct(
                id=record_id(product_id), vector={}, payload=record_payload(product_id, record)
            )
            for product_id, record in records.items()
        ]
        with failures("put_records"):
            applied(await self._client.upsert(self._names.records, points), "put_records")

    async def _replace_tastes(self, tastes: Mapping[str, Sequence[TastePoint]]) -> None:
        points = [
            _point(taste.taste_id, taste.embedding, {**taste.payload, "user_id": user_id})
            for user_id, held in tastes.items()
            for taste in held
        ]
        others = matching([Condition("user_id", list(tastes))], not_ids=[str(point.id) for point in points])
        await self._replace(self._names.tastes, points, others, "replace_tastes")

    async def _nearest_tastes(
        self, embedding: Embedding, k: int, parts: frozenset[str] | None
    ) -> list[TasteHit]:
        request = _nearest(embedding, k, matching(filters.of_parts(parts)), False)
        with failures("nearest_tastes"):
            [answer] = await self._client.query_batch_points(self._names.tastes, [request])
        hits = []
        for point in answer.points:
            user_id, payload = _taken(point, "user_id")
            hits.append(TasteHit(str(point.id), user_id, point.score, payload))
        return filters.most_similar(hits, k, lambda hit: hit.taste_id)

    async def _delete_tastes(self, user_id: str) -> int:
        return await self._delete(self._names.tastes, Condition("user_id", [user_id]), "delete_tastes")

    async def _replace(
        self, collection: str, points: list[models.PointStruct], others: models.Filter, name: str
    ) -> None:
        """Upsert `points`, then delete those that match `others`."""
        operations: list[models.UpdateOperation] = []
        if points:
            operations.append(models.UpsertOperation(upsert=models.PointsList(points=points)))
        operations.append(models.DeleteOperation(delete=models.FilterSelector(filter=others)))
        await self._update(collection, operations, name)

    async def _update(self, where: str, operations: Sequence[models.UpdateOperation], name: str) -> None:
        with failures(name):
            applied(await self._client.batch_update_points(where, operations, wait=True), name)

    async def _count(self, collection: str, where: models.Filter | None) -> int:
        with failures("count"):
            return (await self._client.count(collection, where, exact=True)).count

    async def _delete(self, collection: str, condition: Condition, name: str) -> int:
        where = matching([condition])
        count = await self._count(collection, where)
        if count:
            selector = models.FilterSelector(filter=where)
            with failures(name):
                applied(await self._client.delete(collection, selector, wait=True), name)
        return count


def _of_product(product_id: str) -> Condition:
    return Condition("product_id", [product_id])


def _nearest(
    embedding: Embedding, k: int, where: models.Filter, with_embeddings: bool
) -> models.QueryRequest:
    return models.QueryRequest(
        query=embedding.tolist(),
        using=VECTOR,
        filter=where,
        params=SEARCH,
        limit=k + SPARE,
        with_payload=True,
        with_vector=with_embeddings,
    )


def _point(point_id: str, embedding: Embedding, payload: Payload) -> models.PointStruct:
    return models.PointStruct(id=point_id, vector={VECTOR: embedding.tolist()}, payload=payload)


def _hit(point: models.ScoredPoint, ranked: bool = True) -> Hit:
    product_id, payload = _taken(point, "product_id")
    similarity = point.score if ranked else 0.0
    return Hit(str(point.id), product_id, similarity, payload, _embedding(point) if point.vector else None)


def _taken(point: Any, key: str) -> tuple[str, Payload]:
    payload = dict(point.payload)
    return payload.pop(key), payload


def _embedding(point: Any) -> Embedding:
    return np.asarray(point.vector[VECTOR], dtype=np.float32)
