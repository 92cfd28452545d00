"""Reasons: which contribution an item is there for, and how much of its score is that one's. Pure.

In: an interest and an item's embedding. Out: a `Reason`, or None where nothing speaks for the item.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.taste.contributions import embeddings_of
from models.taste.interests import Interest


@dataclass(frozen=True, slots=True)
class Reason:
    """The contribution with the largest share of an item's score."""

    product_id: str
    garment_id: str
    action: str
    share: float


def reason(interest: Interest, embedding: NDArray[np.float32]) -> Reason | None:
    """Why a garment with this embedding (D,) is near an interest.

    The score is Σ wᵢ eᵢ·x over the interest's contributions; the share is the largest term's fraction of the
    positive terms. None where no term is positive.
    """
    return explained(interest, weighed_embeddings(interest), embedding)


def weighed_embeddings(interest: Interest) -> NDArray[np.float32]:
    """wᵢ eᵢ of an interest's contributions, (N, D)."""
    if not interest.contributions:
        return np.zeros((0, len(interest.centroid)), np.float32)
    weights = np.array(interest.weights, np.float32)
    return weights[:, None] * embeddings_of(interest.contributions)


def explained(
    interest: Interest, weighed: NDArray[np.float32], embedding: NDArray[np.float32]
) -> Reason | None:
    """`reason` for many items: `weighed` is what `weighed_embeddings(interest)` gave, once for all."""
    terms = weighed @ embedding
    positive = float(terms[terms > 0].sum())
    if positive <= 0.0:
        return None
    best = int(terms.argmax())
    found = interest.contributions[best]
    return Reason(found.product_id, found.garment_id, found.action, min(1.0, float(terms[best]) / positive))
