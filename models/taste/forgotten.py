"""Sums of the contributions that fell out of a taste: they still say where it points. Pure.

In: embeddings with their weight and time. Out: float32 sums, positive and negative apart, decayed to a common
time, so that they add up whatever the order.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Sums of what fell out, decayed to `as_of_s`: positive and negative apart, (D,) each."""

    positive: NDArray[np.float32]
    negative: NDArray[np.float32]
    positive_weight: float = 0.0
    negative_weight: float = 0.0
    as_of_s: float = 0.0

    def at(self, as_of_s: float, half_life_s: float) -> "Forgotten":
        """The same sums decayed to another time."""
        factor = float(np.exp2((self.as_of_s - as_of_s) / half_life_s))
        return Forgotten(
            (self.positive * factor).astype(np.float32),
            (self.negative * factor).astype(np.float32),
            self.positive_weight * factor,
            self.negative_weight * factor,
            as_of_s,
        )


def alone(embedding: NDArray[np.float32], weight: float, event_time_s: float) -> Forgotten:
    """The sums of one embedding (D,) of a signed weight."""
    weighted = embedding * np.float32(abs(weight))
    zeros = np.zeros_like(weighted)
    if weight > 0:
        return Forgotten(weighted, zeros, weight, 0.0, event_time_s)
    return Forgotten(zeros, weighted, 0.0, -weight, event_time_s)


def summed(one: Forgotten | None, other: Forgotten | None, half_life_s: float) -> Forgotten | None:
    """The sum of two, decayed to the newer one's time."""
    if one is None or other is None:
        return one or other
    as_of_s = max(one.as_of_s, other.as_of_s)
    one, other = one.at(as_of_s, half_life_s), other.at(as_of_s, half_life_s)
    return replace(
        one,
        positive=one.positive + other.positive,
        negative=one.negative + other.negative,
        positive_weight=one.positive_weight + other.positive_weight,
        negative_weight=one.negative_weight + other.negative_weight,
    )
