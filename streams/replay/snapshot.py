"""Garments in memory, searched by brute force: the index as the agents ask it, without a vector store.

In: products with their garments, shown and hidden as time goes by. Out: what the read half of
`vectorstore.base.VectorStore` says. The order of hits is exact; an approximate index may differ at the end of
its hits. Fails with InvalidRequest as every store does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.catalogue import NEVER, ProductRecord, Version
from models.catalogue import pack as pack_product
from vectorstore.base import GarmentFilter, GarmentPoint, GarmentQuery, Hit
from vectorstore.filters import Condition, forbidden, most_similar, newest_first, required

_REMOVED: Final = pack_product(ProductRecord(uploaded=Version(0.0, 0), removed=Version(1.0, 1)))
_SHOWN: Final = pack_product(ProductRecord(uploaded=Version(1.0, 1), removed=NEVER))


class Snapshot:
    """A shop's garments by product; a product that was never shown is not known yet."""

    def __init__(self) -> None:
        self._products: dict[str, list[GarmentPoint]] = {}
        self._hidden: set[str] = set()
        self._stacked: tuple[list[GarmentPoint], NDArray[np.float32]] | None = None

    def show(self, product_id: str, garments: Sequence[GarmentPoint]) -> None:
        """Make `garments` the product's only ones, and searchable."""
        self._products[product_id] = sorted(garments, key=lambda point: point.garment_id)
        self._hidden.discard(product_id)
        self._stacked = None

    def change(self, product_id: str, changes: Mapping[str, Any]) -> None:
        """Set payload fields on every garment of a product; None takes a field away."""
        self._products[product_id] = [
            GarmentPoint(
                point.garment_id,
                product_id,
                point.embedding,
                {name: value for name, value in {**point.payload, **changes}.items() if value is not None},
            )
            for point in self._products.get(product_id, ())
        ]
        self._stacked = None

    def hide(self, product_id: str) -> None:
        """Take a product away as a removal does: it is known to be gone."""
        self._products.pop(product_id, None)
        self._hidden.add(product_id)
        self._stacked = None

    async def fetch_products(self, product_ids: Sequence[str]) -> dict[str, list[GarmentPoint]]:
        """All garments of the products, by id; unknown ones are absent."""
        return {name: list(found) for name in product_ids if (found := self._products.get(name))}

    async def get_records(self, product_ids: Sequence[str]) -> dict[str, bytes]:
        """A record for each product that is or was there; nothing is in it but which of the two."""
        states = {name: _REMOVED for name in product_ids if name in self._hidden}
        return states | {name: _SHOWN for name in product_ids if name in self._products}

    async def query(self, queries: Sequence[GarmentQuery], with_embeddings: bool = False) -> list[list[Hit]]:
        """One list of hits per query, in the order of the queries."""
        return [self._search(query, with_embeddings) for query in queries]

    async def newest(self, k: int, in_stock_only: bool = True, **wanted: Any) -> list[Hit]:
        """The `k` garments with the largest `indexed_at` that pass the filter, newest first."""
        points, _ = self._all()
        allowed = _allowed(points, GarmentFilter(in_stock_only=in_stock_only, **wanted))
        return newest_first([_hit(points[place], 0.0, False) for place in allowed], k)

    def _search(self, query: GarmentQuery, with_embeddings: bool) -> list[Hit]:
        points, embeddings = self._all()
        allowed = _allowed(points, query)
        if not allowed:
            return []
        # Row by row: a matrix product rounds a row's sum differently depending on how many rows there are.
        similarities = np.einsum("nd,d->n", embeddings[allowed], query.embedding)
        order = np.argsort(-similarities, kind="stable")[: query.k + 64]
        hits = [_hit(points[allowed[n]], float(similarities[n]), with_embeddings) for n in order]
        return most_similar(hits, query.k, lambda hit: hit.garment_id)

    def _all(self) -> tuple[list[GarmentPoint], NDArray[np.float32]]:
        if self._stacked is None:
            points = [point for name in sorted(self._products) for point in self._products[name]]
            rows = [point.embedding for point in points]
            self._stacked = points, np.stack(rows) if rows else np.zeros((0, 0), np.float32)
        return self._stacked


def _allowed(points: Sequence[GarmentPoint], wanted: GarmentFilter) -> list[int]:
    musts, must_nots = required(wanted), [(c, frozenset(c.values)) for c in forbidden(wanted)]
    return [
        place
        for place, point in enumerate(points)
        if all(_holds(c, point.payload) for c in musts)
        and not any(point.payload.get(c.field) in values for c, values in must_nots)
    ]


def _holds(condition: Condition, payload: Mapping[str, Any]) -> bool:
    value = payload.get(condition.field)
    return value in condition.values or (condition.or_missing and value is None)


def _hit(point: GarmentPoint, similarity: float, with_embeddings: bool) -> Hit:
    embedding = point.embedding if with_embeddings else None
    return Hit(point.garment_id, point.product_id, similarity, point.payload, embedding)
