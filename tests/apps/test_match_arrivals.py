"""match-arrivals: a new garment asks for the sets that it would enter, and for no others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sets_cases import AXES, Clock, Sent, Store, garment, garment_event, handling, holding, set_record, toward

from models.taste.exclusions import product_key
from models.taste.rules import Rule, Rules
from streams.agents import match_arrivals
from streams.agents.match_arrivals import INTERVAL_S, NEAREST, MatchArrivals
from streams.current_sets import CurrentSets
from streams.record import Record
from vectorstore.base import TastePoint

FULL = [(f"p{n}", 0.5 + n / 100, "upper", "taste") for n in range(4)]


class Case:
    """An agent for sets of four; new garments lie along axis 0."""

    def __init__(self, sets: CurrentSets, *failures: Exception, rules: Rules | None = None) -> None:
        self.clock, self.sent, self.store, self.sets = Clock(), Sent(), Store(failures), sets
        errors = {"unavailable": (TimeoutError,), "permanent": (ValueError,)}
        self.agent = MatchArrivals(
            self.store,  # type: ignore[arg-type]
            sets,
            4,
            handling(self.sent, "match-arrivals", **errors),
            lambda: rules or Rules(),
            self.clock,
            self.clock.pause,
        )

    def likes(self, user_id: str, similarity: float, part: str = "upper", **payload: Any) -> None:
        """The shopper has one more interest, so similar to new garments."""
        held = self.store.tastes.setdefault(user_id, [])
        centroid = toward(0, 1 + len(held), similarity)
        held.append(TastePoint(f"{user_id}/{len(held)}", user_id, centroid, {"part": part} | payload))

    def arrives(self, product_id: str = "new", part: str = "upper", offset: int = 0, **payload: Any) -> None:
        points = [
            garment(product_id, AXES[0], "whole", **payload),
            garment(product_id, AXES[0], part, **payload),
        ]
        self.store.products[product_id] = points
        self.take(garment_event("indexed", product_id, offset=offset))

    def take(self, *records: Record) -> None:
        asyncio.run(self.agent.handle(records))
        while self.agent._queue:
            asyncio.run(self.agent.match_next())

    def asked(self) -> list[str]:
        """Who is asked for, once what must wait has waited."""
        asyncio.run(self.agent.requests.send_due())
        found = self.sent.requests()
        for user_id, _, _ in found:
            self.agent.requests.answered(user_id)
        self.last = found
        return sorted(user_id for user_id, _, _ in found)


def test_those_whose_set_it_would_enter_are_asked_for() -> None:
    case = Case(holding(alice=FULL, bella=FULL, cathy=FULL))
    case.likes("alice", 0.9)
    case.likes("bella", 0.4)
    case.likes("cathy", 0.51)
    case.arrives()
    assert case.asked() == ["alice", "cathy"]
    assert case.last[0][1:] == ("garments.indexed", "garments.indexed:new:0")
    assert case.store.asked == [(NEAREST, frozenset({"upper"}))]


def test_the_best_of_several_interests_decides_and_one_request_is_sent() -> None:
    case = Case(holding(alice=FULL, bella=FULL))
    for similarity in (0.3, 0.7, 0.8):
        case.likes("alice", similarity)
        case.likes("bella", 0.3)
    case.arrives()
    assert case.asked() == ["alice"]


def test_the_weakest_item_of_the_part_is_what_counts() -> None:
    mixed = [*FULL[:3], ("bag", 0.2, "bag", "taste")]
    trending = [*FULL[:3], ("t", 0.1, "upper", "trending")]
    case = Case(holding(alice=mixed, bella=trending))
    case.likes("alice", 0.4)
    case.likes("alice", 0.3, "bag")
    case.likes("bella", 0.4)
    case.arrives()
    assert case.asked() == []
    case.arrives("new-bag", "bag", offset=1)
    assert case.asked() == ["alice"]


def test_a_set_that_is_not_full_has_room_for_anything() -> None:
    case = Case(holding(alice=FULL[:3], bella=[("t", 0.9, "upper", "trending")] * 3, cathy=[]))
    for user_id in ("alice", "bella", "cathy"):
        case.likes(user_id, 0.01)
    case.arrives()
    assert case.asked() == ["alice", "bella", "cathy"]


def test_who_has_it_may_not_have_it_or_has_no_set_is_not_asked_for() -> None:
    sets = holding(has=["new", *FULL[:3]], excludes=FULL, other=FULL, wanted=FULL)
    case = Case(sets)
    case.likes("has", 0.9)
    case.likes("excludes", 0.9, excluded=f"00000000 {product_key('new'):08x}")
    case.likes("other", 0.9, gender="male")
    case.likes("stranger", 0.9)
    case.likes("wanted", 0.9, gender="female", excluded="00000000")
    case.arrives(gender="female")
    assert case.asked() == ["wanted"]


@pytest.mark.parametrize(
    "record",
    [
        garment_event("updated", "new"),
        garment_event("removed", "new"),
        garment_event("indexed", "new", availability="out_of_stock"),
        garment_event("indexed", "not in the index any more"),
        Record("garments", 0, 0, b"new", b"{}", (("ce_type", b"garments.indexed"),), 0.0),
        Record("garments", 0, 0, None, None, (), 0.0),
    ],
)
def test_only_what_is_new_and_in_stock_is_matched(record: Record) -> None:
    case = Case(holding(alice=[]))
    case.likes("alice", 0.9)
    case.store.products["new"] = [garment("new", AXES[0])]
    case.take(record)
    assert (case.asked(), case.store.asked) == ([], [])


def test_what_sold_out_meanwhile_or_is_blocked_is_not_matched() -> None:
    case = Case(holding(alice=[]), rules=Rules({"r": Rule("block", brand="Fur")}))
    case.likes("alice", 0.9)
    case.arrives(in_stock=0)
    case.arrives("furry", brand="fur")
    assert case.asked() == []


def test_the_whole_photo_is_matched_only_where_nothing_was_detected() -> None:
    case = Case(holding(alice=[], bella=[]))
    case.likes("alice", 0.9, "whole")
    case.likes("bella", 0.9, "upper")
    case.arrives()
    assert case.asked() == ["bella"]
    case.store.products["plain"] = [garment("plain", AXES[0], "whole")]
    case.take(garment_event("indexed", "plain"))
    assert case.asked() == ["alice"]


def test_a_shopper_is_asked_for_at_a_bounded_rate_and_the_last_arrival_is_not_lost() -> None:
    case = Case(holding(alice=FULL))
    case.likes("alice", 0.9)
    for number in range(20):
        case.arrives(f"new-{number}", offset=number)
        assert case.asked() == (["alice"] if number == 0 else [])
        case.clock.now_s += 0.1
    case.clock.now_s += INTERVAL_S
    assert case.asked() == ["alice"]
    assert case.last == [("alice", "garments.indexed", "garments.indexed:new-19:19")]
    case.clock.now_s += 2 * INTERVAL_S
    assert case.asked() == []


def test_who_got_it_meanwhile_is_not_asked_for_later() -> None:
    case = Case(holding(alice=FULL))
    case.likes("alice", 0.9)
    case.arrives("one")
    case.arrives("two")
    assert case.asked() == ["alice"]
    case.arrives("three")
    case.sets.read(set_record("alice", 2, ["one", "two", "three"]))
    case.clock.now_s += INTERVAL_S
    assert case.asked() == []


@pytest.mark.parametrize(("asked_s", "asked_for"), [(-60.0, True), (0.5, True), (1.5, False)])
def test_a_set_that_was_asked_for_afterwards_has_made_its_choice(asked_s: float, asked_for: bool) -> None:
    sets = CurrentSets()
    sets.read(set_record("alice", 1, FULL, asked_s=asked_s))
    case = Case(sets)
    case.likes("alice", 0.9)
    case.arrives()
    assert case.asked() == ["alice"] * asked_for


def test_who_clicked_meanwhile_is_not_asked_for_later() -> None:
    case = Case(holding(alice=FULL))
    case.likes("alice", 0.9)
    case.arrives("one")
    case.arrives("two")
    assert case.asked() == ["alice"]
    case.arrives("three")
    case.sets.read(set_record("alice", 2, FULL, asked_s=5.0))
    case.clock.now_s += INTERVAL_S
    assert case.asked() == []


def test_an_erased_shopper_is_not_asked_for() -> None:
    case = Case(holding(alice=FULL))
    case.likes("alice", 0.9)
    case.arrives()
    case.sets.read(Record("recommendations", 0, 9, b"alice", None, (), 0.0))
    assert case.asked() == []


def test_the_newest_comes_first_and_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_arrivals, "MAX_QUEUED", 3)
    case = Case(holding())
    uploads = [garment_event("indexed", f"new-{n}", offset=n) for n in range(5)]
    asyncio.run(case.agent.handle([*uploads, uploads[3]]))
    assert list(reversed(case.agent._queue)) == ["new-3", "new-4", "new-2"]
    asyncio.run(case.agent.handle([garment_event("removed", "new-4")]))
    asyncio.run(case.agent.match_next())
    assert list(case.agent._queue) == ["new-2"]


def test_the_store_rests_between_products_as_long_as_it_was_busy_and_longer() -> None:
    case = Case(holding())
    for number in range(3):
        case.store.products[f"new-{number}"] = [garment(f"new-{number}", AXES[0])]
    fetch = case.store.fetch_products

    async def slow(product_ids: Any) -> Any:
        case.clock.now_s += 0.02
        return await fetch(product_ids)

    async def scenario() -> None:
        case.store.fetch_products = slow  # type: ignore[method-assign]
        running = asyncio.create_task(case.agent.run())
        await case.agent.handle([garment_event("indexed", f"new-{n}") for n in range(3)])
        await asyncio.wait_for(case.clock.paused(3), 5.0)
        running.cancel()

    asyncio.run(scenario())
    assert case.clock.pauses == pytest.approx([0.06] * 3)


def test_a_store_that_is_away_is_waited_for_and_what_cannot_work_is_a_dead_letter() -> None:
    case = Case(holding(alice=[]), TimeoutError())
    case.likes("alice", 0.9)
    case.arrives()
    assert case.asked() == ["alice"]
    case.store.failures = [ValueError("a NaN")]
    case.arrives("other")
    assert [(topic, key) for topic, key, _, _ in case.sent.records] == [("dead-letters", b"other")]
