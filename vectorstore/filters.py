"""What a filter means and in which order hits come: said once, translated by each back end.

In: a `GarmentFilter` that passed the checks, hits as an engine ranked them. Out: conditions on payload
fields, hits in the interface's order. Pure; nothing can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from vectorstore.base import UNISEX, GarmentFilter, Hit, TasteHit
from vectorstore.checks import narrowing, product_keys

SPARE: Final = 16  # hits asked for beyond k, so that equal ones at the cut are chosen by id
EQUAL: Final = 1e-6  # similarities closer than this are one: engines sum in different orders

AnyHit = TypeVar("AnyHit", Hit, TasteHit)

# kind of payload index by field; every field a condition or an order uses is here
GARMENT_INDEXES: Final = {
    "product_id": "keyword",
    "product_key": "integer",
    "in_stock": "integer",
    "part": "keyword",
    "gender": "keyword",
    "age_group": "keyword",
    "indexed_at": "float",
}
TASTE_INDEXES: Final = {"user_id": "keyword", "part": "keyword"}


@dataclass(frozen=True, slots=True)
class Condition:
    """`field` has one of `values`; with `or_missing`, or is not there."""

    field: str
    values: list[str] | list[int]
    or_missing: bool = False


def required(wanted: GarmentFilter) -> list[Condition]:
    """Conditions that must all hold."""
    conditions = []
    if wanted.in_stock_only:
        conditions.append(Condition("in_stock", [1]))
    if (parts := narrowing(wanted.parts, "parts")) is not None:
        conditions.append(Condition("part", parts))
    if (genders := narrowing(wanted.genders, "genders")) is not None:
        conditions.append(Condition("gender", [*genders, UNISEX], or_missing=True))
    if (age_groups := narrowing(wanted.age_groups, "age_groups")) is not None:
        conditions.append(Condition("age_group", age_groups, or_missing=True))
    return conditions


def forbidden(wanted: GarmentFilter) -> list[Condition]:
    """Conditions none of which may hold."""
    keys: list[int] = product_keys(wanted.excluded_product_keys).tolist()
    return [Condition("product_key", keys)] if keys else []


def of_parts(parts: frozenset[str] | None) -> list[Condition]:
    """The condition of a search among centroids."""
    allowed = narrowing(parts, "parts")
    return [] if allowed is None else [Condition("part", allowed)]


def most_similar(hits: Sequence[AnyHit], k: int, identity: Callable[[AnyHit], str]) -> list[AnyHit]:
    """The first `k`, most similar first, runs of equal similarity by id."""
    ranked = sorted(hits, key=lambda hit: -hit.similarity)
    result: list[AnyHit] = []
    run: list[AnyHit] = []
    for hit in ranked:
        if run and run[-1].similarity - hit.similarity >= EQUAL:
            result += sorted(run, key=identity)
            run = []
        run.append(hit)
    return (result + sorted(run, key=identity))[:k]


def newest_first(hits: Sequence[Hit], k: int) -> list[Hit]:
    """The first `k`, largest `indexed_at` first, then by id."""
    return sorted(hits, key=lambda hit: (-float(hit.payload["indexed_at"]), hit.garment_id))[:k]
