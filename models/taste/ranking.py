"""Ranking: from candidates to a set, each item with its honest reason. Pure.

In: interests with their candidates, what is trending, fresh or pinned, rules. Out: `Pick`s in order. Places
are dealt to the interests in proportion to their weights, so that every beginning of the set has each in its
share; each takes its best candidate by maximal marginal relevance (Carbonell and Goldstein 1998). One per
product and per item group, and of one part no more than its quota.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.taste.interests import Interest
from models.taste.reasons import Reason, explained, weighed_embeddings
from models.taste.rules import Rules


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
class Pick:
    """A candidate that made it into the set, in which slot and why (None outside taste)."""

    candidate: Candidate
    slot: str
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class RankingSettings:
    """How a set is put together.

    Attributes:
        length: most items in a set.
        exploration: share of the places for fresh garments.
        part_quota: most of the places for one part (`whole` has no quota); 1 switches it off.
        diversity: MMR's trade-off: 0 is by score alone, 1 by difference alone.
        settled: products that a taste must know before all other places follow it; before, 3/4 do.
    """

    length: int = 24
    exploration: float = 0.10
    part_quota: float = 0.6
    diversity: float = 0.1
    settled: int = 3


@dataclass(frozen=True, slots=True)
class Offer:
    """What a set can be made of; `known` is how many products the taste is built on."""

    per_interest: Sequence[tuple[Interest, Sequence[Candidate]]] = ()
    trending: Sequence[Candidate] = ()
    fresh: Sequence[Candidate] = ()
    pinned: Sequence[tuple[int, Candidate]] = ()
    rules: Rules = field(default_factory=Rules)
    known: int = 0


def taste_places(settings: RankingSettings, known: int) -> int:
    """How many places follow the taste: one view says little, so until it is settled others' taste helps."""
    if known == 0:
        return 0
    return settings.length if known >= settings.settled else settings.length - settings.length // 4


def compose(offer: Offer, settings: RankingSettings) -> list[Pick]:
    """A set of at most `length` picks: taste with fresh garments between, then what is trending; pins."""
    made = _Set(offer.rules, settings)
    pins: list[tuple[int, Candidate]] = []
    for position, candidate in offer.pinned:
        if len(pins) < settings.length and made.free(candidate):
            made.take(candidate)
            pins.append((position, candidate))
    length = settings.length - len(pins)
    of_taste = min(length, taste_places(settings, offer.known)) if offer.per_interest else 0
    explored = round(of_taste * settings.exploration) if offer.fresh else 0
    picks = [*made.by_taste(offer.per_interest, of_taste - explored)]
    fresh = made.in_order(_rotated(offer.fresh, offer.per_interest), explored, "fresh")
    picks = _spread(picks, fresh)
    picks += made.in_order(offer.trending, length - len(picks), "trending")
    picks += made.in_order(offer.fresh, length - len(picks), "fresh")
    made.part_quota = math.inf  # nothing else is left to offer
    picks += made.by_taste(offer.per_interest, length - len(picks))
    for position, candidate in pins:
        picks.insert(min(position - 1, len(picks)), Pick(candidate, "pinned", None))
    return picks


class _Set:
    """A set in the making: what it holds already decides what may still come in."""

    def __init__(self, rules: Rules, settings: RankingSettings) -> None:
        self.rules, self.settings = rules, settings
        self.part_quota = settings.part_quota
        self.products: set[str] = set()
        self.groups: set[str] = set()
        self.parts: Counter[str] = Counter()
        self.taken: list[NDArray[np.float32]] = []

    def free(self, candidate: Candidate) -> bool:
        """Whether the candidate's product and group are not in the set, and no rule blocks it."""
        return (
            candidate.product_id not in self.products
            and not (candidate.group_id and candidate.group_id in self.groups)
            and not (self.rules.by_id and self.rules.blocks(candidate.product_id, candidate.payload))
        )

    def take(self, candidate: Candidate) -> None:
        """Note that it is in the set."""
        self.products.add(candidate.product_id)
        if candidate.group_id:
            self.groups.add(candidate.group_id)
        self.parts[_part(candidate)] += 1
        if candidate.embedding is not None:
            self.taken.append(candidate.embedding)

    def in_order(self, candidates: Iterable[Candidate], most: int, slot: str) -> list[Pick]:
        """The first free ones, as they come."""
        picks: list[Pick] = []
        for candidate in candidates:
            if len(picks) >= most:
                break
            if self.free(candidate):
                self.take(candidate)
                picks.append(Pick(candidate, slot, None))
        return picks

    def by_taste(self, offered: Sequence[tuple[Interest, Sequence[Candidate]]], most: int) -> list[Pick]:
        """Deal `most` places to the interests by weight; one with nothing left leaves its share to others."""
        if most <= 0:
            return []
        pools = [(interest, _Pool(candidates, self.rules)) for interest, candidates in offered]
        weighed: dict[int, NDArray[np.float32]] = {}
        dealt = [0.0] * len(pools)
        picks: list[Pick] = []
        while len(picks) < most:
            open_ = [n for n, (_, pool) in enumerate(pools) if not pool.exhausted]
            if not open_:
                break
            # Sainte-Laguë: the next place goes to the interest that has had least for its weight.
            turn = min(open_, key=lambda n: ((dealt[n] + 0.5) / max(pools[n][0].weight, 1e-12), n))
            interest, pool = pools[turn]
            candidate = pool.best(self)
            if candidate is None:
                continue
            dealt[turn] += 1
            self.take(candidate)
            if candidate.embedding is None:
                raise ValueError(f"candidate {candidate.garment_id}: got no embedding to explain it by")
            if turn not in weighed:
                weighed[turn] = weighed_embeddings(interest)
            picks.append(Pick(candidate, "taste", explained(interest, weighed[turn], candidate.embedding)))
        return picks

    def within_quota(self, part: str) -> bool:
        """Whether one more of this part keeps its quota."""
        return part == "whole" or self.parts[part] + 1 <= self.part_quota * self.settings.length


class _Pool:
    """One interest's candidates, taken by maximal marginal relevance."""

    def __init__(self, candidates: Sequence[Candidate], rules: Rules) -> None:
        scored = [(_boosted(c.score, rules.factor(c.product_id, c.payload)), c) for c in candidates]
        scored.sort(key=lambda row: (-row[0], row[1].garment_id))
        self.candidates = [candidate for _, candidate in scored]
        self.scores = np.array([score for score, _ in scored])
        self.parts = [_part(candidate) for candidate in self.candidates]
        self.kinds = frozenset(self.parts)
        self.left = [
            n
            for n, c in enumerate(self.candidates)
            if not (rules.by_id and rules.blocks(c.product_id, c.payload))
        ]
        self.exhausted = not scored
        self.embeddings: NDArray[np.float32] | None = None
        self.alike = np.full(len(scored), -np.inf)
        self.compared = 0

    def best(self, made: _Set) -> Candidate | None:
        """The best free candidate, within its part's quota as long as there is such a one."""
        candidates, products, groups = self.candidates, made.products, made.groups
        self.left = [
            n
            for n in self.left
            if (c := candidates[n]).product_id not in products and not (c.group_id and c.group_id in groups)
        ]
        full = {part for part in self.kinds if not made.within_quota(part)}
        allowed = [n for n in self.left if self.parts[n] not in full] if full else self.left
        if not allowed:
            self.exhausted = True
            return None
        diversity = made.settings.diversity
        if diversity <= 0 or not made.taken:
            return self.candidates[allowed[0]]
        self._compare(made.taken)
        worth = (1 - diversity) * self.scores[allowed] - diversity * self.alike[allowed]
        return self.candidates[allowed[int(worth.argmax())]]

    def _compare(self, taken: Sequence[NDArray[np.float32]]) -> None:
        """Note how alike each candidate is to what was taken since the last time."""
        if self.embeddings is None:
            self.embeddings = np.stack([_embedding(c) for c in self.candidates])
        for embedding in taken[self.compared :]:
            np.maximum(self.alike, self.embeddings @ embedding, out=self.alike)
        self.compared = len(taken)


def _boosted(score: float, factor: float) -> float:
    """A greater factor is always better, also for a score below nought."""
    return score * factor if score >= 0.0 else score / factor


def _part(candidate: Candidate) -> str:
    return str(candidate.payload.get("part", "whole"))


def _embedding(candidate: Candidate) -> NDArray[np.float32]:
    if candidate.embedding is None:
        raise ValueError(f"candidate {candidate.garment_id}: got no embedding, expected one to rank it by")
    return candidate.embedding


def _rotated(
    fresh: Sequence[Candidate], offered: Sequence[tuple[Interest, Sequence[Candidate]]]
) -> Sequence[Candidate]:
    """Each taste, and each after another event, begins elsewhere: else everybody is shown the same few."""
    events = {c.event_key for interest, _ in offered for c in interest.contributions}
    start = sum(events) % len(fresh) if fresh else 0
    return [*fresh[start:], *fresh[:start]]


def _spread(picks: list[Pick], between: list[Pick]) -> list[Pick]:
    """`between` put among `picks` at equal distances, none of them first."""
    spread = list(picks)
    total = len(picks) + len(between)
    for number, pick in enumerate(between, 1):
        place = max(1, round(number * total / (len(between) + 0.5)) - 1)
        spread.insert(min(len(spread), place), pick)
    return spread
