"""What a taste remembers: a bounded, canonical set of contributions, the same in any order of events. Pure.

In: contributions (one garment of one interaction each). Out: a `Taste` without clock or order: the
strongest contributions decayed to a common time, as many as capacity and bytes allow, plus float32 sums of
those that fell out. Ties are broken by id, so two workers that saw the same events in different order hold
the same set.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.taste.codes import restored
from models.taste.forgotten import Forgotten, alone, summed
from models.taste.texts import text_bytes

WEIGHTS: Final[dict[str, float]] = {
    "product.viewed": 1.0,
    "product.clicked": 1.0,
    "product.added_to_wishlist": 2.0,
    "product.added_to_cart": 3.0,
    "product.purchased": 5.0,
    "product.dismissed": -3.0,
}
TAKES_BACK: Final[dict[str, str]] = {
    "product.refunded": "product.purchased",
    "product.removed_from_cart": "product.added_to_cart",
}
DAY_S: Final = 86_400.0
CONTRIBUTION_BYTES: Final = 36
"""What a contribution takes in a packed state besides its texts and codes."""

Rank = tuple[float, float, tuple[int, str]]
"""How a contribution compares with others, the strongest least: -strength, -event time, key."""


@dataclass(frozen=True, slots=True)
class TasteSettings:
    """How a taste weighs, forgets and falls into interests.

    Attributes:
        weights: weight per action; negative pushes away.
        half_life_s: seconds after which a contribution weighs half; inf never forgets.
        capacity: contributions remembered; what is weaker is only summed up.
        recency_products: newer products after which a contribution weighs half; inf ignores the order.
        per_part: most interests per part.
        pull: how far an interest is drawn to all of its part, as though by so much of its products.
        turn: the log odds from which the newest products are a turn (`clusters.turn`); inf sees none.
        whim: share of the weight of the newest product where it is like no other; 1 lets all such count.
        window: only the newest so many contributions count; None for all remembered.
    """

    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    half_life_s: float = 7 * DAY_S
    capacity: int = 64
    recency_products: float = 6.0
    per_part: int = 6
    pull: float = 0.85
    turn: float = 1.4
    whim: float = 0.05
    window: int | None = None

    @classmethod
    def baseline(cls) -> "TasteSettings":
        """The published centroid: the plain mean of the newest 12 items, nothing weighed, nothing decayed."""
        equal = {action: 1.0 for action, weight in WEIGHTS.items() if weight > 0}
        return cls(
            weights=equal,
            half_life_s=math.inf,
            recency_products=math.inf,
            per_part=1,
            turn=math.inf,
            whim=1.0,
            window=12,
        )

    def weight(self, action: str) -> float:
        """The signed weight of an action; one that takes another back has that one's weight."""
        return self.weights.get(TAKES_BACK.get(action, action), 0.0)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One garment of one interaction.

    `codes` (D,) and `scale` are the embedding in four bits (`models.taste.codes`), quantised once when made,
    so that packing loses nothing; scale 0 and no codes where it is still to be found. `weight` is a float32.
    """

    event_key: int
    product_id: str
    garment_id: str
    part: str
    action: str
    event_time_s: float
    weight: float
    codes: NDArray[np.int8]
    scale: float

    @property
    def embedding(self) -> NDArray[np.float32]:
        """The embedding (D,), of unit length."""
        return restored(self.codes, self.scale)

    @property
    def key(self) -> tuple[int, str]:
        """What makes it one: the event and the garment."""
        return self.event_key, self.garment_id

    @property
    def packed_bytes(self) -> int:
        """How many bytes it takes in a packed state, at most."""
        named_bytes = text_bytes(self.product_id) + text_bytes(self.garment_id)
        return CONTRIBUTION_BYTES + named_bytes + (len(self.codes) + 1) // 2

    def strength(self, half_life_s: float) -> float:
        """log2 |weight| + event time in half-lives: decay to any common time keeps this order."""
        return float(np.log2(abs(self.weight)) + self.event_time_s / half_life_s)

    def decayed(self, as_of_s: float, half_life_s: float) -> float:
        """Its signed weight at a time."""
        return float(self.weight * np.exp2((self.event_time_s - as_of_s) / half_life_s))


@dataclass(frozen=True, slots=True)
class Taste:
    """All of a shopper's remembered contributions, strongest first, and the sums of the rest.

    `floor` is the rank of the strongest that ever fell out: what is no stronger falls out at once. Else a
    small one could find room where a larger, stronger one did not, and the order of arrival would matter.
    """

    contributions: tuple[Contribution, ...] = ()
    forgotten: Forgotten | None = None
    floor: Rank | None = None

    @property
    def newest_s(self) -> float:
        """The newest event time in it: the common time to which it is decayed when read."""
        times = [contribution.event_time_s for contribution in self.contributions]
        if self.forgotten is not None:
            times.append(self.forgotten.as_of_s)
        return max(times, default=0.0)


def embeddings_of(contributions: Sequence[Contribution]) -> NDArray[np.float32]:
    """The embeddings (N, D) of N contributions that have one, at once: many times faster than one by one."""
    scales = np.array([c.scale for c in contributions], np.float32)
    return restored(np.stack([c.codes for c in contributions]), scales[:, None])


def add(
    taste: Taste, new: Iterable[Contribution], settings: TasteSettings, room_bytes: float = math.inf
) -> Taste:
    """The taste with more contributions, in so many bytes; one it already remembers changes nothing."""
    held = {contribution.key: contribution for contribution in taste.contributions}
    for contribution in new:
        if contribution.weight != 0.0:
            held.setdefault(contribution.key, contribution)
    return _canonical(replace(taste, contributions=tuple(held.values())), settings, room_bytes)


def merge(one: Taste, other: Taste, settings: TasteSettings, room_bytes: float = math.inf) -> Taste:
    """The union of two tastes (an anonymous visitor's and the user's), in so many bytes."""
    held = {contribution.key: contribution for contribution in (*one.contributions, *other.contributions)}
    forgotten = summed(one.forgotten, other.forgotten, settings.half_life_s)
    floor = min((f for f in (one.floor, other.floor) if f is not None), default=None)
    return _canonical(Taste(tuple(held.values()), forgotten, floor), settings, room_bytes)


def strong_enough(
    taste: Taste, contributions: Iterable[Contribution], settings: TasteSettings
) -> tuple[Contribution, ...]:
    """Those that the taste remembers or would; what is weaker has fallen out of it, if it was ever in it."""
    return tuple(c for c in contributions if taste.floor is None or _rank(c, settings) < taste.floor)


def net(contributions: Sequence[Contribution]) -> tuple[Contribution, ...]:
    """The contributions that count: each refund takes back a purchase of its garment, each removal a cart.

    The newest one up to the refund's time is taken back, else the oldest later one; a refund without its
    purchase waits for it. A function of the set: the order of arrival does not matter.
    """
    returned = [c for c in contributions if c.action in TAKES_BACK]
    if not returned:
        return tuple(contributions)
    gone: set[tuple[int, str]] = {c.key for c in returned}
    for refund in sorted(returned, key=lambda c: (c.event_time_s, c.key)):
        bought = sorted(
            (
                c
                for c in contributions
                if c.action == TAKES_BACK[refund.action]
                and (c.product_id, c.garment_id) == (refund.product_id, refund.garment_id)
                and c.key not in gone
            ),
            key=lambda c: (c.event_time_s, c.key),
        )
        earlier = [c for c in bought if c.event_time_s <= refund.event_time_s]
        if bought:
            gone.add((earlier[-1] if earlier else bought[0]).key)
    return tuple(c for c in contributions if c.key not in gone)


def _canonical(taste: Taste, settings: TasteSettings, room_bytes: float) -> Taste:
    """The taste with its contributions in order, and without those that there is no room for."""
    ranked = sorted(((_rank(c, settings), c) for c in taste.contributions), key=lambda row: row[0])
    kept = 0
    for rank, contribution in ranked:
        room_bytes -= contribution.packed_bytes
        if kept == settings.capacity or room_bytes < 0 or (taste.floor is not None and rank >= taste.floor):
            break
        kept += 1
    forgotten, floor = taste.forgotten, taste.floor
    for rank, contribution in ranked[kept:]:
        floor = rank if floor is None else min(floor, rank)
        # One by one and whatever it is paired with, or the sums would depend on the order of arrival. So a
        # purchase that falls out counts, though it was taken back: less than anything that is remembered.
        # One whose embedding is still to be found (scale 0) has nothing to add.
        if contribution.action not in TAKES_BACK and contribution.scale != 0.0:
            forgotten = summed(
                forgotten,
                alone(contribution.embedding, contribution.weight, contribution.event_time_s),
                settings.half_life_s,
            )
    return Taste(tuple(contribution for _, contribution in ranked[:kept]), forgotten, floor)


def _rank(contribution: Contribution, settings: TasteSettings) -> Rank:
    """Its place, the strongest first. Without decay all views are equally strong: the newest go first."""
    strength = contribution.strength(settings.half_life_s)
    return -strength, -contribution.event_time_s, contribution.key
