"""The systems that are compared: each answers what a shopper did with a set of products.

In: a catalogue, and acts one by one. Out: the indices of the products recommended, best first. None of them
shows what the shopper has acted on, and none knows the attributes. The search is exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.evaluation.taste.catalogue import Catalogue
from models.taste.contributions import TasteSettings
from models.taste.interests import interests
from models.taste.ranking import Candidate, Offer, RankingSettings, compose
from models.taste.shopper import Act, Shopper, acted, key_of

LENGTH: Final = 24
WINDOW: Final = 12  # what the published centroid is the mean of
PACE_S: Final = 60.0  # between two acts
Scores = NDArray[np.floating]


class Session(Protocol):
    """One shopper's visit to one system."""

    def act(self, product: int, action: str = "product.viewed") -> None:
        """The shopper does something with a product."""
        ...

    def answer(self) -> list[int]:
        """At most LENGTH products."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """A name, and what opens the session of the shopper of a number."""

    name: str
    open: Callable[[int], Session]


class _Scored:
    """A session that recommends what scores best, each product by its best garment."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.acted: list[int] = []

    def act(self, product: int, action: str = "product.viewed") -> None:
        self.acted.append(product)

    def answer(self) -> list[int]:
        scores = np.array(self.scores(), np.float64)
        scores[self.acted] = -np.inf
        best = np.argsort(-scores, kind="stable")[:LENGTH]
        return [int(product) for product in best if np.isfinite(scores[product])]

    def scores(self) -> Scores:
        """One score for each product, (P,)."""
        raise NotImplementedError


class _Random(_Scored):
    def __init__(self, catalogue: Catalogue, seed: int, number: int) -> None:
        super().__init__(catalogue)
        self.chance = np.random.default_rng([seed, 9, number])

    def scores(self) -> Scores:
        return self.chance.random(len(self.catalogue))


class _Popular(_Scored):
    def __init__(self, catalogue: Catalogue, popularity: Scores) -> None:
        super().__init__(catalogue)
        self.popularity = popularity

    def scores(self) -> Scores:
        return self.popularity


class _Centroid(_Scored):
    """What is nearest to the plain mean of the newest `window` whole photos: the published centroid."""

    def __init__(self, catalogue: Catalogue, window: int) -> None:
        super().__init__(catalogue)
        self.window = window

    def scores(self) -> Scores:
        newest = self.acted[-self.window :]
        scores: Scores = self.catalogue.whole @ self.catalogue.whole[newest].mean(axis=0)
        return scores


class _Lookstream:
    """The pure core as the services run it: acts → taste → interests → candidates → set."""

    def __init__(self, catalogue: Catalogue, ranking: RankingSettings, more: Offer, number: int) -> None:
        self.catalogue, self.ranking, self.more, self.number = catalogue, ranking, more, number
        self.taste = TasteSettings()
        self.shopper = Shopper("embedder")
        self.acted: list[int] = []

    def act(self, product: int, action: str = "product.viewed") -> None:
        found = self.catalogue.products[product]
        number = len(self.acted)
        act = Act(key_of(str(self.number), str(number)), action, found.product_id, PACE_S * number)
        self.shopper = acted(self.shopper, act, found.garments, self.taste)
        self.acted.append(product)

    def answer(self) -> list[int]:
        found = interests(self.shopper.taste, self.taste)
        owners, known = self.catalogue.owners, set(self.acted)
        allowed = ~np.isin(owners, self.acted)
        per_interest = []
        for interest in found:
            scores = np.where(allowed, self.catalogue.embeddings @ interest.centroid, -np.inf)
            best = np.argpartition(-scores, min(2 * LENGTH, len(scores) - 1))[: 2 * LENGTH]
            candidates = [candidate(self.catalogue, int(n), float(scores[n])) for n in best if allowed[n]]
            per_interest.append((interest, candidates))
        offer = Offer(
            per_interest,
            [c for c in self.more.trending if int(c.payload["product"]) not in known],
            [c for c in self.more.fresh if int(c.payload["product"]) not in known],
            known=len({c.product_id for interest in found for c in interest.contributions}),
        )
        return [int(pick.candidate.payload["product"]) for pick in compose(offer, self.ranking)]


def candidate(catalogue: Catalogue, garment: int, score: float) -> Candidate:
    """A garment, by its index, as a candidate of its product."""
    owner, found = int(catalogue.owners[garment]), catalogue.garments[garment]
    product = catalogue.products[owner]
    payload = {"part": product.part or found.part, "product": owner}
    return Candidate(product.product_id, found.garment_id, None, score, found.embedding, payload)


def first_garments(catalogue: Catalogue, products: Sequence[int]) -> list[Candidate]:
    """The products as candidates that were not searched for: trending ones, fresh ones."""
    first = np.searchsorted(catalogue.owners, products)
    return [candidate(catalogue, int(garment), 0.0) for garment in first]


def systems(
    catalogue: Catalogue, popularity: NDArray[np.float64], fresh: Sequence[int], seed: int
) -> dict[str, System]:
    """All of them by name; `fresh` are products indexed lately, the newest first."""
    trending = first_garments(catalogue, np.argsort(-popularity, kind="stable")[: 3 * LENGTH].tolist())
    newest = first_garments(catalogue, fresh)
    plain = RankingSettings(LENGTH, exploration=0.0, part_quota=1.0)
    usual = RankingSettings(LENGTH)

    def lookstream(ranking: RankingSettings, offered: Sequence[Candidate] = ()) -> Callable[[int], Session]:
        more = Offer(trending=trending, fresh=offered)
        return lambda number: _Lookstream(catalogue, ranking, more, number)

    exploring = RankingSettings(LENGTH, exploration=usual.exploration, part_quota=1.0)
    by_part = RankingSettings(LENGTH, exploration=0.0, part_quota=usual.part_quota)
    found = [
        System("random", lambda number: _Random(catalogue, seed, number)),
        System("popular", lambda number: _Popular(catalogue, popularity)),
        System("most recent item", lambda number: _Centroid(catalogue, 1)),
        System("centroid of 12", lambda number: _Centroid(catalogue, WINDOW)),
        System("lookstream", lookstream(plain)),
        System("lookstream + fresh", lookstream(exploring, newest)),
        System("lookstream + part quota", lookstream(by_part)),
    ]
    return {system.name: system for system in found}
