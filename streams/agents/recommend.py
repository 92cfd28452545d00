"""recommend: a taste becomes a set with reasons; the only writer of sets.

In: records of `tastes`, in batches: several tastes of one shopper become one set, of the newest. Out: one
`recommendations.updated` per shopper. It keeps nothing, so a batch may be repeated.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.interests import Interest, interests
from models.taste.ranking import Candidate, Offer, Pick, RankingSettings, compose, taste_places
from models.taste.rules import Rules
from models.taste.shopper import Shopper
from schemas.cloudevents import Event, read_event
from schemas.recommendations import (
    Because,
    ModelNames,
    RecommendationSet,
    RecommendedItem,
    Strategy,
    recommendation_id,
)
from schemas.tastes import TasteUpdated, unpack
from streams.agents.popular import PopularGarments, best_of, candidate_of
from streams.handling import Handling
from streams.record import Record, send_event
from vectorstore.base import GarmentQuery, Hit, VectorStore

SOURCE: Final = "lookstream/recommend"


@dataclass(slots=True)
class _Request:
    """A shopper's newest taste in a batch, and every event that the set will answer."""

    record: Record
    header: TasteUpdated
    shopper: Shopper
    includes: list[str]
    oldest_s: float
    interests: tuple[Interest, ...] = ()


@dataclass(frozen=True, slots=True)
class Composed:
    """What a set was made of: the taste that it answers, what was offered and what was picked."""

    header: TasteUpdated
    shopper: Shopper
    offer: Offer
    picks: Sequence[Pick]


def _unwatched(composed: Composed) -> None:
    pass


class Recommend:
    """The agent. `ranking` says how a set is put together; `watch` is told what each was made of."""

    def __init__(
        self,
        store: VectorStore,
        popular: PopularGarments,
        model: ModelNames,
        settings: TasteSettings,
        ranking: RankingSettings,
        handling: Handling,
        clock: Callable[[], float] = time.time,
        rules: Callable[[], Rules] = Rules,
        watch: Callable[[Composed], None] = _unwatched,
    ) -> None:
        self.rules, self.watch = rules, watch
        self.store, self.popular, self.model, self.settings = store, popular, model, settings
        self.ranking, self.handling, self.clock = ranking, handling, clock
        self.metrics, self.outbox = handling.metrics, handling.outbox

    async def handle(self, records: Sequence[Record]) -> None:
        """Answer a batch of tastes; raises nothing but cancellation."""
        requests: dict[str, _Request] = {}
        for record in records:
            self.handling.count_in(record)
            if record.value is None:  # it follows an erasure, which says more, or a handover
                continue
            if ("ce_type", b"taste.erased") in record.headers:
                requests.pop((record.key or b"").decode(), None)  # what came before it is nobody's any more
                await self._erase(record)
                continue
            try:
                self._collect(requests, record)
            except Exception as error:  # whatever it is, the batch's other shoppers get their sets
                await self.handling.bury(record, error)
        if requests:
            await self._answer(list(requests.values()))
        self.handling.progressed()

    async def _erase(self, record: Record) -> None:
        """Confirm an erasure on `recommendations`, then take everything of the shopper away."""

        async def confirm() -> None:
            event = read_event(record.headers, record.value, record.appended_at)
            user_id = str(event.subject)
            confirmed = replace(event, source=SOURCE, type="shopper.erased", data={"user_id": user_id})
            await send_event(self.outbox, "recommendations", user_id, confirmed)
            await self.outbox.send("recommendations", user_id.encode(), None)

        try:
            await self.handling.retried(confirm, record)
        except Exception as error:
            await self.handling.bury(record, error)

    def _collect(self, requests: dict[str, _Request], record: Record) -> None:
        header, packed = unpack(record.value or b"")
        held = requests.get(header.user_id)
        shopper = state.unpack(packed)
        includes = [*(held.includes if held else ()), *header.includes]
        oldest_s = min(header.oldest_appended_at_s, held.oldest_s if held else header.oldest_appended_at_s)
        if held is not None and held.shopper.revision > shopper.revision:
            record, header, shopper = held.record, held.header, held.shopper
        requests[header.user_id] = _Request(
            record,
            header,
            shopper,
            list(dict.fromkeys(includes)),
            oldest_s,
            self._interests(shopper),
        )

    def _interests(self, shopper: Shopper) -> tuple[Interest, ...]:
        """None for a taste of another embedder: it is rebuilt when update-tastes touches it next."""
        if shopper.embedder != self.model.embedder:
            return ()
        return interests(shopper.taste, self.settings)

    async def _answer(self, requests: Sequence[_Request]) -> None:
        """One query for all; then each set on its own, so that one that fails takes no other along."""
        first = requests[0].record
        try:
            found = await self.handling.retried(lambda: self._searched(requests), first)
        except Exception as error:
            for request in requests:
                await self.handling.bury(request.record, error)
            return
        await asyncio.gather(
            *(self._answer_one(request, hits) for request, hits in zip(requests, found, strict=True))
        )

    async def _answer_one(self, request: _Request, found: Sequence[Sequence[Hit]]) -> None:
        async def answer(_: Record) -> None:
            picks = await self._picked(request, found)
            await self._send(request, picks)

        try:
            await self.handling.retried(lambda: answer(request.record), request.record)
        except Exception as error:
            await self.handling.bury(request.record, error)

    async def _searched(self, requests: Sequence[_Request]) -> list[list[list[Hit]]]:
        """The hits of every interest of every request, in one call."""
        queries = [
            GarmentQuery(
                embedding=interest.centroid,
                k=2 * self.ranking.length,
                excluded_product_keys=request.shopper.excluded,
                genders=_only(request.shopper.gender),
                age_groups=_only(request.shopper.age_group),
            )
            for request in requests
            for interest in request.interests
        ]
        with self.metrics.timed("query"):
            hits = iter(await self.store.query(queries, with_embeddings=True) if queries else [])
        return [[next(hits) for _ in request.interests] for request in requests]

    async def _picked(self, request: _Request, found: Sequence[Sequence[Hit]]) -> list[Pick]:
        per_interest = [
            (interest, [_candidate(hit) for hit in hits])
            for interest, hits in zip(request.interests, found, strict=True)
        ]
        shopper = request.shopper
        rules = self.rules()
        offer = Offer(
            per_interest, rules=rules, known=_known(request), pinned=await self._pinned(rules, request)
        )
        if self._wants_more(offer):
            more = await self.popular.slots(
                self.ranking.length, shopper.excluded, _only(shopper.gender), _only(shopper.age_group)
            )
            offer = replace(offer, trending=more.trending, fresh=more.fresh)
        picks = compose(offer, self.ranking)
        self.watch(Composed(request.header, shopper, offer, picks))
        return picks

    async def _pinned(self, rules: Rules, request: _Request) -> list[tuple[int, Candidate]]:
        """What the rules pin and this shopper may see, with the places it wants."""
        pins = rules.pins()
        named = [rule.product_id for _, rule in pins if rule.product_id is not None]
        if not named:
            return []
        keys = set(request.shopper.bought) | set(request.shopper.dismissed)
        found = await self.store.fetch_products(named)
        return [
            (position, candidate_of(best_of(points), 0.0))
            for position, rule in pins
            if rule.product_id is not None
            and (points := found.get(rule.product_id))
            and points[0].payload["in_stock"]
            and points[0].payload["product_key"] not in keys
            and rule.matches(rule.product_id, points[0].payload)
        ]

    def _settled(self, request: _Request) -> bool:
        return taste_places(self.ranking, _known(request)) == self.ranking.length

    def _wants_more(self, offer: Offer) -> bool:
        """Whether taste alone does not fill the set, so that trending or fresh garments are looked up."""
        if taste_places(self.ranking, offer.known) < self.ranking.length or self.ranking.exploration > 0:
            return True
        return (
            len({c.product_id for _, candidates in offer.per_interest for c in candidates})
            < self.ranking.length
        )

    async def _send(self, request: _Request, picks: Sequence[Pick]) -> None:
        header, now_s = request.header, self.clock()
        latency_ms = round(max(0.0, now_s - request.oldest_s) * 1000, 1)
        answer = RecommendationSet(
            user_id=header.user_id,
            recommendation_id=recommendation_id(header.user_id, header.revision),
            revision=header.revision,
            generated_at=datetime.fromtimestamp(now_s, UTC),
            strategy=_strategy(picks, bool(request.interests), self._settled(request)),
            trigger=header.trigger,
            includes=request.includes,
            through=header.through,
            latency_ms=latency_ms,
            model=self.model,
            items=[_item(rank, pick) for rank, pick in enumerate(picks, 1)],
        )
        event = Event(
            id=answer.recommendation_id,
            source=SOURCE,
            type="recommendations.updated",
            time=answer.generated_at,
            subject=header.user_id,
            data=answer.model_dump(mode="json"),
            extensions={"traceparent": header.traceparent} if header.traceparent else {},
        )
        with self.metrics.timed("emit"):
            await send_event(self.outbox, "recommendations", header.user_id, event)
        self.metrics.events_out.labels("recommendations", event.type).inc()
        self.metrics.event_to_recommendation.observe(max(0.0, self.clock() - request.oldest_s))


def _known(request: _Request) -> int:
    """How many products the taste is built on."""
    return len({c.product_id for interest in request.interests for c in interest.contributions})


def _strategy(picks: Sequence[Pick], known: bool, settled: bool) -> Strategy:
    """What a set follows; fresh and pinned garments among it do not change that."""
    slots = {pick.slot for pick in picks}
    if not known or ("taste" not in slots and slots):
        return "trending"
    return "taste" if settled and "trending" not in slots else "taste+trending"


def _only(value: str | None) -> frozenset[str] | None:
    return None if value is None else frozenset({value})


def _candidate(hit: Hit) -> Candidate:
    group = hit.payload.get("item_group_id")
    return Candidate(hit.product_id, hit.garment_id, group, hit.similarity, hit.embedding, hit.payload)


def _item(rank: int, pick: Pick) -> RecommendedItem:
    candidate, why = pick.candidate, pick.reason
    shown = ("part", "category", "box_xyxy", "title", "link", "image_link", "price")
    return RecommendedItem.model_validate(
        {
            "rank": rank,
            "product_id": candidate.product_id,
            "garment_id": candidate.garment_id,
            "score": round(candidate.score, 6),
            "slot": pick.slot,
            **{name: candidate.payload.get(name) for name in shown},
            "because": why
            and Because(
                product_id=why.product_id,
                garment_id=why.garment_id,
                action=why.action,
                share=round(why.share, 4),
            ),
        }
    )
