"""The interface of the vector store: READ THIS FIRST, every back end behaves exactly as said here.

In: garments of products, queries for similar garments, shoppers' centroids, small durable records.
Out: hits in one order on every back end. What can fail: `InvalidRequest` (a ValueError: the caller gave
something that can never work; nothing was stored), `VectorStoreUnavailable` (the store cannot be reached or
does not answer; the same call may succeed later) and `EngineFailure` (the engine failed on a valid request).

Every operation may be repeated: a call that ended in `VectorStoreUnavailable` may or may not have taken
effect, and calling it again leads to the same state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]  # (D,), unit length
Payload = dict[str, Any]  # JSON-like

MAX_K: Final = 10_000
MAX_EXCLUDED_KEYS: Final = 10_000
UNISEX: Final = "unisex"


class VectorStoreError(Exception):
    """Any failure of the vector store."""


class InvalidRequest(VectorStoreError, ValueError):  # noqa: N818 (reads as the state it reports)
    """What the caller gave can never work; the message names the thing and what was expected."""


class ModelMismatch(InvalidRequest):
    """The store holds embeddings of another model or dimension."""


class VectorStoreUnavailable(VectorStoreError):  # noqa: N818
    """The store cannot be reached or did not answer in time; trying again later may help."""


class EngineFailure(VectorStoreError):  # noqa: N818
    """The engine failed on a valid request (a full disk, a damaged file, a refused key)."""


@dataclass(frozen=True, eq=False, slots=True)
class GarmentPoint:
    """One garment of a product.

    Attributes:
        garment_id: canonical UUID (lower case, hyphens), the caller's UUIDv5 of product, image, box ordinal.
        product_id: the product it belongs to.
        embedding: float32 (D,), norm 1 ± 1e-3.
        payload: JSON-like. Required: `part` (str), `in_stock` (0 or 1, not a bool), `product_key` (int64),
            `indexed_at` (Unix seconds). Optional and filtered by: `gender`, `age_group` (str). Anything else
            is kept as it is. A top-level None means the key is absent. `product_id` is reserved.
    """

    garment_id: str
    product_id: str
    embedding: Embedding
    payload: Payload


@dataclass(frozen=True, eq=False, kw_only=True)
class GarmentFilter:
    """Which garments may be returned.

    Attributes:
        parts: only these parts; None for all.
        in_stock_only: leave out garments whose `in_stock` is 0.
        excluded_product_keys: int64 keys of products never to return, at most MAX_EXCLUDED_KEYS.
        genders: None, or narrow to garments of these, of `unisex`, and without a gender.
        age_groups: None, or narrow to garments of these and without an age group.
    """

    parts: frozenset[str] | None = None
    in_stock_only: bool = True
    excluded_product_keys: Sequence[int] | NDArray[np.int64] = ()
    genders: frozenset[str] | None = None
    age_groups: frozenset[str] | None = None


@dataclass(frozen=True, eq=False)
class GarmentQuery(GarmentFilter):
    """The `k` (1 … MAX_K) garments most similar to `embedding` (D,) that pass the filter."""

    embedding: Embedding
    k: int


@dataclass(frozen=True, eq=False, slots=True)
class Hit:
    """A garment found.

    `similarity` is the cosine in [-1, 1], and 0 for `newest`; `embedding` is None unless asked for.
    """

    garment_id: str
    product_id: str
    similarity: float
    payload: Payload
    embedding: Embedding | None = None


@dataclass(frozen=True, eq=False, slots=True)
class TastePoint:
    """One centroid of a shopper; `taste_id` is a canonical UUID, `payload` needs `part` (str)."""

    taste_id: str
    user_id: str
    embedding: Embedding
    payload: Payload = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class TasteHit:
    """A shopper's centroid found; `similarity` is the cosine."""

    taste_id: str
    user_id: str
    similarity: float
    payload: Payload


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What is behind the interface; `indexed_fraction` (of the garments, in an ANN index) may be unknown."""

    backend: str
    model: str
    dim: int
    garments: int
    indexed_fraction: float | None


class VectorStore(Protocol):
    """Garments, shoppers' centroids and product records of one embedding model.

    Hits come most similar first; similarities less than 1e-6 apart count as equal and come by id. (Of more
    than 16 equal ones at the cut after k, which are returned may differ between back ends.) An acknowledged
    write is durable and visible to every later call of every client.
    """

    async def replace_product(self, product_id: str, garments: Sequence[GarmentPoint]) -> None:
        """Make `garments` the product's only ones: upserts them, then deletes the others of the product.

        There is no moment without any. An empty sequence removes all.
        """

    async def fetch_products(self, product_ids: Sequence[str]) -> dict[str, list[GarmentPoint]]:
        """All garments of the products, in stock or not, with embeddings, by id; unknown ones are absent."""

    async def query(self, queries: Sequence[GarmentQuery], with_embeddings: bool = False) -> list[list[Hit]]:
        """One list of hits per query, in the order of the queries."""

    async def newest(
        self,
        k: int,
        parts: frozenset[str] | None = None,
        in_stock_only: bool = True,
        excluded_product_keys: Sequence[int] | NDArray[np.int64] = (),
        genders: frozenset[str] | None = None,
        age_groups: frozenset[str] | None = None,
    ) -> list[Hit]:
        """The `k` garments with the largest `indexed_at` that pass the filter, newest first, then by id."""

    async def update_payload(self, product_id: str, changes: Mapping[str, Any]) -> int:
        """Set top-level payload keys on every garment of a product; None deletes the key.

        Embeddings stay untouched. Returns the number of garments (0: the product has none).
        """

    async def delete_product(self, product_id: str) -> int:
        """Delete the product's garments (not its record); returns how many there were."""

    async def count(self) -> int:
        """How many garments there are."""

    async def get_records(self, product_ids: Sequence[str]) -> dict[str, bytes]:
        """The records of these products; those without one are absent."""

    async def put_records(self, records: Mapping[str, bytes]) -> None:
        """Store one small opaque record per product, whether it has garments or not (tombstones)."""

    async def replace_tastes(self, tastes: Mapping[str, Sequence[TastePoint]]) -> None:
        """Make these, by user id, the shoppers' only centroids: upserts them, then deletes their others.

        There is no moment in which a shopper who keeps any has none.
        """

    async def nearest_tastes(
        self, embedding: Embedding, k: int, parts: frozenset[str] | None = None
    ) -> list[TasteHit]:
        """The `k` centroids most similar to `embedding` (D,), of these parts only."""

    async def delete_tastes(self, user_id: str) -> int:
        """Delete all of a shopper's centroids; returns how many there were."""

    async def info(self) -> StoreInfo:
        """What is behind the interface, and how full it is."""

    async def close(self) -> None:
        """Release connections; may be called again."""
