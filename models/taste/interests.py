"""Interests: what a taste points at, a deterministic function of its contributions. Pure.

In: a `Taste`. Out: `Interest`s, each a centroid, a weight and its contributions with their weights.

Per part, the positive contributions are clustered: average-linkage agglomeration on cosine similarity
(Sokal and Michener 1958), which needs no number of clusters and no random start; it stops where the most
similar two clusters are less alike than `TasteSettings.alike`, and keeps the `per_part` heaviest. Weights
decay twice: with time (half-life in seconds) and with every newer event (`recency_events`), so that within
one visit the newest clicks lead. A single product is a whim: it weighs `whim` of what two products support.

With `TasteSettings.baseline()` there is one interest, the plain mean of the newest twelve: the published
centroid of Fashion Collection.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.taste.contributions import Contribution, Taste, TasteSettings, net

Floats = NDArray[np.float32]
MAX_PUSH: Final = 0.5


@dataclass(frozen=True, slots=True)
class Interest:
    """Something the shopper likes.

    Attributes:
        part: the part that it is about.
        centroid: (D,) unit float32, the normalised weighted mean, less what dismissals nearby push away.
        weight: its share of the shopper's attention before normalisation; never negative.
        contributions: those it is made of, with `weights` (positive), both heaviest first.
    """

    part: str
    centroid: Floats
    weight: float
    contributions: tuple[Contribution, ...]
    weights: tuple[float, ...]

    @property
    def exemplars(self) -> tuple[Contribution, ...]:
        """The strongest contributions of different products, at most four: what it looks like."""
        first: dict[str, Contribution] = {}
        for contribution in self.contributions:
            first.setdefault(contribution.product_id, contribution)
        return tuple(first.values())[:4]


def interests(taste: Taste, settings: TasteSettings) -> tuple[Interest, ...]:
    """The taste's interests, heaviest first; none where nothing positive is left."""
    held = net(taste.contributions)
    # Of what counts only: buying and giving back leaves every weight as it was.
    as_of_s = replace(taste, contributions=held).newest_s
    liked = _windowed([c for c in held if c.weight > 0], settings)
    disliked = [c for c in held if c.weight < 0]
    weighed = _recent(liked, as_of_s, settings)
    found: list[Interest] = []
    for part in sorted({c.part for c in liked}):
        members = [c for c in liked if c.part == part]
        clusters = _clusters(members, [weighed[c.key] for c in members], settings)
        found += [_interest(part, cluster, weighed) for cluster in clusters]
    if not found:
        return _forgotten_only(taste, as_of_s, settings)
    pushed = [_pushed(interest, disliked, as_of_s, settings) for interest in found]
    return tuple(sorted(_supported(pushed, settings), key=lambda i: (-i.weight, i.contributions[0].key)))


def _windowed(liked: list[Contribution], settings: TasteSettings) -> list[Contribution]:
    """The newest `window` contributions, in canonical order; all where there is no window."""
    if settings.window is None:
        return liked
    newest = sorted(liked, key=lambda c: (-c.event_time_s, c.key))[: settings.window]
    kept = {c.key for c in newest}
    return [c for c in liked if c.key in kept]


def _recent(
    liked: Sequence[Contribution], as_of_s: float, settings: TasteSettings
) -> dict[tuple[int, str], float]:
    """Each contribution's weight now: decayed with time, and with the number of newer events."""
    newest_of: dict[int, float] = {}
    for c in liked:
        newest_of[c.event_key] = max(newest_of.get(c.event_key, c.event_time_s), c.event_time_s)
    order = sorted(newest_of, key=lambda key: (-newest_of[key], key))
    rank = {key: place for place, key in enumerate(order)}
    return {
        c.key: c.decayed(as_of_s, settings.half_life_s)
        * 2.0 ** (-rank[c.event_key] / settings.recency_events)
        for c in liked
    }


def _clusters(
    members: list[Contribution], weights: list[float], settings: TasteSettings
) -> list[list[Contribution]]:
    """Average-linkage clusters of one part's contributions, heaviest first, at most `per_part`."""
    if settings.per_part == 1 or len(members) == 1:
        return [members]
    groups = [[index] for index in range(len(members))]
    embeddings = np.stack([c.embedding for c in members])
    linked = (embeddings @ embeddings.T).astype(np.float64)
    np.fill_diagonal(linked, -np.inf)
    sizes = np.ones(len(members))
    while True:
        flat = int(linked.argmax())
        one, other = sorted(divmod(flat, len(members)))
        if linked[one, other] < settings.alike:
            break
        merged = (sizes[one] * linked[one] + sizes[other] * linked[other]) / (sizes[one] + sizes[other])
        linked[one], linked[:, one] = merged, merged
        linked[one, one] = -np.inf
        linked[other], linked[:, other] = -np.inf, -np.inf
        sizes[one] += sizes[other]
        groups[one] += groups[other]
        groups[other] = []
    kept = sorted((g for g in groups if g), key=lambda g: (-sum(weights[i] for i in g), min(g)))
    return [[members[i] for i in sorted(g)] for g in kept[: settings.per_part]]


def _interest(part: str, cluster: Sequence[Contribution], weighed: dict[tuple[int, str], float]) -> Interest:
    ordered = sorted(cluster, key=lambda c: (-weighed[c.key], c.key))
    weights = tuple(weighed[c.key] for c in ordered)
    heaviest = weights[0] or 1.0  # weights of long ago are tiny, and their sum would count as none
    mean = np.sum([w / heaviest * c.embedding for w, c in zip(weights, ordered, strict=True)], axis=0)
    centroid = _unit(mean)
    if centroid is None:  # opposite embeddings that cancel: the strongest stands for all
        centroid = _unit(ordered[0].embedding)
    assert centroid is not None
    return Interest(part, centroid, float(sum(weights)), tuple(ordered), weights)


def _supported(found: Sequence[Interest], settings: TasteSettings) -> list[Interest]:
    """Interests of a single product count less, as soon as any has the support of two."""
    support = [len({c.product_id for c in interest.contributions}) for interest in found]
    if max(support) < 2:
        return list(found)
    return [
        interest if count >= 2 else replace(interest, weight=interest.weight * settings.whim)
        for interest, count in zip(found, support, strict=True)
    ]


def _pushed(
    interest: Interest, disliked: Sequence[Contribution], as_of_s: float, settings: TasteSettings
) -> Interest:
    """The interest moved away from dismissals like it; what is nothing like it does not touch it.

    The push is at most MAX_PUSH of the interest's weight, which turns the centroid by 30° at most: else one
    fresh dismissal would make an old interest search for whatever is least like what was dismissed.
    """
    push = np.zeros_like(interest.centroid)
    for c in disliked:
        likeness = float(interest.centroid @ c.embedding)
        if c.part == interest.part and likeness > 0:
            push += likeness * c.decayed(as_of_s, settings.half_life_s) * c.embedding
    length = float(np.linalg.norm(push))
    if length == 0.0 or interest.weight <= 0.0:
        return interest
    pushed = _unit(interest.centroid + push / np.float32(length) * min(length / interest.weight, MAX_PUSH))
    assert pushed is not None  # no push reaches as far as the centroid
    return replace(interest, centroid=pushed)


def _forgotten_only(taste: Taste, as_of_s: float, settings: TasteSettings) -> tuple[Interest, ...]:
    """What is left when every remembered contribution was taken back: the sums of what fell out."""
    if taste.forgotten is None:
        return ()
    rest = taste.forgotten.at(as_of_s, settings.half_life_s)
    centroid = _unit(rest.positive)
    if centroid is None or rest.positive_weight <= 0:
        return ()
    return (Interest("whole", centroid, rest.positive_weight, (), ()),)


def _unit(summed: Floats) -> Floats | None:
    length = float(np.linalg.norm(summed))
    return (summed / length).astype(np.float32) if length > 1e-6 else None
