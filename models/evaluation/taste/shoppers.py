"""Simulated shoppers: what each of them looks at, one thing after another.

In: a catalogue, its tastes, a seed. Out: `Visit`s, the same for the same seed. A shopper looks at products
that have what the shopper likes, popular ones more often; strays are any products at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.taste.catalogue import Catalogue

LOOKS: Final = 12
STRAYS: Final = 3  # among fifteen: 20 %
LARGEST_OVERLAP: Final = 0.25  # of the smaller of two tastes
ACTIONS: Final = (
    ("product.viewed", 12),
    ("product.clicked", 3),
    ("product.added_to_wishlist", 2),
    ("product.added_to_cart", 2),
    ("product.purchased", 1),
)
DEMO_ACTS: Final = 14
DEMO_STRAYS: Final = 0.08

Shown = Callable[[int, str], Sequence[int]]
"""Acts on a product, and gives the set that is shown then."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a shopper likes (of two tastes the newer last), and the products looked at, in order."""

    likes: tuple[str, ...]
    looks: tuple[int, ...]


class Shoppers:
    """Shoppers of one catalogue. `popularity` (P,) is each product's share of all that is looked at."""

    def __init__(self, catalogue: Catalogue, tastes: Sequence[str], seed: int) -> None:
        self.catalogue, self.tastes, self.seed = catalogue, tuple(tastes), seed
        drawn = np.exp(np.random.default_rng([seed, 0]).normal(size=len(catalogue)))
        self.popularity: NDArray[np.float64] = drawn / drawn.sum()
        self.having = {taste: catalogue.having(taste) for taste in self.tastes}
        self.pairs = [(one, other) for one in self.tastes for other in self.tastes if self._apart(one, other)]
        if not self.pairs:
            raise ValueError(f"{catalogue.name}: got no two tastes that share few products, expected some")

    def single(self, number: int) -> Visit:
        """Twelve products of one taste."""
        chance, taste = self._of(number)
        return Visit((taste,), self._looks(chance, self.having[taste], LOOKS))

    def noisy(self, number: int) -> Visit:
        """The same shopper, who also looks at three strays."""
        visit = self.single(number)
        chance = np.random.default_rng([self.seed, 2, number])
        looks = list(visit.looks)
        others = np.ones(len(self.catalogue), bool)
        others[looks] = False
        for stray in self._looks(chance, others, STRAYS):
            looks.insert(int(chance.integers(len(looks) + 1)), stray)
        return Visit(visit.likes, tuple(looks))

    def cold(self, number: int) -> Visit:
        """The same shopper, who has looked at one product only."""
        visit = self.single(number)
        return Visit(visit.likes, visit.looks[:1])

    def two(self, number: int) -> Visit:
        """Six products each of two tastes, in any order."""
        chance, pair, (first, second) = self._of_two(number)
        looks = [*self._looks(chance, first, LOOKS // 2), *self._looks(chance, second, LOOKS // 2)]
        return Visit(pair, tuple(looks[n] for n in chance.permutation(len(looks))))

    def drift(self, number: int) -> Visit:
        """Twelve products of one taste, then twelve of another."""
        chance, pair, (first, second) = self._of_two(number)
        return Visit(pair, (*self._looks(chance, first, LOOKS), *self._looks(chance, second, LOOKS)))

    def demo(self, taste: str, number: int, act: Shown) -> None:
        """The demo's way: acts of all kinds, half of them on what is shown, some strays; nothing twice."""
        chance = np.random.default_rng([self.seed, 4, number])
        kinds = [kind for kind, weight in ACTIONS for _ in range(weight)]
        left = self.catalogue.having(taste)
        shown: Sequence[int] = ()
        for _ in range(DEMO_ACTS):
            offered = [product for product in shown if left[product]]
            action, product = kinds[int(chance.integers(len(kinds)))], 0
            if chance.random() < DEMO_STRAYS or not left.any():
                action, product = "product.viewed", int(chance.integers(len(left)))
            elif offered and chance.random() < 0.5:
                product = offered[int(chance.integers(len(offered)))]
            else:
                product = int(chance.choice(np.flatnonzero(left)))
            left[product] = False
            shown = act(product, action)

    def _of(self, number: int) -> tuple[np.random.Generator, str]:
        chance = np.random.default_rng([self.seed, 1, number])
        return chance, self.tastes[int(chance.integers(len(self.tastes)))]

    def _of_two(
        self, number: int
    ) -> tuple[np.random.Generator, tuple[str, str], tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        chance = np.random.default_rng([self.seed, 3, number])
        one, other = self.pairs[int(chance.integers(len(self.pairs)))]
        of_one, of_other = self.having[one], self.having[other]
        return chance, (one, other), (of_one & ~of_other, of_other & ~of_one)

    def _looks(self, chance: np.random.Generator, among: NDArray[np.bool_], count: int) -> tuple[int, ...]:
        products = np.flatnonzero(among)
        weights = self.popularity[products]
        drawn = chance.choice(products, min(count, len(products)), replace=False, p=weights / weights.sum())
        return tuple(drawn.tolist())

    def _apart(self, one: str, other: str) -> bool:
        both = int((self.having[one] & self.having[other]).sum())
        smaller = int(min(self.having[one].sum(), self.having[other].sum()))
        return one != other and both <= LARGEST_OVERLAP * smaller and smaller - both >= LOOKS
