"""Requests for sets: one a shopper and interval, the last one never lost, only so many under way."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets_cases import TIME, Clock, Sent, handling

from schemas.recommendations import Trigger
from streams.taste_requests import ANSWER_WITHIN_S, Cause, TasteRequests


def cause(name: str) -> Cause:
    return Cause(f"p-{name}", Trigger(type="garments.indexed", id=name, time=TIME), 0.0, f"trace-{name}")


class Case:
    """Requests with a clock, what was sent, and products that nobody wants any more."""

    def __init__(self, interval_s: float = 10.0, in_flight: int = 100) -> None:
        self.clock, self.sent, self.unwanted = Clock(), Sent(), set[tuple[str, str]]()
        self.requests = TasteRequests(
            handling(self.sent, "retract"),
            lambda user_id, cause: (user_id, cause.product_id) not in self.unwanted,
            interval_s=interval_s,
            in_flight=in_flight,
            clock=self.clock,
        )

    def ask(self, *asked: tuple[str, str]) -> None:
        for user_id, name in asked:
            self.requests.ask(user_id, cause(name))

    def send(self, answer: bool = True) -> list[tuple[str, str]]:
        """(user id, trigger id) of what is sent now."""
        self.wait_s = asyncio.run(self.requests.send_due())
        found = [(user_id, name) for user_id, _, name in self.sent.requests()]
        if answer:
            for user_id, _ in found:
                self.requests.answered(user_id)
        return found


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_request_says_what_happened(case: Case) -> None:
    case.ask(("alice", "one"))
    asyncio.run(case.requests.send_due())
    ((topic, key, value, headers),) = case.sent.records
    said = dict(headers)
    assert (topic, key, said["ce_type"], said["ce_subject"]) == (
        "taste-requests",
        b"alice",
        b"taste.requested",
        b"alice",
    )
    assert (said["ce_source"], said["traceparent"]) == (b"lookstream/retract", b"trace-one")
    assert said["ce_time"] == b"2026-05-01T12:00:00.000Z"
    assert b'"type":"garments.indexed","id":"one"' in (value or b"").replace(b" ", b"")


def test_within_the_interval_the_newest_cause_waits(case: Case) -> None:
    case.ask(("alice", "one"), ("bella", "one"))
    assert case.send() == [("alice", "one"), ("bella", "one")]
    assert case.wait_s == math.inf
    case.ask(("alice", "two"), ("alice", "three"))
    assert case.send() == []
    assert (case.wait_s, len(case.requests)) == (10.0, 1)
    case.clock.now_s += 9.9
    assert case.send() == []
    case.clock.now_s += 0.1
    assert case.send() == [("alice", "three")]
    case.clock.now_s += 10.0
    assert (case.send(), len(case.requests)) == ([], 0)


def test_what_is_asked_after_the_interval_replaces_what_waited(case: Case) -> None:
    case.ask(("alice", "one"))
    case.send()
    case.ask(("alice", "two"))
    case.clock.now_s += 10.0
    case.ask(("alice", "three"))
    assert case.send() == [("alice", "three")]
    case.clock.now_s += 30.0
    assert case.send() == []


def test_only_so_many_are_under_way() -> None:
    case = Case(in_flight=2)
    case.ask(*((f"u{n}", "one") for n in range(5)))
    assert case.send(answer=False) == [("u0", "one"), ("u1", "one")]
    assert case.send(answer=False) == []
    assert case.wait_s == ANSWER_WITHIN_S
    case.requests.answered("u1")
    case.requests.answered("nobody")
    assert case.send(answer=False) == [("u2", "one")]
    case.clock.now_s += ANSWER_WITHIN_S
    assert case.send(answer=False) == [("u3", "one"), ("u4", "one")]


def test_who_was_asked_for_again_has_the_whole_time_again() -> None:
    case = Case(interval_s=1.0, in_flight=3)
    for name in ("alice", "bella", "alice"):
        case.ask((name, "one"))
        assert case.send(answer=False) == [(name, "one")]
        case.clock.now_s += 1.0
    case.ask(("cathy", "one"), ("dora", "one"), ("emma", "one"))
    assert case.send(answer=False) == [("cathy", "one")]
    case.clock.now_s += ANSWER_WITHIN_S - 2.0
    assert case.send(answer=False) == [("dora", "one")], "bella got no answer"
    case.clock.now_s += 1.0
    assert case.send(answer=False) == [("emma", "one")], "nor did alice, who was asked for later"


def test_what_has_no_point_any_more_is_not_sent(case: Case) -> None:
    case.ask(("alice", "one"), ("bella", "one"))
    case.unwanted.add(("alice", "p-one"))
    assert case.send() == [("bella", "one")]
    case.ask(("alice", "two"))
    assert case.send() == [("alice", "two")]


def test_a_send_that_fails_is_tried_again_with_the_newest_cause(case: Case) -> None:
    case.ask(("alice", "one"), ("bella", "one"))
    case.sent.failures = 2
    assert case.send() == []
    assert 0 < case.wait_s < 2
    case.ask(("alice", "two"))
    assert case.send() == []
    case.clock.now_s += case.wait_s
    assert sorted(case.send()) == [("alice", "two"), ("bella", "one")]


def test_what_is_asked_during_a_send_that_fails_is_not_lost(case: Case) -> None:
    async def failing(*_: object, **__: object) -> None:
        case.ask(("alice", "two"))
        raise ConnectionError

    send, case.sent.send = case.sent.send, failing  # type: ignore[method-assign, assignment]
    case.ask(("alice", "one"))
    assert case.send() == []
    case.sent.send = send  # type: ignore[method-assign]
    case.clock.now_s += case.wait_s
    assert case.send() == [("alice", "two")]
    assert len(case.requests) == 0


def test_it_runs_as_it_is_asked(case: Case) -> None:
    async def scenario() -> None:
        running = asyncio.create_task(case.requests.run())
        for name in ("one", "two"):
            case.ask((f"user-{name}", name))
            await asyncio.wait_for(case.sent.has(1), 5.0)
            assert [row[2] for row in case.sent.requests()] == [name]
        running.cancel()

    asyncio.run(scenario())


asks = st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0.0, 6.0), st.booleans())


@given(st.lists(asks, max_size=40), st.integers(1, 3))
@settings(deadline=None)
def test_no_shopper_is_asked_for_too_often_and_the_last_cause_always_goes_out(
    drawn: list[tuple[str, float, bool]], in_flight: int
) -> None:
    case, sent_at, last = Case(4.0, in_flight), defaultdict[str, list[float]](list), dict[str, str]()
    seen: dict[str, str] = {}

    def send(answer: bool) -> None:
        for user_id, name in case.send(answer):
            sent_at[user_id].append(case.clock.now_s)
            seen[user_id] = name
        assert len(case.requests._unanswered) <= in_flight

    for number, (user_id, later_s, answered) in enumerate(drawn):
        case.clock.now_s += later_s
        case.ask((user_id, str(number)))
        last[user_id] = str(number)
        send(answered)
    while len(case.requests):
        assert 0 < case.wait_s < math.inf
        case.clock.now_s += case.wait_s
        send(True)
    assert seen == last
    for times in sent_at.values():
        assert all(two - one >= 4.0 - 1e-6 for one, two in itertools.pairwise(times))
