"""A catalogue to shop in: products, their garments' embeddings, and what is true of each product.

In: garments and attributes. Out: `Catalogue`, and the tastes that shoppers can have in it. Fails with
ValueError for a catalogue in which no two tastes can be told apart.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.taste.shopper import GarmentSeen

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
FEWEST: Final = 24  # products of a taste: twelve to look at, and as many to be recommended
LARGEST: Final = 0.5  # of a catalogue: what more of it has is no taste
TOLD: Final = 0.5
TRIALS: Final = 20


@dataclass(frozen=True, eq=False)
class Product:
    """A product: what is true of it, its garments, and its whole photo's embedding (D,).

    `part` is that of the garment it is sold for, where the truth is known.
    """

    product_id: str
    attributes: frozenset[str]
    garments: tuple[GarmentSeen, ...]
    whole: Floats
    part: str | None = None


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Products P, of which `name` says where they come from."""

    name: str
    products: Sequence[Product]

    def __len__(self) -> int:
        return len(self.products)

    @cached_property
    def whole(self) -> Floats:
        """The whole photos' embeddings, (P, D)."""
        return np.stack([product.whole for product in self.products])

    @cached_property
    def embeddings(self) -> Floats:
        """The garments' embeddings, (G, D)."""
        return np.stack([garment.embedding for product in self.products for garment in product.garments])

    @cached_property
    def owners(self) -> NDArray[np.intp]:
        """Which product each garment belongs to, (G,)."""
        return np.repeat(np.arange(len(self)), [len(product.garments) for product in self.products])

    @cached_property
    def garments(self) -> tuple[GarmentSeen, ...]:
        """The garments, in the order of `embeddings`."""
        return tuple(garment for product in self.products for garment in product.garments)

    def having(self, *attributes: str) -> Mask:
        """Which products have any of these attributes, (P,)."""
        return np.array([not product.attributes.isdisjoint(attributes) for product in self.products])

    def share(self, attribute: str) -> float:
        """An attribute's share of the products."""
        return float(self.having(attribute).mean())


@dataclass(frozen=True, slots=True)
class Tastes:
    """The attributes that shoppers can like, and those that were left out because nothing tells them."""

    told: tuple[str, ...]
    untold: tuple[str, ...]


def tastes(catalogue: Catalogue) -> Tastes:
    """The tastes to be had in a catalogue; of two names for the same products the first.

    A taste is told where the published centroid tells it: of the 24 products nearest to the mean of twelve
    that have it, at least half have it too. Of another nobody could say whether a set follows it. Raises
    ValueError for fewer than two told.
    """
    counts = Counter(a for product in catalogue.products for a in product.attributes)
    wanted = sorted(a for a, n in counts.items() if FEWEST <= n <= LARGEST * len(catalogue))
    having = {catalogue.having(attribute).tobytes(): attribute for attribute in reversed(wanted)}
    precise = {attribute: _precision(catalogue, attribute) for attribute in sorted(having.values())}
    told = tuple(attribute for attribute, precision in precise.items() if precision >= TOLD)
    if len(told) < 2:
        sizes = ", ".join(f"{a} {n}" for a, n in counts.most_common(10)) or "none"
        raise ValueError(
            f"{catalogue.name}: got {len(told)} tastes that can be told apart, expected at least 2 attributes"
            f" with {FEWEST} products or more each (there are: {sizes})"
        )
    return Tastes(told, tuple(attribute for attribute in precise if attribute not in told))


def _precision(catalogue: Catalogue, attribute: str) -> float:
    """The published centroid's precision, of as many as could be, over TRIALS draws of twelve."""
    having = catalogue.having(attribute)
    chance = np.random.default_rng(0)
    found = []
    for _ in range(TRIALS):
        twelve = chance.choice(np.flatnonzero(having), FEWEST // 2, replace=False)
        likeness = catalogue.whole @ catalogue.whole[twelve].mean(axis=0)
        likeness[twelve] = -np.inf
        nearest = np.argsort(-likeness, kind="stable")[:FEWEST]
        found.append(having[nearest].sum() / min(FEWEST, int(having.sum()) - len(twelve)))
    return float(np.mean(found))
