"""The order of hits does not depend on the order in which an engine found them."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vectorstore.base import GarmentFilter, Hit
from vectorstore.filters import Condition, forbidden, most_similar, newest_first, required

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def hit(number: int, similarity: float, indexed_at: float = 0.0) -> Hit:
    return Hit(str(uuid.UUID(int=number)), "p", similarity, {"indexed_at": indexed_at})


@unhurried
@given(st.data())
def test_order_of_arrival_and_rounding_do_not_matter(data: st.DataObject) -> None:
    levels = data.draw(st.lists(st.integers(-5, 5), max_size=12))
    exact = [hit(number, level / 10) for number, level in enumerate(levels)]
    noise = data.draw(st.lists(st.floats(-1e-8, 1e-8), min_size=len(levels), max_size=len(levels)))
    noisy = [
        hit(number, one.similarity + off) for number, (one, off) in enumerate(zip(exact, noise, strict=True))
    ]
    k = data.draw(st.integers(1, 14))
    expected = sorted(exact, key=lambda one: (-one.similarity, one.garment_id))[:k]
    ranked = most_similar(data.draw(st.permutations(noisy)), k, lambda one: one.garment_id)
    assert [one.garment_id for one in ranked] == [one.garment_id for one in expected]


@unhurried
@given(st.lists(st.integers(0, 4), max_size=10), st.integers(1, 12), st.randoms())
def test_newest_first_then_by_id(times: list[int], k: int, random: Any) -> None:
    hits = [hit(number, 0.0, time) for number, time in enumerate(times)]
    expected = [one.garment_id for one in newest_first(hits, k)]
    random.shuffle(hits)
    assert [one.garment_id for one in newest_first(hits, k)] == expected
    assert (
        expected
        == [
            str(uuid.UUID(int=number))
            for number in sorted(range(len(times)), key=lambda number: (-times[number], number))
        ][:k]
    )


def test_conditions() -> None:
    assert required(GarmentFilter(in_stock_only=False)) == []
    assert forbidden(GarmentFilter()) == []
    wanted = GarmentFilter(
        parts=frozenset({"lower", "bag"}),
        genders=frozenset({"male"}),
        age_groups=frozenset({"kids"}),
        excluded_product_keys=[3],
    )
    assert required(wanted) == [
        Condition("in_stock", [1]),
        Condition("part", ["bag", "lower"]),
        Condition("gender", ["male", "unisex"], or_missing=True),
        Condition("age_group", ["kids"], or_missing=True),
    ]
    assert forbidden(wanted) == [Condition("product_key", [3])]
