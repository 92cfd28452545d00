"""What a set is worth: precision, coverage of two tastes, diversity, novelty; and intervals for their means.

In: sets of product indices (at most 24 each) and masks of products (P,). Out: numbers from 0 to 1 unless said
otherwise; bootstrap intervals (95 %) over shoppers. Pure.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Values = NDArray[np.float64]
Numbers = Sequence[float] | Values
RESAMPLES: Final = 1000
ROUNDED: Final = 4


def precision(found: Sequence[int], relevant: Mask, places: int) -> float:
    """The share of the first `places` that is relevant, of as many as could be."""
    possible = min(places, int(relevant.sum()))
    return float(relevant[list(found[:places])].sum()) / possible if possible else 0.0


def balanced(found: Sequence[int], one: Mask, other: Mask, places: int) -> float:
    """Twice the smaller of two tastes' shares of the first `places`."""
    first = list(found[:places])
    return 2.0 * float(min(one[first].sum(), other[first].sum())) / places


def diversity(found: Sequence[int], embeddings: NDArray[np.float32]) -> float:
    """One less the mean cosine between two of a set; 0 to 2."""
    if len(found) < 2:
        return 0.0
    rows = embeddings[list(found)]
    alike = rows @ rows.T
    return 1.0 - float(alike.sum() - np.trace(alike)) / (len(found) * (len(found) - 1))


def novelty_bits(found: Sequence[int], popularity: Values) -> float:
    """How surprising a set is: the mean of -log2 of each product's share of all looks; in bits."""
    return float(-np.log2(popularity[list(found)]).mean()) if found else 0.0


def interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """The bootstrap interval of a mean."""
    return _between(_resampled(np.asarray(values, np.float64), seed))


def ratio_interval(values: Numbers, others: Numbers, seed: int) -> tuple[float, float]:
    """The bootstrap interval of a ratio of means, of the same shoppers in the same order."""
    above = _resampled(np.asarray(values, np.float64), seed)
    below = _resampled(np.asarray(others, np.float64), seed)
    told = below > 0.0  # the same shoppers' mean of nought says nothing of a ratio
    return _between(above[told] / below[told]) if told.any() else (0.0, 0.0)


def reached(sets: Sequence[Sequence[int]], of: Sequence[int]) -> float:
    """The share of the products `of` that at least one set holds."""
    held = {product for found in sets for product in found}
    return len(held.intersection(of)) / len(of) if of else 0.0


def _resampled(values: Values, seed: int) -> Values:
    rows = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    means: Values = values[rows].mean(axis=1)
    return means


def _between(means: Values) -> tuple[float, float]:
    low, high = np.quantile(means, [0.025, 0.975])
    return round(float(low), ROUNDED), round(float(high), ROUNDED)
