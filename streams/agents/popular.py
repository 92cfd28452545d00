"""What a set is filled with where taste has nothing to say: trending garments, then the newest.

In: popularity and the index. Out: candidates by slot, in stock now, without what the shopper must not see.
What a batch of sets has in common, the popular products, the newest and the pinned ones, is looked up once
for all of them: a `Shelf` is a look at the shop at one moment, and no longer kept than the batch takes.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.taste.exclusions import product_key
from models.taste.ranking import Candidate
from streams.trending import Trending
from vectorstore.base import UNISEX, GarmentPoint, Hit, VectorStore

_SPARE: Final = 24  # newest garments beyond those that a set asks for: some of them each shopper has seen


@dataclass(frozen=True, slots=True)
class Slots:
    """Candidates beside the taste's: trending ones, most popular first, and fresh ones, newest first."""

    trending: list[Candidate]
    fresh: list[Candidate]


class PopularGarments:
    """The trending and the newest garments of the shop."""

    def __init__(self, store: VectorStore, trending: Trending) -> None:
        self.store, self.trending = store, trending

    def shelf(self) -> "Shelf":
        """The shop as it is now."""
        return Shelf(self.store, self.trending)


class Shelf:
    """What sets that are made at the same time are filled with, less what each shopper must not see."""

    def __init__(self, store: VectorStore, trending: Trending) -> None:
        self._store = store
        self._ranked = [(product_id, product_key(product_id)) for product_id in trending.popular()]
        self._products: dict[str, list[GarmentPoint]] = {}
        self._shown: dict[str, Candidate] = {}
        self._newest: dict[int, list[Candidate]] = {}
        self._looking = asyncio.Lock()  # sets are made side by side: what one looks up, the others wait for

    async def slots(
        self,
        length: int,
        excluded: Collection[int],
        genders: frozenset[str] | None,
        age_groups: frozenset[str] | None,
    ) -> Slots:
        """What may fill a set of `length` places."""
        keys = frozenset(excluded)
        ranked = [product_id for product_id, key in self._ranked if key not in keys][: 3 * length]
        found = await self.products(ranked)
        trending = [
            _ranked(self._shown[product_id], place)
            for place, product_id in enumerate(ranked)
            if product_id in found and _fits(found[product_id][0].payload, genders, age_groups)
        ]
        return Slots(trending, list(await self._fresh(2 * length, keys, genders, age_groups)))

    async def products(self, product_ids: Sequence[str]) -> Mapping[str, list[GarmentPoint]]:
        """All garments of those of these products that there are, and maybe of others."""
        async with self._looking:
            if missing := [product_id for product_id in product_ids if product_id not in self._products]:
                found = await self._store.fetch_products(missing)
                self._products |= {product_id: found.get(product_id, []) for product_id in missing}
                self._shown |= {pid: candidate_of(best_of(points), 0.0) for pid, points in found.items()}
        return {pid: points for pid in product_ids if (points := self._products[pid])}

    async def _fresh(
        self,
        count: int,
        keys: frozenset[int],
        genders: frozenset[str] | None,
        age_groups: frozenset[str] | None,
    ) -> Sequence[Candidate]:
        """The newest garments that this shopper may see; asked for alone where too few of all are."""
        async with self._looking:
            if count not in self._newest:
                self._newest[count] = _fresh(await self._store.newest(count + _SPARE))
        newest = self._newest[count]
        fitting = [
            candidate
            for candidate in newest
            if candidate.payload["product_key"] not in keys and _fits(candidate.payload, genders, age_groups)
        ]
        if len(fitting) >= count or len(newest) < count + _SPARE:
            return fitting[:count]
        return _fresh(
            await self._store.newest(
                count, excluded_product_keys=sorted(keys), genders=genders, age_groups=age_groups
            )
        )


def best_of(points: Sequence[GarmentPoint]) -> GarmentPoint:
    """The garment to show of a product: a detected one, the surest."""
    return max(
        points, key=lambda p: (p.payload["part"] != "whole", p.payload.get("score", 0.0), p.garment_id)
    )


def candidate_of(point: GarmentPoint, score: float) -> Candidate:
    group = point.payload.get("item_group_id")
    return Candidate(point.product_id, point.garment_id, group, score, point.embedding, point.payload)


def _ranked(shown: Candidate, place: int) -> Candidate:
    score = 1.0 / (1 + place)
    return Candidate(
        shown.product_id, shown.garment_id, shown.group_id, score, shown.embedding, shown.payload
    )


def _fresh(newest: Sequence[Hit]) -> list[Candidate]:
    return [
        Candidate(hit.product_id, hit.garment_id, hit.payload.get("item_group_id"), 0.0, None, hit.payload)
        for hit in newest
    ]


def _fits(
    payload: Mapping[str, Any], genders: frozenset[str] | None, age_groups: frozenset[str] | None
) -> bool:
    gender, age_group = payload.get("gender"), payload.get("age_group")
    return (
        bool(payload["in_stock"])
        and (genders is None or gender in (None, UNISEX) or gender in genders)
        and (age_groups is None or age_group is None or age_group in age_groups)
    )
