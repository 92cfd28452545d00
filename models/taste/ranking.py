"""Ranking: from candidates to a set, each item with its honest reason. Pure.

In: interests and candidates with embeddings. Out: `Pick`s in order. One per product and per item group.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.taste.interests import Interest


@dataclass(frozen=True, slots=True)
class Candidate:
    """A garment that could be recommended; `score` is the cosine to what it was searched with."""

    product_id: str
    garment_id: str
    group_id: str | None
    score: float
    embedding: NDArray[np.float32] | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reason:
    """The contribution with the largest share of an item's score."""

    product_id: str
    garment_id: str
    action: str
    share: float


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate that made it into the set, in which slot and why (None outside taste)."""

    candidate: Candidate
    slot: str
    reason: Reason | None


def reason(interest: Interest, embedding: NDArray[np.float32]) -> Reason | None:
    """Why a garment with this embedding (D,) is near an interest.

    The score is Σ wᵢ eᵢ·x over the interest's contributions; the share is the largest term's fraction of the
    positive terms. What the shopper disliked is no reason, though a term of it may be positive. None where
    nothing liked has a positive term.
    """
    if not interest.contributions:
        return None
    terms = np.array(
        [
            weight * float(c.embedding @ embedding)
            for c, weight in zip(interest.contributions, interest.weights, strict=True)
        ]
    )
    liked = np.where(np.array(interest.weights) > 0, terms, -np.inf)
    best = int(liked.argmax())
    if liked[best] <= 0.0:
        return None
    positive = float(terms[terms > 0].sum())
    found = interest.contributions[best]
    return Reason(found.product_id, found.garment_id, found.action, min(1.0, float(terms[best]) / positive))


def distinct(candidates: Iterable[Candidate], taken: Iterable[Candidate] = ()) -> list[Candidate]:
    """The candidates in their order, one per product and per item group, none of those already taken."""
    products = {c.product_id for c in taken}
    groups = {c.group_id for c in taken if c.group_id}
    kept: list[Candidate] = []
    for candidate in candidates:
        if candidate.product_id in products or (candidate.group_id and candidate.group_id in groups):
            continue
        products.add(candidate.product_id)
        if candidate.group_id:
            groups.add(candidate.group_id)
        kept.append(candidate)
    return kept


def taste_slots(length: int, contributions: int, settled: int = 3) -> int:
    """How many of `length` items follow the taste: all from `settled` contributions on, 3/4 before that.

    One view says little; the rest shows what others like until the shopper has said more.
    """
    if contributions == 0:
        return 0
    return length if contributions >= settled else length - length // 4


def compose(
    per_interest: Sequence[tuple[Interest, Sequence[Candidate]]],
    fallbacks: Sequence[tuple[str, Sequence[Candidate]]],
    length: int,
    of_taste: int,
) -> list[Pick]:
    """A set of at most `length` picks: `of_taste` from the interests by score, then from the fallbacks.

    Args:
        per_interest: each interest with its candidates.
        fallbacks: (slot, candidates in order), tried one after the other until the set is full.
    """
    scored = sorted(
        ((c.score, interest, c) for interest, candidates in per_interest for c in candidates),
        key=lambda row: (-row[0], row[2].garment_id),
    )
    owner = {c.garment_id: interest for _, interest, c in reversed(scored)}
    by_taste = distinct(c for _, _, c in scored)
    of_taste = min(of_taste, length)
    picks = [_because(owner[c.garment_id], c) for c in by_taste[:of_taste]]
    for slot, candidates in fallbacks:
        rest = distinct(candidates, [pick.candidate for pick in picks])
        picks += [Pick(c, slot, None) for c in rest[: length - len(picks)]]
    if len(picks) < length:  # a small catalogue: rather more of the taste than an empty place
        rest = distinct(by_taste[of_taste:], [pick.candidate for pick in picks])
        picks += [_because(owner[c.garment_id], c) for c in rest[: length - len(picks)]]
    return picks


def _because(interest: Interest, candidate: Candidate) -> Pick:
    if candidate.embedding is None:
        raise ValueError(f"candidate {candidate.garment_id}: got no embedding, expected one to explain it by")
    return Pick(candidate, "taste", reason(interest, candidate.embedding))
