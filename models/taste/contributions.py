"""What a taste remembers: a bounded, canonical set of contributions, the same in any order of events. Pure.

In: contributions (one garment of one interaction each). Out: a `Taste` without clock or order: the
strongest `capacity` contributions decayed to a common time, plus float32 sums of those that fell out. Ties
are broken by id, so two workers that saw the same events in different order hold the same set.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True)
class TasteSettings:
    """How a taste weighs, forgets and falls into interests.

    Attributes:
        weights: weight per action; negative pushes away.
        half_life_s: seconds after which a contribution weighs half; inf never forgets.
        capacity: contributions remembered; what is weaker is only summed up.
        recency_events: newer events after which a contribution weighs half; inf ignores the order.
        per_part: most interests per part.
        alike: cosine similarity from which two clusters are one interest.
        whim: weight of an interest of one product beside those of several.
        window: only the newest so many contributions count; None for all remembered.
    """

    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    half_life_s: float = 7 * DAY_S
    capacity: int = 64
    recency_events: float = 4.0
    per_part: int = 6
    alike: float = 0.30
    whim: float = 0.2
    window: int | None = None

    @classmethod
    def baseline(cls) -> "TasteSettings":
        """The published centroid: the plain mean of the newest 12 items, nothing weighed, nothing decayed."""
        equal = {action: 1.0 for action, weight in WEIGHTS.items() if weight > 0}
        return cls(
            weights=equal, half_life_s=math.inf, recency_events=math.inf, per_part=1, whim=1.0, window=12
        )

    def weight(self, action: str) -> float:
        """The signed weight of an action; one that takes another back has that one's weight."""
        return self.weights.get(TAKES_BACK.get(action, action), 0.0)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One garment of one interaction.

    `codes` is the embedding in int8, (D,), times `scale`: quantised once when made, so packing loses nothing.
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
        """The embedding (D,), unit but for quantisation (cosine ≥ 0.9995 as long as D·max² ≤ 150)."""
        return self.codes.astype(np.float32) * np.float32(self.scale)

    @property
    def key(self) -> tuple[int, str]:
        """What makes it one: the event and the garment."""
        return self.event_key, self.garment_id

    def strength(self, half_life_s: float) -> float:
        """log2 |weight| + event time in half-lives: decay to any common time keeps this order."""
        return float(np.log2(abs(self.weight)) + self.event_time_s / half_life_s)

    def decayed(self, as_of_s: float, half_life_s: float) -> float:
        """Its signed weight at a time."""
        return float(self.weight * np.exp2((self.event_time_s - as_of_s) / half_life_s))


def quantise(embedding: NDArray[np.float32]) -> tuple[NDArray[np.int8], float]:
    """Int8 codes (D,) and the scale that gives the embedding (D,) back."""
    scale = float(np.abs(embedding).max()) / 127.0 or 1.0
    return np.rint(embedding / scale).astype(np.int8), float(np.float32(scale))


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


@dataclass(frozen=True, slots=True)
class Taste:
    """All of a shopper's remembered contributions, strongest first, and the sums of the rest."""

    contributions: tuple[Contribution, ...] = ()
    forgotten: Forgotten | None = None

    @property
    def newest_s(self) -> float:
        """The newest event time in it: the common time to which it is decayed when read."""
        times = [contribution.event_time_s for contribution in self.contributions]
        if self.forgotten is not None:
            times.append(self.forgotten.as_of_s)
        return max(times, default=0.0)


def add(taste: Taste, new: Iterable[Contribution], settings: TasteSettings) -> Taste:
    """The taste with more contributions; one it already remembers changes nothing."""
    held = {contribution.key: contribution for contribution in taste.contributions}
    for contribution in new:
        if contribution.weight != 0.0:
            held.setdefault(contribution.key, contribution)
    return _canonical(held.values(), taste.forgotten, settings)


def merge(one: Taste, other: Taste, settings: TasteSettings) -> Taste:
    """The union of two tastes (an anonymous visitor's and the user's)."""
    held = {contribution.key: contribution for contribution in (*one.contributions, *other.contributions)}
    return _canonical(held.values(), _summed(one.forgotten, other.forgotten, settings.half_life_s), settings)


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


def _canonical(
    contributions: Iterable[Contribution], forgotten: Forgotten | None, settings: TasteSettings
) -> Taste:
    # Without decay all views are equally strong: then the newest ones stay.
    ordered = sorted(contributions, key=lambda c: (-c.strength(settings.half_life_s), -c.event_time_s, c.key))
    for contribution in ordered[settings.capacity :]:
        # One by one and whatever it is paired with, or the sums would depend on the order of arrival. So a
        # purchase that falls out counts, though it was taken back: less than anything that is remembered.
        if contribution.action not in TAKES_BACK:
            forgotten = _summed(forgotten, _alone(contribution), settings.half_life_s)
    return Taste(tuple(ordered[: settings.capacity]), forgotten)


def _alone(contribution: Contribution) -> Forgotten:
    weighted = contribution.embedding * np.float32(abs(contribution.weight))
    zeros = np.zeros_like(weighted)
    if contribution.weight > 0:
        return Forgotten(weighted, zeros, contribution.weight, 0.0, contribution.event_time_s)
    return Forgotten(zeros, weighted, 0.0, -contribution.weight, contribution.event_time_s)


def _summed(one: Forgotten | None, other: Forgotten | None, half_life_s: float) -> Forgotten | None:
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
