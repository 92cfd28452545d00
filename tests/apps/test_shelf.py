"""What sets are filled with: the same for each shopper as looked up alone, but looked up together."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_shop import DIM, NOW_S, BruteStore

from models.taste.exclusions import product_key
from streams.agents.popular import PopularGarments, Slots
from streams.trending import Trending
from vectorstore.base import GarmentPoint

PRODUCTS = 60
LENGTH = 4
GENDERS = (None, "female", "male", "unisex")


def shop() -> PopularGarments:
    """Products p0 … of all genders, some sold out, the newest last; those of even number are popular."""
    store, trending, random = BruteStore(), Trending(), np.random.default_rng(0)
    for number in range(PRODUCTS):
        embedding = random.normal(size=DIM).astype(np.float32)
        payload: dict[str, Any] = {"part": "upper", "in_stock": int(number % 7 > 0), "image": 0}
        payload |= {"product_key": product_key(f"p{number}"), "indexed_at": NOW_S + number}
        if (gender := GENDERS[number % 4]) is not None:
            payload["gender"] = gender
        garment_id = f"00000000-0000-0000-0000-{number:012d}"
        point = GarmentPoint(garment_id, f"p{number}", embedding / np.linalg.norm(embedding), payload)
        store.points[garment_id] = point
        if number % 2 == 0:
            trending.count(0, "upper", f"p{number}", 1.0 + number, NOW_S)
    return PopularGarments(store, trending)


SHOPPERS = st.lists(
    st.tuples(st.frozensets(st.integers(0, PRODUCTS - 1), max_size=50), st.sampled_from([None, "female"])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=50)
@given(SHOPPERS)
def test_together_is_the_same_as_alone(shoppers: list[tuple[frozenset[int], str | None]]) -> None:
    popular = shop()
    wanted = [
        (frozenset(product_key(f"p{n}") for n in seen), gender and frozenset({gender}))
        for seen, gender in shoppers
    ]

    async def run() -> None:
        shelf = popular.shelf()
        together = await asyncio.gather(*(shelf.slots(LENGTH, keys, kinds, None) for keys, kinds in wanted))
        for (keys, kinds), slots in zip(wanted, together, strict=True):
            alone = await popular.shelf().slots(LENGTH, keys, kinds, None)
            assert said(slots) == said(alone)
            newest = await popular.store.newest(
                2 * LENGTH, excluded_product_keys=sorted(keys), genders=kinds, age_groups=None
            )
            assert [c.product_id for c in slots.fresh] == [hit.product_id for hit in newest]
            for candidate in (*slots.trending, *slots.fresh):
                assert candidate.payload["in_stock"]
                assert candidate.payload["product_key"] not in keys
                assert kinds is None or candidate.payload.get("gender") in (None, "unisex", *kinds)

    asyncio.run(run())


def said(slots: Slots) -> Any:
    return [[(c.product_id, c.score) for c in held] for held in (slots.trending, slots.fresh)]


@pytest.mark.parametrize("shoppers", [1, 20])
def test_many_sets_look_once(shoppers: int) -> None:
    popular = shop()
    assert isinstance(popular.store, BruteStore)

    async def run() -> None:
        shelf = popular.shelf()
        await asyncio.gather(*(shelf.slots(LENGTH, (), None, None) for _ in range(shoppers)))

    popular.store.calls.clear()
    asyncio.run(run())
    assert sorted(popular.store.calls) == ["fetch_products", "newest"]
