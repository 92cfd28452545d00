"""recommend: a taste becomes a set with reasons; the only writer of sets.

In: records of `tastes`, in batches: several tastes of one shopper become one set, of the newest. Out: one
`recommendations.updated` per shopper. It keeps nothing that tells, so a batch may be repeated. A batch is
answered a few shoppers at a time: while their sets are made the store searches for the next ones'.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.taste.contributions import TasteSettings
from models.taste.interests import Interest
from models.taste.ranking import Candidate, Offer, Pick, RankingSettings, compose, taste_places
from models.taste.rules import Rules
from models.taste.shopper import Shopper
from schemas.cloudevents import read_event
from schemas.recommendations import ModelNames
from schemas.tastes import TasteUpdated
from streams.agents.answers import SOURCE, Asked, Request, answer, collect, strategy_of
from streams.agents.known_tastes import KnownTastes
from streams.agents.popular import PopularGarments, Shelf, best_of, candidate_of
from streams.handling import Handling
from streams.record import Record, send_event
from vectorstore.base import GarmentQuery, Hit, VectorStore

TOGETHER: Final = 8
"""Shoppers who are searched for in one call, while sets are made for those before them."""
_SPARE_HITS: Final = 12


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
    """The agent.

    Args:
        ranking: how a set is put together.
        watch: told what each was made of.
        known: remembers what tastes were read; of its own where none is given.
        give_way: whether others are to have as much time as sets take.
    """

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
        known: KnownTastes | None = None,
        give_way: Callable[[], bool] = lambda: False,
    ) -> None:
        self.rules, self.watch = rules, watch
        self.store, self.popular, self.model, self.ranking = store, popular, model, ranking
        self.known, self.give_way = known or KnownTastes(settings), give_way
        self.handling, self.clock = handling, clock
        self.metrics, self.outbox = handling.metrics, handling.outbox

    async def handle(self, records: Sequence[Record]) -> None:
        """Answer a batch of tastes; raises nothing but cancellation."""
        asked: dict[str, Asked] = {}
        for record in records:
            self.handling.count_in(record)
            if record.value is None:  # it follows an erasure, which says more, or a handover
                continue
            if ("ce_type", b"taste.erased") in record.headers:
                user_id = (record.key or b"").decode()
                asked.pop(user_id, None)  # what came before it is nobody's any more
                self.known.forget(user_id)
                await self._erase(record)
                continue
            try:
                collect(asked, record)
            except Exception as error:  # whatever it is, the batch's other shoppers get their sets
                await self.handling.bury(record, error)
        if asked:
            await self._answer(list(asked.values()))
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

    async def _answer(self, asked: Sequence[Asked]) -> None:
        """Each set on its own, so that one that fails takes no other along."""
        shelf = self.popular.shelf()
        some = [asked[at : at + TOGETHER] for at in range(0, len(asked), TOGETHER)]
        under_way: list[asyncio.Future[None]] = []
        searching = asyncio.ensure_future(self._found(some[0]))
        try:
            for following in (*some[1:], None):
                found = await searching
                if following is not None:
                    searching = asyncio.ensure_future(self._found(following))
                for request, hits in found:
                    started_s = time.perf_counter()
                    under_way.append(asyncio.ensure_future(self._answer_one(request, hits, shelf)))
                    await asyncio.sleep(0)  # a set takes milliseconds: others have their turn between two
                    if self.give_way():
                        await asyncio.sleep(time.perf_counter() - started_s)
            await asyncio.gather(*under_way)
        finally:
            searching.cancel()
            for task in under_way:
                task.cancel()

    async def _found(self, asked: Sequence[Asked]) -> list[tuple[Request, list[list[Hit]]]]:
        """The shoppers' requests with the hits of their interests; what fails is a dead letter."""
        requests = [request for one in asked if (request := await self._request(one)) is not None]
        if not requests:
            return []
        try:
            hits = await self.handling.retried(lambda: self._searched(requests), requests[0].record)
        except Exception as error:
            for request in requests:
                await self.handling.bury(request.record, error)
            return []
        return list(zip(requests, hits, strict=True))

    async def _request(self, asked: Asked) -> Request | None:
        """The newest taste that can be read; what cannot is a dead letter."""
        while asked.tastes:
            header, packed, record = asked.newest()
            try:
                shopper = self.known.shopper(header.user_id, packed)
                found: tuple[Interest, ...] = ()
                if shopper.embedder == self.model.embedder:  # else update-tastes rebuilds it, touched next
                    found = self.known.interests(header.user_id, packed)
                return Request(record, header, shopper, list(asked.includes), asked.oldest_s, found)
            except Exception as error:
                await self.handling.bury(record, error)
        return None

    async def _searched(self, requests: Sequence[Request]) -> list[list[list[Hit]]]:
        """The hits of every interest of every request, in one call."""
        wanted = [_hits_wanted(request.interests, self.ranking.length) for request in requests]
        queries = [
            GarmentQuery(
                embedding=interest.centroid,
                k=count,
                excluded_product_keys=request.shopper.excluded,
                genders=_only(request.shopper.gender),
                age_groups=_only(request.shopper.age_group),
            )
            for request, counts in zip(requests, wanted, strict=True)
            for interest, count in zip(request.interests, counts, strict=False)
        ]
        with self.metrics.timed("query"):
            hits = iter(await self.store.query(queries, with_embeddings=True) if queries else [])
        return [[next(hits) for _ in counts] for counts in wanted]

    async def _answer_one(self, request: Request, found: Sequence[Sequence[Hit]], shelf: Shelf) -> None:
        async def answered() -> None:
            await self._send(request, await self._picked(request, found, shelf))

        try:
            await self.handling.retried(answered, request.record)
        except Exception as error:
            await self.handling.bury(request.record, error)

    async def _picked(self, request: Request, found: Sequence[Sequence[Hit]], shelf: Shelf) -> list[Pick]:
        per_interest = [
            (interest, [_candidate(hit) for hit in hits])
            for interest, hits in zip(request.interests, found, strict=False)
        ]
        shopper, rules = request.shopper, self.rules()
        pinned = await _pinned(rules, request, shelf)
        offer = Offer(per_interest, rules=rules, known=request.known, pinned=pinned)
        if self._wants_more(offer):
            more = await shelf.slots(
                self.ranking.length, shopper.excluded, _only(shopper.gender), _only(shopper.age_group)
            )
            offer = replace(offer, trending=more.trending, fresh=more.fresh)
        picks = compose(offer, self.ranking)
        self.watch(Composed(request.header, shopper, offer, picks))
        return picks

    def _wants_more(self, offer: Offer) -> bool:
        """Whether taste alone does not fill the set, so that trending or fresh garments are looked up."""
        if taste_places(self.ranking, offer.known) < self.ranking.length or self.ranking.exploration > 0:
            return True
        return (
            len({c.product_id for _, candidates in offer.per_interest for c in candidates})
            < self.ranking.length
        )

    async def _send(self, request: Request, picks: Sequence[Pick]) -> None:
        settled = taste_places(self.ranking, request.known) == self.ranking.length
        strategy = strategy_of(picks, bool(request.interests), settled)
        event = answer(request, picks, strategy, self.model, self.clock())
        with self.metrics.timed("emit"):
            await send_event(self.outbox, "recommendations", request.header.user_id, event)
        self.metrics.events_out.labels("recommendations", event.type).inc()
        self.metrics.event_to_recommendation.observe(max(0.0, self.clock() - request.oldest_s))


async def _pinned(rules: Rules, request: Request, shelf: Shelf) -> list[tuple[int, Candidate]]:
    """What the rules pin and this shopper may see, with the places it wants."""
    pins = rules.pins()
    named = [rule.product_id for _, rule in pins if rule.product_id is not None]
    if not named:
        return []
    keys = set(request.shopper.bought) | set(request.shopper.dismissed)
    found = await shelf.products(named)
    return [
        (position, candidate_of(best_of(points), 0.0))
        for position, rule in pins
        if rule.product_id is not None
        and (points := found.get(rule.product_id))
        and points[0].payload["in_stock"]
        and points[0].payload["product_key"] not in keys
        and rule.matches(rule.product_id, points[0].payload)
    ]


def _hits_wanted(found: Sequence[Interest], length: int) -> list[int]:
    """How many hits to look at for each of a shopper's interests, the heaviest first.

    Twice its places in the set, for others take some of them, and a few more; none, and it is left out,
    for one that is too light for a place.
    """
    total = sum(interest.weight for interest in found)
    places = [length * interest.weight / total if total > 0 else length for interest in found]
    return [
        min(2 * length, _SPARE_HITS + math.ceil(2 * p)) for n, p in enumerate(places) if n == 0 or p >= 0.5
    ]


def _only(value: str | None) -> frozenset[str] | None:
    return None if value is None else frozenset({value})


def _candidate(hit: Hit) -> Candidate:
    group = hit.payload.get("item_group_id")
    return Candidate(hit.product_id, hit.garment_id, group, hit.similarity, hit.embedding, hit.payload)
