"""retract: what is gone leaves every set that holds it, those that were under way included, and no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets_cases import AXES, Clock, Sent, Store, as_record, garment, garment_event, handling, set_record

from models.taste.rules import Rules
from streams.agents import retract
from streams.agents.retract import AGAIN_AFTER_S, IN_FLIGHT, INTERVAL_S, Retract
from streams.current_sets import CurrentSets
from streams.record import Record
from streams.rule_book import RuleBook


class Case:
    """The agent of a worker that has partitions 0 and 1; everything p0 … p9 is in stock."""

    def __init__(self) -> None:
        self.clock, self.sent, self.store = Clock(), Sent(), Store()
        self.sets, self.assigned, self.book = CurrentSets(), {0, 1}, RuleBook()
        self.agent = Retract(
            self.store,  # type: ignore[arg-type]
            self.sets,
            lambda: self.assigned,
            handling(self.sent, "retract"),
            lambda: self.book.current,
            self.clock,
            self.clock.pause,
        )
        for number in range(10):
            self.stock(f"p{number}")

    def stock(self, product_id: str, **payload: Any) -> None:
        self.store.products[product_id] = [garment(product_id, AXES[0], **payload)]

    def has(self, user_id: str, revision: int, *products: str, partition: int = 0) -> None:
        """A set arrives."""
        arrived = self.sets.read(set_record(user_id, revision, products, partition=partition))
        if arrived is not None:
            self.agent.set_arrived(arrived)

    def said(self, kind: str, product_id: str, **more: Any) -> None:
        self.agent.garment(garment_event(kind, product_id, **more))

    def rule(self, rule_id: str, **data: Any) -> None:
        record = as_record("rules", "rule.set", rule_id, {"id": rule_id} | data)
        self.book.read(record)
        self.agent.rule(record)

    def check(self) -> None:
        asyncio.run(self.agent.check())

    def asked(self) -> list[str]:
        asyncio.run(self.agent.requests.send_due())
        self.last = self.sent.requests()
        for user_id, _, _ in self.last:
            self.agent.requests.answered(user_id)
        return sorted(user_id for user_id, _, _ in self.last)


@pytest.fixture
def case() -> Case:
    made = Case()
    made.has("alice", 1, "p1", "p2")
    made.has("bella", 1, "p2", "p3", partition=1)
    made.has("cathy", 1, "p3")
    made.has("elsewhere", 1, "p1", "p2", partition=7)
    made.check()
    assert made.asked() == []
    return made


@pytest.mark.parametrize(
    ("kind", "more", "gone"),
    [
        ("removed", {}, True),
        ("updated", {"availability": "out_of_stock"}, True),
        ("updated", {"availability": "preorder"}, True),
        ("updated", {}, False),
        ("indexed", {}, False),
        ("indexed", {"availability": "out_of_stock"}, True),
    ],
)
def test_exactly_those_who_hold_it_are_asked_for(
    case: Case, kind: str, more: dict[str, str], gone: bool
) -> None:
    case.said(kind, "p2", **more)
    assert case.asked() == (["alice", "bella"] if gone else [])
    assert all(row[1:] == (f"garments.{kind}", f"garments.{kind}:p2:0") for row in case.last)
    case.said(kind, "p9", **more)
    assert case.asked() == []


def test_a_set_that_arrives_with_it_is_asked_for_again(case: Case) -> None:
    case.said("removed", "p2")
    assert case.asked() == ["alice", "bella"]
    case.has("alice", 2, "p1", "p2")
    case.has("bella", 2, "p3")
    case.has("cathy", 2, "p2")
    case.has("elsewhere", 2, "p2", partition=7)
    assert case.asked() == ["cathy"]
    case.clock.now_s += INTERVAL_S
    assert case.asked() == ["alice"]
    case.has("alice", 3, "p1")
    case.clock.now_s += INTERVAL_S
    assert case.asked() == []


def test_sets_that_come_make_room_for_more_requests() -> None:
    case = Case()
    shoppers = [f"u{n:03}" for n in range(IN_FLIGHT + 3)]
    for user_id in shoppers:
        case.has(user_id, 1, "p1")
    case.said("removed", "p1")
    for asked in (shoppers[:IN_FLIGHT], [], shoppers[IN_FLIGHT:]):
        asyncio.run(case.agent.requests.send_due())
        assert [user_id for user_id, _, _ in case.sent.requests()] == asked
        for user_id in shoppers[: 0 if asked else 3]:
            case.has(user_id, 2, "p2")


def test_what_is_back_in_stock_may_be_in_a_set(case: Case) -> None:
    case.said("updated", "p2", availability="out_of_stock")
    case.said("updated", "p2")
    case.has("cathy", 2, "p2")
    case.has("alice", 2, "p2")
    case.has("bella", 2)
    assert case.asked() == ["alice"], (
        "it held the product when that was gone, and nobody knows of the new set"
    )
    case.said("removed", "p3")
    case.said("indexed", "p3")
    case.has("bella", 3, "p3")
    assert case.asked() == []


def test_who_has_a_new_set_without_it_by_then_is_not_asked_for(case: Case) -> None:
    case.said("removed", "p2")
    case.has("alice", 2, "p1")
    assert case.asked() == ["bella"]


def test_what_cannot_be_read_is_ignored(case: Case) -> None:
    case.agent.garment(Record("garments", 0, 0, b"p2", b"{}", (("ce_type", b"garments.removed"),), 0.0))
    case.agent.rule(Record("rules", 0, 0, b"r", None, (), 0.0))
    case.agent.rule(Record("rules", 0, 0, b"r", b"{}", (), 0.0))
    case.check()
    assert case.asked() == []


def test_what_happened_meanwhile_is_found_when_partitions_come(case: Case) -> None:
    del case.store.products["p1"]
    case.stock("p2", in_stock=0)
    case.check()
    assert case.asked() == [], "nothing new here"
    case.assigned = {0, 7}
    case.check()
    assert case.asked() == ["alice", "elsewhere"]
    assert {kind for _, kind, _ in case.last} <= {"garments.removed", "garments.updated"}
    case.has("elsewhere", 2, "p2", partition=7)
    case.has("alice", 2, "p3")
    case.clock.now_s += AGAIN_AFTER_S
    case.check()
    assert case.asked() == ["elsewhere"], "a set that was under way"
    case.clock.now_s += 10 * AGAIN_AFTER_S
    case.check()
    assert case.asked() == []


def test_a_restart_finds_what_is_gone() -> None:
    case = Case()
    case.has("alice", 5, "p1", "unknown")
    case.has("bella", 5, "p1")
    case.check()
    assert case.asked() == ["alice"]
    assert case.last[0][1] == "garments.removed"


@pytest.mark.parametrize(
    ("rule", "holders"),
    [
        ({"action": "block", "product_id": "p2"}, ["alice", "bella"]),
        ({"action": "block", "brand": "Fur"}, ["bella", "cathy"]),
        ({"action": "block", "category": "HATS"}, ["alice"]),
        ({"action": "block", "product_id": "p9"}, []),
        ({"action": "boost", "brand": "Fur", "factor": 2.0}, []),
        ({"action": "pin", "product_id": "p2"}, []),
    ],
)
def test_what_a_rule_blocks_is_retracted(case: Case, rule: dict[str, Any], holders: list[str]) -> None:
    case.stock("p1", product_category="hats")
    case.stock("p3", brand="fur")
    case.clock.now_s += 2 * AGAIN_AFTER_S
    case.check()
    case.rule("r", **rule)
    case.check()
    assert case.asked() == holders
    assert all(row[1:] == ("rule.set", "rule.set:r:0") for row in case.last)
    case.clock.now_s += AGAIN_AFTER_S
    case.check()
    assert case.asked() == holders, "a set that was under way"
    case.clock.now_s += AGAIN_AFTER_S
    case.check()
    assert case.asked() == []


def test_a_search_that_fails_is_tried_again(case: Case) -> None:
    case.stock("p2", in_stock=0)
    case.store.failures = [TimeoutError()]
    case.assigned = {0, 1, 7}
    with pytest.raises(TimeoutError):
        case.check()
    assert case.asked() == []
    case.check()
    assert case.asked() == ["alice", "bella", "elsewhere"]


def test_many_products_are_looked_at_piece_by_piece() -> None:
    case = Case()
    held = [f"q{n}" for n in range(300)]
    case.has("alice", 1, *held)
    for product_id in held:
        case.stock(product_id)
    case.check()
    assert len(case.clock.pauses) == 3
    assert case.asked() == []


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    monkeypatch.setattr(retract, "MAX_GONE", 3)
    for number in range(5):
        case.said("removed", f"gone-{number}")
    assert list(case.agent._gone) == ["gone-2", "gone-3", "gone-4"]


names = st.sampled_from(["p0", "p1", "p2", "p3"])
happenings = st.one_of(
    st.tuples(st.just("removed"), names, st.just(())),
    st.tuples(st.just("indexed"), names, st.just(())),
    st.tuples(st.just("set"), st.sampled_from(["a", "b", "c"]), st.lists(names, max_size=3, unique=True)),
)


@given(st.lists(happenings, max_size=40))
@settings(deadline=None)
def test_in_the_end_nobody_holds_what_is_gone(drawn: list[tuple[str, str, Any]]) -> None:
    """Each request is answered by a set without what is gone by then; in between, sets come as they like."""
    case, gone, revisions = Case(), set[str](), dict.fromkeys("abc", 0)

    def arrive(user_id: str, products: list[str]) -> None:
        revisions[user_id] += 1
        case.has(user_id, revisions[user_id], *products)

    case.check()
    for kind, name, products in drawn:
        if kind == "set":
            arrive(name, products)
        else:
            case.said(kind, name)
            (gone.add if kind == "removed" else gone.discard)(name)
    for _ in range(3):
        held = {user_id: set(case.sets.products(user_id)) & gone for user_id in revisions}
        asked = case.asked()
        assert set(asked) <= {user_id for user_id in revisions if case.sets.revision(user_id)}
        for user_id in asked:
            arrive(user_id, [p for p in case.sets.products(user_id) if p not in gone])
        case.clock.now_s += INTERVAL_S
    assert not any(set(case.sets.products(user_id)) & gone for user_id in revisions), held
    assert case.asked() == []


def test_rules_are_asked_as_they_are_then() -> None:
    case = Case()
    case.has("alice", 1, "p1")
    case.check()
    case.rule("r", action="block", product_id="p1")
    case.book.current = Rules()
    case.check()
    assert case.asked() == []
