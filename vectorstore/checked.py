"""The half of a back end that all have in common: every argument checked, every batch bounded.

In: the calls of `base.VectorStore`, which `CheckedStore` implements. Out: the same calls on the abstract
methods of a back end, with canonical arguments (see `vectorstore.checks`) and bounded batches. What can
fail: `InvalidRequest` before the back end hears of the call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from vectorstore import checks
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
from vectorstore.payloads import text

QUERIES_PER_REQUEST: Final = 16  # more would keep other clients waiting
ITEMS_PER_REQUEST: Final = 128
SHOPPERS_PER_REQUEST: Final = 16


Item = TypeVar("Item")


class CheckedStore(ABC):
    """A `VectorStore` of embeddings (dim,) whose back end need not check anything."""

    def __init__(self, model: str, dim: int) -> None:
        self._model, self._dim = model, dim

    async def replace_product(self, product_id: str, garments: Sequence[GarmentPoint]) -> None:
        """See `VectorStore.replace_product`."""
        await self._replace_product(product_id, checks.garments(product_id, garments, self._dim))

    async def fetch_products(self, product_ids: Sequence[str]) -> dict[str, list[GarmentPoint]]:
        """See `VectorStore.fetch_products`."""
        wanted = checks.texts(product_ids, "product_ids")
        found: dict[str, list[GarmentPoint]] = defaultdict(list)
        for some in _batches(wanted, ITEMS_PER_REQUEST):
            for garment in await self._fetch_products(some):
                found[garment.product_id].append(garment)
        for garments in found.values():
            garments.sort(key=lambda garment: garment.garment_id)
        return {product_id: found[product_id] for product_id in wanted if product_id in found}

    async def query(self, queries: Sequence[GarmentQuery], with_embeddings: bool = False) -> list[list[Hit]]:
        """See `VectorStore.query`."""
        checked = [checks.garment_query(query, self._dim) for query in queries]
        found: list[list[Hit]] = []
        for some in _batches(checked, QUERIES_PER_REQUEST):
            found += await self._query(some, with_embeddings)
        return found

    async def newest(
        self,
        k: int,
        parts: frozenset[str] | None = None,
        in_stock_only: bool = True,
        excluded_product_keys: Sequence[int] | NDArray[np.int64] = (),
        genders: frozenset[str] | None = None,
        age_groups: frozenset[str] | None = None,
    ) -> list[Hit]:
        """See `VectorStore.newest`."""
        wanted = GarmentFilter(
            parts=parts,
            in_stock_only=in_stock_only,
            excluded_product_keys=excluded_product_keys,
            genders=genders,
            age_groups=age_groups,
        )
        checks.garment_filter(wanted)
        return await self._newest(checks.count_wanted(k), wanted)

    async def update_payload(self, product_id: str, changes: Mapping[str, Any]) -> int:
        """See `VectorStore.update_payload`."""
        return await self._update_payload(product_id, checks.changes(product_id, changes))

    async def delete_product(self, product_id: str) -> int:
        """See `VectorStore.delete_product`."""
        return await self._delete_product(text(product_id, "product_id"))

    async def get_records(self, product_ids: Sequence[str]) -> dict[str, bytes]:
        """See `VectorStore.get_records`."""
        found: dict[str, bytes] = {}
        for some in _batches(checks.texts(product_ids, "product_ids"), ITEMS_PER_REQUEST):
            found |= await self._get_records(some)
        return found

    async def put_records(self, records: Mapping[str, bytes]) -> None:
        """See `VectorStore.put_records`."""
        for some in _batches(list(checks.records(records).items()), ITEMS_PER_REQUEST):
            await self._put_records(dict(some))

    async def replace_tastes(self, tastes: Mapping[str, Sequence[TastePoint]]) -> None:
        """See `VectorStore.replace_tastes`."""
        checked = checks.tastes(tastes, self._dim)
        for some in _batches(list(checked.items()), SHOPPERS_PER_REQUEST):
            await self._replace_tastes(dict(some))

    async def nearest_tastes(
        self, embedding: Embedding, k: int, parts: frozenset[str] | None = None
    ) -> list[TasteHit]:
        """See `VectorStore.nearest_tastes`."""
        checks.narrowing(parts, "parts")
        checked = checks.embedding(embedding, self._dim, "query")
        return await self._nearest_tastes(checked, checks.count_wanted(k), parts)

    async def delete_tastes(self, user_id: str) -> int:
        """See `VectorStore.delete_tastes`."""
        return await self._delete_tastes(text(user_id, "user_id"))

    @abstractmethod
    async def count(self) -> int: ...

    @abstractmethod
    async def info(self) -> StoreInfo: ...

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def _replace_product(self, product_id: str, garments: Sequence[GarmentPoint]) -> None: ...

    @abstractmethod
    async def _fetch_products(self, product_ids: Sequence[str]) -> list[GarmentPoint]: ...

    @abstractmethod
    async def _query(self, queries: Sequence[GarmentQuery], with_embeddings: bool) -> list[list[Hit]]: ...

    @abstractmethod
    async def _newest(self, k: int, wanted: GarmentFilter) -> list[Hit]: ...

    @abstractmethod
    async def _update_payload(self, product_id: str, changes: Payload) -> int: ...

    @abstractmethod
    async def _delete_product(self, product_id: str) -> int: ...

    @abstractmethod
    async def _get_records(self, product_ids: Sequence[str]) -> dict[str, bytes]: ...

    @abstractmethod
    async def _put_records(self, records: dict[str, bytes]) -> None: ...

    @abstractmethod
    async def _replace_tastes(self, tastes: Mapping[str, Sequence[TastePoint]]) -> None: ...

    @abstractmethod
    async def _nearest_tastes(
        self, embedding: Embedding, k: int, parts: frozenset[str] | None
    ) -> list[TasteHit]: ...

    @abstractmethod
    async def _delete_tastes(self, user_id: str) -> int: ...


def _batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
