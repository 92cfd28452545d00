"""Everything given to a store is checked here first, the same for every back end.

In: what a caller gave. Out: the same in canonical form (float32 arrays, plain JSON values, int64 keys).
What can fail: `InvalidRequest`, naming the garment, taste, product or field, what it was and what was
expected. The engines accept NaN, zero embeddings and bool filters silently; nothing of that passes here.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vectorstore.base import (
    MAX_EXCLUDED_KEYS,
    MAX_K,
    Embedding,
    GarmentFilter,
    GarmentPoint,
    GarmentQuery,
    InvalidRequest,
    Payload,
    TastePoint,
)
from vectorstore.payloads import (
    GARMENT_FIELDS,
    INT64,
    complete_payload,
    kind,
    payload_changes,
    text,
)

NORM_TOLERANCE: Final = 1e-3
MAX_RECORD_BYTES: Final = 1 << 20


def embedding(value: object, dim: int, what: str) -> Embedding:
    """A contiguous float32 (dim,) of norm 1 ± NORM_TOLERANCE, or InvalidRequest naming `what`."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        raise InvalidRequest(f"{what}: embedding is {kind(value)}, expected a float32 array ({dim},)")
    if value.shape != (dim,):
        raise InvalidRequest(f"{what}: embedding has shape {value.shape}, expected ({dim},)")
    result = np.ascontiguousarray(value, dtype="<f4")
    norm = math.sqrt(float(result @ result))
    if not math.isfinite(norm):
        raise InvalidRequest(f"{what}: embedding is not finite")
    if abs(norm - 1.0) > NORM_TOLERANCE:
        raise InvalidRequest(f"{what}: embedding has norm {norm:.4g}, expected 1 ± {NORM_TOLERANCE:g}")
    return result


def texts(values: Iterable[object], what: str) -> list[str]:
    """Distinct strings in their order."""
    if isinstance(values, str | bytes):
        raise InvalidRequest(f"{what}: {kind(values)}, expected several strings")
    return list(dict.fromkeys(text(value, what) for value in values))


def narrowing(values: frozenset[str] | None, what: str) -> list[str] | None:
    """Sorted allowed values, or None for all."""
    if values is None:
        return None
    if not values:
        raise InvalidRequest(f"{what}: empty, expected at least one value, or None for all")
    return sorted(texts(values, what))


def count_wanted(k: object) -> int:
    """1 … MAX_K."""
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MAX_K:
        raise InvalidRequest(f"k: {k!r}, expected an integer from 1 to {MAX_K}")
    return k


def point_id(value: object, what: str) -> str:
    """A canonical UUID string."""
    try:
        canonical = str(uuid.UUID(value)) if isinstance(value, str) else None
    except ValueError:
        canonical = None
    if canonical is None or canonical != value:
        raise InvalidRequest(f"{what}: {value!r}, expected a UUID in lower case with hyphens")
    return canonical


def product_keys(values: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) int64."""
    array = np.asarray(values)
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    fits = array.dtype.kind == "i" or (array.dtype.kind == "u" and int(array.max()) in INT64)
    if array.ndim != 1 or not fits:
        raise InvalidRequest(
            f"excluded_product_keys: {array.dtype} of shape {array.shape}, expected 64-bit integers"
        )
    if len(array) > MAX_EXCLUDED_KEYS:
        raise InvalidRequest(
            f"excluded_product_keys: {len(array)} keys, expected at most {MAX_EXCLUDED_KEYS}"
        )
    return array.astype(np.int64)


def garment_filter(wanted: GarmentFilter) -> None:
    """InvalidRequest if a field of the filter cannot be meant."""
    product_keys(wanted.excluded_product_keys)
    for name in ("parts", "genders", "age_groups"):
        narrowing(getattr(wanted, name), name)


def garment_query(query: GarmentQuery, dim: int) -> GarmentQuery:
    """The query with its embedding in canonical form."""
    garment_filter(query)
    count_wanted(query.k)
    return replace(query, embedding=embedding(query.embedding, dim, "query"))


def garments(product_id: str, points: Sequence[GarmentPoint], dim: int) -> list[GarmentPoint]:
    """The points of one product in canonical form."""
    text(product_id, "product_id")
    checked = []
    for point in points:
        garment_id = point_id(point.garment_id, "garment_id")
        what = f"garment {garment_id}"
        if point.product_id != product_id:
            raise InvalidRequest(f"{what}: product_id {point.product_id!r}, expected {product_id!r}")
        payload = complete_payload(point.payload, GARMENT_FIELDS, what)
        checked.append(GarmentPoint(garment_id, product_id, embedding(point.embedding, dim, what), payload))
    if len({point.garment_id for point in checked}) != len(checked):
        raise InvalidRequest(f"product {product_id}: a garment_id is given twice")
    return checked


def tastes(points: Mapping[str, Sequence[TastePoint]], dim: int) -> dict[str, list[TastePoint]]:
    """The centroids of each shopper in canonical form."""
    ids = [point_id(point.taste_id, "taste_id") for held in points.values() for point in held]
    if len(set(ids)) != len(ids):
        raise InvalidRequest("a taste_id is given twice")
    return {text(user_id, "user_id"): _tastes(user_id, held, dim) for user_id, held in points.items()}


def _tastes(user_id: str, points: Sequence[TastePoint], dim: int) -> list[TastePoint]:
    checked = []
    for point in points:
        what = f"taste {point.taste_id}"
        if point.user_id != user_id:
            raise InvalidRequest(f"{what}: user_id {point.user_id!r}, expected {user_id!r}")
        payload = complete_payload(point.payload, ("part",), what)
        checked.append(TastePoint(point.taste_id, user_id, embedding(point.embedding, dim, what), payload))
    return checked


def changes(product_id: str, values: Mapping[str, Any]) -> Payload:
    """Payload changes of a product in canonical form; None means delete."""
    what = f"product {text(product_id, 'product_id')}"
    return payload_changes(values, GARMENT_FIELDS, what)


def records(values: Mapping[str, bytes]) -> dict[str, bytes]:
    """Records by product id."""
    for product_id, record in values.items():
        what = f"record of {text(product_id, 'product_id')}"
        if not isinstance(record, bytes) or len(record) > MAX_RECORD_BYTES:
            raise InvalidRequest(f"{what}: {kind(record)}, expected bytes, at most {MAX_RECORD_BYTES}")
    return dict(values)
