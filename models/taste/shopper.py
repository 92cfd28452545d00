"""A shopper: taste, exclusions, profile, and how far the shopper's events were applied. Pure.

In: what an interaction meant (action, product, garments, time, position in its partition). Out: the next
`Shopper`. An event already applied, by position or by id, leaves all but the revision as it was.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.taste.contributions import Contribution, Taste, TasteSettings, add, merge, quantise

MAX_EXCLUDED: Final = 1000
MAX_SEEN: Final = 200
MAX_RECENT_EVENTS: Final = 256


class Position(NamedTuple):
    """Where an event lies: its topic, partition and offset."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class GarmentSeen:
    """A garment of the product that was interacted with; embedding (D,) unit float32."""

    garment_id: str
    part: str
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Act:
    """What a shopper did: an action on a product at an event time (unix seconds), under an event's key."""

    event_key: int
    action: str
    product_id: str
    event_time_s: float


@dataclass(frozen=True, slots=True)
class Shopper:
    """Everything kept about a shopper, the value in the `tastes` table.

    Attributes:
        revision: grows with every answer, never falls.
        embedder: name of the embedder whose embeddings the taste holds.
        seen, bought, dismissed: product key → newest event time (s); the newest 200 and 1,000 each.
        applied: (topic, partition) → last applied offset.
        recent: keys of the last applied events, oldest first, against duplicates under new offsets.
        aliases: anonymous ids whose tastes were merged into this one.
        forward_to: the user that this anonymous id turned out to be; late events go there.
    """

    embedder: str
    revision: int = 0
    taste: Taste = field(default_factory=Taste)
    seen: Mapping[int, float] = field(default_factory=dict)
    bought: Mapping[int, float] = field(default_factory=dict)
    dismissed: Mapping[int, float] = field(default_factory=dict)
    gender: str | None = None
    age_group: str | None = None
    applied: Mapping[tuple[str, int], int] = field(default_factory=dict)
    recent: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()
    forward_to: str | None = None

    @property
    def excluded(self) -> list[int]:
        """Product keys that no set may hold: bought, dismissed, just seen."""
        return sorted({*self.seen, *self.bought, *self.dismissed})

    def knows(self, position: Position, event_key: int | None) -> bool:
        """Whether an event was applied before: its position was passed, or its id is among the recent."""
        passed = self.applied.get((position.topic, position.partition), -1) >= position.offset
        return passed or (event_key is not None and event_key in self.recent)


def key_of(*texts: str) -> int:
    """A 63-bit key of texts, for products, groups and events: small enough to keep by the thousand."""
    digest = hashlib.blake2b("\x00".join(texts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def acted(shopper: Shopper, act: Act, garments: Iterable[GarmentSeen], settings: TasteSettings) -> Shopper:
    """The shopper after an interaction with a product whose garments share its weight.

    `garments` may be empty (a product that was removed meanwhile): then only the exclusions change.
    """
    found = tuple(garments)
    share = settings.weight(act.action) / max(1, len(found))
    taste = add(shopper.taste, (_contribution(act, garment, share) for garment in found), settings)
    return _excluding(replace(shopper, taste=taste), act)


def at(shopper: Shopper, position: Position, event_key: int | None) -> Shopper:
    """The shopper with a new revision, having applied the event at `position`."""
    place = (position.topic, position.partition)
    last = shopper.applied.get(place, -1)
    applied = {**shopper.applied, place: max(position.offset, last)}
    recent = shopper.recent
    if event_key is not None and event_key not in recent and position.offset > last:
        recent = (*recent, event_key)[-MAX_RECENT_EVENTS:]
    return replace(shopper, revision=shopper.revision + 1, applied=applied, recent=recent)


def merged(user: Shopper, anonymous: Shopper, alias: str, settings: TasteSettings) -> Shopper:
    """The user with an anonymous id's taste: the union of both; merging it again changes nothing."""
    other = anonymous.taste
    if alias in user.aliases:  # its sums are in already, and sums have no ids to tell them by
        other = replace(other, forgotten=None)
    return replace(
        user,
        taste=merge(user.taste, other, settings),
        seen=_union(user.seen, anonymous.seen, MAX_SEEN),
        bought=_union(user.bought, anonymous.bought, MAX_EXCLUDED),
        dismissed=_union(user.dismissed, anonymous.dismissed, MAX_EXCLUDED),
        gender=user.gender or anonymous.gender,
        age_group=user.age_group or anonymous.age_group,
        aliases=tuple(dict.fromkeys((*user.aliases, alias))),
    )


def unresolved(shopper: Shopper, embedder: str) -> set[str]:
    """Products whose embeddings a taste lacks: all of another embedder's, else those not found before."""
    other = shopper.embedder != embedder
    return {c.product_id for c in shopper.taste.contributions if other or c.scale == 0.0}


def reembedded(shopper: Shopper, embedder: str, embeddings: Mapping[str, NDArray[np.float32]]) -> Shopper:
    """The shopper with what `embeddings` (by garment id) has of the contributions; the rest waits (scale 0).

    Sums of what was forgotten belong to the other embedder and go.
    """
    same = shopper.embedder == embedder
    held = shopper.taste.contributions
    lengths = [len(e) for e in embeddings.values()] or [len(c.codes) for c in held if c.scale != 0.0]
    nothing = np.zeros(lengths[0] if lengths else 0, np.int8)
    rebuilt = []
    for c in held:
        embedding = embeddings.get(c.garment_id)
        if same and c.scale != 0.0:
            rebuilt.append(c)
        elif embedding is None:
            rebuilt.append(replace(c, codes=nothing, scale=0.0))
        else:
            codes, scale = quantise(embedding)
            rebuilt.append(replace(c, codes=codes, scale=scale))
    taste = Taste(tuple(rebuilt), shopper.taste.forgotten if same else None)
    return replace(shopper, embedder=embedder, taste=taste)


def _contribution(act: Act, garment: GarmentSeen, weight: float) -> Contribution:
    codes, scale = quantise(garment.embedding)
    return Contribution(
        act.event_key,
        act.product_id,
        garment.garment_id,
        garment.part,
        act.action,
        act.event_time_s,
        weight,
        codes,
        scale,
    )


def _excluding(shopper: Shopper, act: Act) -> Shopper:
    key, time_s = key_of(act.product_id), act.event_time_s
    match act.action:
        case "product.purchased":
            return replace(shopper, bought=_newest(shopper.bought, key, time_s, MAX_EXCLUDED))
        case "product.dismissed":
            return replace(shopper, dismissed=_newest(shopper.dismissed, key, time_s, MAX_EXCLUDED))
        case _:
            return replace(shopper, seen=_newest(shopper.seen, key, time_s, MAX_SEEN))


def _newest(held: Mapping[int, float], key: int, time_s: float, most: int) -> dict[int, float]:
    return _union(held, {key: time_s}, most)


def _union(one: Mapping[int, float], other: Mapping[int, float], most: int) -> dict[int, float]:
    """Both, each key with its newest time; the newest `most`."""
    grown = dict(one)
    for key, time_s in other.items():
        grown[key] = max(time_s, grown.get(key, time_s))
    if len(grown) <= most:
        return grown
    return dict(sorted(grown.items(), key=lambda row: (-row[1], row[0]))[:most])
