"""What a set is filled with where taste has nothing to say: trending garments, then the newest.

In: popularity and the index. Out: candidates by slot, in stock now, without what the shopper must not see.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from models.taste.exclusions import product_key
from models.taste.ranking import Candidate
from streams.trending import Trending
from vectorstore.base import GarmentPoint, VectorStore


@dataclass(frozen=True, slots=True)
class Slots:
    """Candidates beside the taste's: trending ones, most popular first, and fresh ones, newest first."""

    trending: list[Candidate]
    fresh: list[Candidate]


class PopularGarments:
    """The trending and the newest garments of the shop, less what a shopper must not see."""

    def __init__(self, store: VectorStore, trending: Trending) -> None:
        self.store, self.trending = store, trending

    async def slots(
        self,
        length: int,
        excluded: Collection[int],
        genders: frozenset[str] | None,
        age_groups: frozenset[str] | None,
    ) -> Slots:
        """What may fill a set of `length` places."""
        keys = set(excluded)
        ranked = [pid for pid in self.trending.popular() if product_key(pid) not in keys][: 3 * length]
        found = await self.store.fetch_products(ranked) if ranked else {}
        trending = [
            candidate_of(best_of(found[product_id]), 1.0 / (1 + place))
            for place, product_id in enumerate(ranked)
            if product_id in found and _fits(found[product_id][0], genders, age_groups)
        ]
        newest = await self.store.newest(
            2 * length, excluded_product_keys=sorted(keys), genders=genders, age_groups=age_groups
        )
        fresh = [
            Candidate(
                hit.product_id, hit.garment_id, hit.payload.get("item_group_id"), 0.0, None, hit.payload
            )
            for hit in newest
        ]
        return Slots(trending, fresh)


def best_of(points: Sequence[GarmentPoint]) -> GarmentPoint:
    """The garment to show of a product: a detected one, the surest."""
    return max(
        points, key=lambda p: (p.payload["part"] != "whole", p.payload.get("score", 0.0), p.garment_id)
    )


def candidate_of(point: GarmentPoint, score: float) -> Candidate:
    group = point.payload.get("item_group_id")
    return Candidate(point.product_id, point.garment_id, group, score, point.embedding, point.payload)


def _fits(point: GarmentPoint, genders: frozenset[str] | None, age_groups: frozenset[str] | None) -> bool:
    gender, age_group = point.payload.get("gender"), point.payload.get("age_group")
    return (
        bool(point.payload["in_stock"])
        and (genders is None or gender in (None, "unisex") or gender in genders)
        and (age_groups is None or age_group is None or age_group in age_groups)
    )
