"""A shopper's interests as a front end shows them: clusters of exemplars, the heaviest first.

In: a packed taste. Out: `Liked`, and of it JSON-like data. Fails with StateError for a taste that cannot be
read.
"""

from dataclasses import dataclass
from typing import Any

from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.interests import Interest
from models.taste.interests import interests as interests_of
from streams.gateway.showing import Showing


@dataclass(frozen=True, slots=True)
class Liked:
    """What a shopper likes; `contributions` is how many things that is known by."""

    user_id: str
    revision: int
    embedder: str
    contributions: int
    interests: list[Interest]

    def shown(self, showing: Showing) -> dict[str, Any]:
        """JSON-like, with pictures."""
        total = sum(interest.weight for interest in self.interests)
        return {
            "user_id": self.user_id,
            "revision": self.revision,
            "embedder": self.embedder,
            "contributions": self.contributions,
            "interests": [_shown(interest, total, showing) for interest in self.interests],
        }


def liked(user_id: str, revision: int, packed: bytes, settings: TasteSettings) -> Liked:
    """The interests of the shopper whose packed taste this is, heaviest first. Takes milliseconds."""
    shopper = state.unpack(packed)
    found = sorted(interests_of(shopper.taste, settings), key=lambda interest: -interest.weight)
    return Liked(user_id, revision, shopper.embedder, len(shopper.taste.contributions), found)


def _shown(interest: Interest, total: float, showing: Showing) -> dict[str, Any]:
    weights = dict(zip((c.key for c in interest.contributions), interest.weights, strict=True))
    return {
        "part": interest.part,
        "weight": round(interest.weight, 6),
        "share": round(interest.weight / total, 4) if total > 0 else 0.0,
        "exemplars": [
            {
                "product_id": one.product_id,
                "garment_id": one.garment_id,
                "action": one.action,
                "weight": round(weights[one.key], 4),
                **showing.garment(one.product_id, one.garment_id),
            }
            for one in interest.exemplars
        ],
    }
