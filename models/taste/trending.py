"""Trending: decayed popularity of products, as numbers that add up whatever the order. Pure.

In: one weight per interaction, with its event time. Out: popularity per product, decayed to a common time.
A product's popularity is Σ w 2^(t/half-life), kept as a log2 to stay finite, so that sums over partitions,
late events and any order give the same number.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

MAX_PRODUCTS: Final = 500

Popularity = dict[str, float]
"""Product id → log2 Σ w 2^(t/half-life)."""


def log2_sum(one: float, other: float) -> float:
    """log2(2^one + 2^other) without overflow.

    >>> log2_sum(3.0, 3.0)
    4.0
    """
    high, low = max(one, other), min(one, other)
    return high + math.log2(1.0 + 2.0 ** (low - high)) if low > -math.inf else high


def counted(weight: float, event_time_s: float, half_life_s: float) -> float:
    """The popularity that one interaction of positive weight adds."""
    return math.log2(weight) + event_time_s / half_life_s


def summed(parts: Iterable[Mapping[str, float]], most: int = MAX_PRODUCTS) -> Popularity:
    """The sum of popularities, the `most` popular products, most popular first."""
    total: Popularity = {}
    for part in parts:
        for product_id, popularity in part.items():
            total[product_id] = log2_sum(total.get(product_id, -math.inf), popularity)
    return dict(sorted(total.items(), key=lambda row: (-row[1], row[0]))[:most])
