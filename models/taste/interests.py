"""Interests: what a taste points at, a deterministic function of its contributions. Pure.

In: a `Taste`. Out: `Interest`s, each a centroid, a weight and its contributions with their weights.

Per part, the garments liked fall into clusters (`models.taste.clusters`), each an interest. Its centroid is
the mean of its garments, drawn to that of all garments of the part. Its weight is that of its contributions,
less with every newer product. Where the newest products are a turn, something that the rest is not, they have
interests of their own and most of the weight. One product alone is a whim unless it was
bought: beside interests of several it counts only while it is the newest, and little.

With `TasteSettings.baseline()` there is one interest, the plain mean of the newest twelve: the published
centroid of Fashion Collection.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.taste.clusters import Cluster, clusters, similarities, turn, unit
from models.taste.contributions import Contribution, Taste, TasteSettings, embeddings_of, net

Floats = NDArray[np.float32]
Key = tuple[int, str]
MAX_PUSH: Final = 0.5
MOST_LEAD: Final = 12.0  # times the rest's weight: a turn leaves the rest two of 24 places
LEAST: Final = 1e-12  # of the largest weight: what was liked ages ago still has a place in a mean


@dataclass(frozen=True, slots=True)
class Interest:
    """Something the shopper likes.

    Attributes:
        part: the part that it is about.
        centroid: (D,) unit float32: `weights` times embeddings, less what dismissals nearby push away.
        weight: its share of the shopper's attention before normalisation; never negative.
        contributions: those that the centroid is made of, with `weights` (positive), both heaviest first.
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


@dataclass(frozen=True, slots=True)
class _Liked:
    """What is liked, the newest first: contributions, products, those of a turn, and what each weighs now.

    `attention` is `decayed`, with time, and less with every newer product. `odds` are those of a turn.
    """

    contributions: Sequence[Contribution]
    products: Sequence[str]
    turned: frozenset[str]
    odds: float
    decayed: Mapping[Key, float]
    attention: Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class _Garments:
    """The garments of one part that fall into clusters together, N of them, of C contributions.

    `rows` (C,) is each contribution's garment, `shares` (C,) its share of what its garment weighs.
    """

    contributions: Sequence[Contribution]
    rows: NDArray[np.intp]
    shares: NDArray[np.float64]
    embeddings: Floats


@dataclass(frozen=True, slots=True)
class _Found:
    """An interest in the making: a cluster, and what its own contributions weigh and say."""

    garments: _Garments
    cluster: Cluster
    weight: float
    decayed: float
    products: frozenset[str]
    whim: bool


def interests(taste: Taste, settings: TasteSettings) -> tuple[Interest, ...]:
    """The taste's interests, heaviest first; none where nothing positive is left."""
    held = tuple(c for c in net(taste.contributions) if c.scale != 0.0)  # 0: embedding still to be found
    # Of what counts only: buying and giving back leaves every weight as it was.
    as_of_s = replace(taste, contributions=held).newest_s
    liked = _liked([c for c in held if c.weight > 0], as_of_s, settings)
    if not liked.contributions:
        return _forgotten_only(taste, as_of_s, settings)
    found: list[_Found] = []
    for part in sorted({c.part for c in liked.contributions}):
        of_part = [c for c in liked.contributions if c.part == part]
        found += _clustered([c for c in of_part if c.product_id not in liked.turned], liked, settings)
        found += _clustered([c for c in of_part if c.product_id in liked.turned], liked, settings)
    kept = _heaviest(_led(_without_whims(found, liked, settings), liked), settings.per_part)
    disliked = [(c, c.decayed(as_of_s, settings.half_life_s)) for c in held if c.weight < 0]
    return tuple(_pushed(f, disliked) for f in kept)


def _liked(positive: Sequence[Contribution], as_of_s: float, settings: TasteSettings) -> _Liked:
    """The newest `window` of them, the newest first, all where there is no window; what each weighs."""
    newest = sorted(positive, key=lambda c: (-c.event_time_s, c.key))[: settings.window]
    products = list(dict.fromkeys(c.product_id for c in newest))
    age = {product_id: place / settings.recency_products for place, product_id in enumerate(products)}
    decayed = {c.key: c.decayed(as_of_s, settings.half_life_s) for c in newest}
    new, odds = _turn(newest, products, settings.turn)
    return _Liked(
        newest,
        products,
        frozenset(products[:new]),
        odds,
        decayed,
        {c.key: decayed[c.key] * 2.0 ** -age[c.product_id] for c in newest},
    )


def _turn(newest: Sequence[Contribution], products: Sequence[str], least: float) -> tuple[int, float]:
    """How many of the newest products are a turn, and its odds; a product is the mean of its garments."""
    if len(products) < 2 or least == np.inf:
        return 0, 0.0
    garments = {c.garment_id: c for c in newest}.values()
    embeddings = embeddings_of(list(garments))
    row = {product_id: place for place, product_id in enumerate(reversed(products))}
    summed = np.zeros((len(products), embeddings.shape[1]), np.float32)
    np.add.at(summed, [row[c.product_id] for c in garments], embeddings)
    lengths = np.linalg.norm(summed, axis=1, keepdims=True)
    return turn(similarities(summed / np.maximum(lengths, np.float32(1e-6))), least)


def _clustered(members: Sequence[Contribution], liked: _Liked, settings: TasteSettings) -> list[_Found]:
    """The clusters of one part's contributions; those of one garment go together."""
    if not members:
        return []
    row = {garment_id: n for n, garment_id in enumerate(dict.fromkeys(c.garment_id for c in members))}
    rows = np.array([row[c.garment_id] for c in members])
    decayed = np.array([liked.decayed[c.key] for c in members])
    # A purchase weighs five views, but it is still one thing that was liked: hence the root.
    each = np.sqrt(np.maximum(decayed / (decayed.max() or 1.0), LEAST))
    weights = np.bincount(rows, each).astype(np.float64)
    embeddings = embeddings_of([members[int(n)] for n in np.unique(rows, return_index=True)[1]])
    split = (
        [Cluster(tuple(range(len(row))), weights / weights.sum())]
        if settings.per_part == 1
        else clusters(similarities(embeddings), weights, settings.pull)
    )
    garments = _Garments(members, rows, each / weights[rows], embeddings)
    return [_found(garments, cluster, liked) for cluster in split]


def _found(garments: _Garments, cluster: Cluster, liked: _Liked) -> _Found:
    held = set(cluster.rows)
    own = [c for c, row in zip(garments.contributions, garments.rows.tolist(), strict=True) if row in held]
    products = frozenset(c.product_id for c in own)
    bought = any(c.action == "product.purchased" for c in own)
    return _Found(
        garments,
        cluster,
        sum(liked.attention[c.key] for c in own),
        sum(liked.decayed[c.key] for c in own),
        products,
        len(products) == 1 and not bought and not products <= liked.turned,
    )


def _without_whims(found: list[_Found], liked: _Liked, settings: TasteSettings) -> list[_Found]:
    """As soon as any interest is more than a whim: without whims, but for the newest product's."""
    if settings.whim >= 1.0 or all(f.whim for f in found):
        return found
    kept = [f for f in found if not f.whim]
    newest = [f for f in found if f.whim and liked.products[0] in f.products]
    most = settings.whim / (1.0 - settings.whim) * sum(f.weight for f in kept) / max(1, len(newest))
    return kept + [replace(f, weight=min(f.weight, most)) for f in newest if most > 0.0]


def _led(found: list[_Found], liked: _Liked) -> list[_Found]:
    """The weights of a turn of r products raised to 2r times the rest's, or to its odds up to MOST_LEAD."""
    new = sum(f.weight for f in found if f.products <= liked.turned)
    lead = max(2.0 * len(liked.turned), min(liked.odds, MOST_LEAD))
    least = lead * (sum(f.weight for f in found) - new)
    if new <= 0.0 or new >= least:
        return found
    return [replace(f, weight=f.weight * least / new) if f.products <= liked.turned else f for f in found]


def _heaviest(found: list[_Found], per_part: int) -> list[_Found]:
    """The heaviest first, of each part at most so many."""
    kept: list[_Found] = []
    of: Counter[str] = Counter()
    for one in sorted(found, key=lambda f: -f.weight):
        part = one.garments.contributions[0].part
        of[part] += 1
        if of[part] <= per_part:
            kept.append(one)
    return kept


def _read(found: _Found) -> Interest:
    """The interest that a cluster is."""
    garments, mix = found.garments, found.cluster.mix
    centroid = unit(mix.astype(np.float32) @ garments.embeddings)
    if centroid is None:  # opposite embeddings that cancel: the strongest stands for all
        centroid = unit(garments.embeddings[int(mix.argmax())])
    assert centroid is not None
    weights = (mix[garments.rows] * garments.shares).tolist()
    weighed = sorted(zip(weights, garments.contributions, strict=True), key=lambda row: (-row[0], row[1].key))
    part = garments.contributions[0].part
    return Interest(part, centroid, found.weight, tuple(c for _, c in weighed), tuple(w for w, _ in weighed))


def _pushed(found: _Found, disliked: Sequence[tuple[Contribution, float]]) -> Interest:
    """The interest moved away from dismissals like it; what is nothing like it does not touch it.

    The push is at most MAX_PUSH of the interest's weight, which turns the centroid by 30° at most: else one
    fresh dismissal would make an old interest search for whatever is least like what was dismissed.
    """
    interest = _read(found)
    push = np.zeros_like(interest.centroid)
    for c, weight in disliked:
        likeness = float(interest.centroid @ c.embedding)
        if c.part == interest.part and likeness > 0:
            push += likeness * weight * c.embedding
    length = float(np.linalg.norm(push))
    if length == 0.0 or found.decayed <= 0.0:
        return interest
    pushed = unit(interest.centroid + push / np.float32(length) * min(length / found.decayed, MAX_PUSH))
    assert pushed is not None  # no push reaches as far as the centroid
    return replace(interest, centroid=pushed)


def _forgotten_only(taste: Taste, as_of_s: float, settings: TasteSettings) -> tuple[Interest, ...]:
    """What is left when every remembered contribution was taken back: the sums of what fell out."""
    if taste.forgotten is None:
        return ()
    rest = taste.forgotten.at(as_of_s, settings.half_life_s)
    centroid = unit(rest.positive)
    if centroid is None or rest.positive_weight <= 0:
        return ()
    return (Interest("whole", centroid, rest.positive_weight, (), ()),)
