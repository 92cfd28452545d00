"""What recommend answers, and with what: tastes of a batch by shopper, and a set as it is written. Pure.

In: records of `tastes`; the picks of a set. Out: `Request`s, and `recommendations.updated`. Fails with
SchemaError or StateError for a record that is no taste.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from models.taste.interests import Interest
from models.taste.ranking import Pick
from models.taste.shopper import Shopper
from schemas.cloudevents import Event
from schemas.recommendations import ModelNames, RecommendationSet, Strategy, recommendation_id
from schemas.tastes import TasteUpdated, unpack
from streams.record import Record

SOURCE: Final = "lookstream/recommend"
_SHOWN: Final = ("part", "category", "box_xyxy", "title", "link", "image_link", "price")


@dataclass(slots=True)
class Asked:
    """The tastes of a shopper in a batch (header, packed state, record), and every event they answer."""

    tastes: list[tuple[TasteUpdated, bytes, Record]]
    includes: dict[str, None]
    oldest_s: float

    def newest(self) -> tuple[TasteUpdated, bytes, Record]:
        """Take out the taste of the highest revision."""
        place = max(range(len(self.tastes)), key=lambda at: (self.tastes[at][0].revision, at))
        return self.tastes.pop(place)


@dataclass(frozen=True, slots=True)
class Request:
    """A shopper's newest taste in a batch, and every event that the set will answer.

    `oldest_s` is the LogAppendTime of the oldest of them.
    """

    record: Record
    header: TasteUpdated
    shopper: Shopper
    includes: list[str]
    oldest_s: float
    interests: tuple[Interest, ...]

    @property
    def known(self) -> int:
        """How many products the taste is built on."""
        return len({c.product_id for interest in self.interests for c in interest.contributions})


def collect(asked: dict[str, Asked], record: Record) -> None:
    """Add a record of `tastes` to what is asked for, by user id."""
    header, packed = unpack(record.value or b"")
    held = asked.setdefault(header.user_id, Asked([], {}, header.oldest_appended_at_s))
    held.tastes.append((header, packed, record))
    held.includes |= dict.fromkeys(header.includes)
    held.oldest_s = min(held.oldest_s, header.oldest_appended_at_s)


def answer(
    request: Request, picks: Sequence[Pick], strategy: Strategy, model: ModelNames, now_s: float
) -> Event:
    """The set as it goes out."""
    header = request.header
    said = {
        "user_id": header.user_id,
        "recommendation_id": recommendation_id(header.user_id, header.revision),
        "revision": header.revision,
        "generated_at": datetime.fromtimestamp(now_s, UTC),
        "strategy": strategy,
        "trigger": header.trigger,
        "includes": request.includes,
        "through": header.through,
        "latency_ms": round(max(0.0, now_s - request.oldest_s) * 1000, 1),
        "model": model,
        "items": [_item(rank, pick) for rank, pick in enumerate(picks, 1)],
    }
    made = RecommendationSet.model_validate(said)
    return Event(
        id=made.recommendation_id,
        source=SOURCE,
        type="recommendations.updated",
        time=made.generated_at,
        subject=header.user_id,
        data=made.model_dump(mode="json"),
        extensions={"traceparent": header.traceparent} if header.traceparent else {},
    )


def strategy_of(picks: Sequence[Pick], known: bool, settled: bool) -> Strategy:
    """What a set follows; fresh and pinned garments among it do not change that."""
    slots = {pick.slot for pick in picks}
    if not known or ("taste" not in slots and slots):
        return "trending"
    return "taste" if settled and "trending" not in slots else "taste+trending"


def _item(rank: int, pick: Pick) -> dict[str, Any]:
    candidate, why = pick.candidate, pick.reason
    return {
        "rank": rank,
        "product_id": candidate.product_id,
        "garment_id": candidate.garment_id,
        "score": round(candidate.score, 6),
        "slot": pick.slot,
        **{name: candidate.payload.get(name) for name in _SHOWN},
        "because": why
        and {
            "product_id": why.product_id,
            "garment_id": why.garment_id,
            "action": why.action,
            "share": round(why.share, 4),
        },
    }
