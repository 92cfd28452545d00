"""Why a shopper was shown what, then: a set with everything that it was made of.

In: a recording, settings, a shopper and a revision. Out: the taste's contributions, its interests, the
candidates with their scores and places, and the set, as JSON-like data or as text. Raises LookupError where
there is no such set.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from models.taste.contributions import Contribution, net
from models.taste.interests import Interest
from models.taste.ranking import Candidate
from schemas.cloudevents import rfc3339
from schemas.recommendations import RecommendationSet
from streams.agents.recommend import Composed
from streams.replay.player import ReplaySettings, play
from streams.replay.recording import Recording


def explain(
    recording: Recording, settings: ReplaySettings, user_id: str, revision: int | None
) -> dict[str, Any]:
    """The set of a shopper with that revision, the last one where it is None, and what it was made of."""
    held: list[tuple[Composed, RecommendationSet]] = []

    def watch(composed: Composed, made: RecommendationSet) -> None:
        if made.user_id == user_id and revision in (None, made.revision):
            held[:] = [(composed, made)]

    play(recording, settings, watch)
    if not held:
        which = "" if revision is None else f" with revision {revision}"
        raise LookupError(f"no set of {user_id!r}{which} in this recording")
    composed, made = held[0]
    return {"settings": settings.name} | _explained(composed, made, settings)


def _explained(composed: Composed, made: RecommendationSet, settings: ReplaySettings) -> dict[str, Any]:
    # By the object: a garment may be a candidate of several interests, and was taken for one of them.
    places = {id(pick.candidate): rank for rank, pick in enumerate(composed.picks, 1)}
    contributions = composed.shopper.taste.contributions
    counted = {c.key for c in net(contributions)}
    half_life_s, as_of_s = settings.taste.half_life_s, composed.shopper.taste.newest_s
    total = sum(interest.weight for interest, _ in composed.offer.per_interest) or 1.0
    return {
        "user_id": made.user_id,
        "revision": made.revision,
        "trigger": made.trigger.model_dump(mode="json"),
        "strategy": made.strategy,
        "contributions": [
            _contribution(c)
            | {"weight_now": round(c.decayed(as_of_s, half_life_s), 4), "counts": c.key in counted}
            for c in contributions
        ],
        "interests": [_interest(interest, total) for interest, _ in composed.offer.per_interest],
        "candidates": {
            "taste": [
                [_candidate(c, places) for c in candidates] for _, candidates in composed.offer.per_interest
            ],
            "trending": [_candidate(c, places) for c in composed.offer.trending],
            "fresh": [_candidate(c, places) for c in composed.offer.fresh],
            "pinned": [_candidate(c, places) for _, c in composed.offer.pinned],
        },
        "items": [item.model_dump(mode="json") for item in made.items],
    }


def _contribution(c: Contribution) -> dict[str, Any]:
    return {
        "product_id": c.product_id,
        "garment_id": c.garment_id,
        "part": c.part,
        "action": c.action,
        "event_time": rfc3339(datetime.fromtimestamp(c.event_time_s, UTC)),
        "weight": c.weight,
    }


def _interest(interest: Interest, total: float) -> dict[str, Any]:
    return {
        "part": interest.part,
        "share": round(interest.weight / total, 4),
        "contributions": [
            {
                "product_id": c.product_id,
                "garment_id": c.garment_id,
                "action": c.action,
                "weight": round(w, 4),
            }
            for c, w in zip(interest.contributions, interest.weights, strict=True)
        ],
    }


def _candidate(candidate: Candidate, places: dict[int, int]) -> dict[str, Any]:
    return {
        "product_id": candidate.product_id,
        "garment_id": candidate.garment_id,
        "part": candidate.payload.get("part"),
        "score": round(candidate.score, 6),
        "rank": places.get(id(candidate)),
    }


def as_text(explained: dict[str, Any]) -> str:
    """The same for people."""
    trigger = explained["trigger"]
    lines = [
        f"{explained['user_id']}, revision {explained['revision']} ({explained['settings']}): "
        f"{explained['strategy']}, after {trigger['type']} {trigger['id']} at {trigger['time']}",
        "",
        "What the taste remembers:",
        *(
            f"  {c['event_time']}  {c['weight_now']:7.3f}  {c['action'].removeprefix('product.'):17} "
            f"{c['product_id']} {c['part']}" + ("" if c["counts"] else "  (taken back)")
            for c in explained["contributions"]
        ),
        "",
        "Its interests, and the best candidates of each with their place in the set:",
    ]
    for interest, candidates in zip(explained["interests"], explained["candidates"]["taste"], strict=True):
        like = ", ".join(dict.fromkeys(c["product_id"] for c in interest["contributions"]))
        lines += [f"  {interest['share']:.0%} {interest['part']}, like {like}", *_places(candidates[:12])]
    lines += ["", "The set:", *(_item(item) for item in explained["items"])]
    return "\n".join(lines)


def _places(candidates: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"    {c['score']:7.4f}  {c['product_id']}" + (f"  → {c['rank']}" if c["rank"] else "")
        for c in candidates
    ]


def _item(item: dict[str, Any]) -> str:
    why, because = item["slot"], item["because"]
    if because is not None:
        why = f"{because['action'].removeprefix('product.')} {because['product_id']} ({because['share']:.0%})"
    return f"  {item['rank']:3}  {item['part']:9}  {item['score']:7.4f}  {item['product_id']}  ← {why}"
