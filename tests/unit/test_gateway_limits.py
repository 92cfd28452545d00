"""Limits: buckets fill again with time, callers do not share them, bodies end where they must."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from streams.gateway import limits
from streams.gateway.limits import RATES, Buckets, read_body, require_type
from streams.gateway.problems import Problem


def taken(buckets: Buckets, kind: str, caller: str, most: int = 100_000) -> int:
    """How many requests pass before one is refused."""
    for count in range(most):
        try:
            buckets.take(kind, caller)
        except Problem:
            return count
    return most


def test_a_burst_then_the_rate() -> None:
    now_s = [0.0]
    buckets, rate = Buckets(lambda: now_s[0]), RATES["look"]
    assert taken(buckets, "look", "a") == rate.burst
    assert taken(buckets, "look", "b") == rate.burst
    assert taken(buckets, "token", "a") == RATES["token"].burst
    now_s[0] = 2.0
    assert taken(buckets, "look", "a") == 2 * rate.per_s
    now_s[0] = 10_000.0
    assert taken(buckets, "look", "a") == rate.burst


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 30)), max_size=40))
def test_never_more_than_burst_and_rate_allow(steps: list[tuple[float, int]]) -> None:
    now_s, passed = [0.0], 0
    buckets, rate = Buckets(lambda: now_s[0]), RATES["look"]
    for pause_s, count in steps:
        now_s[0] += pause_s
        try:
            buckets.take("look", "a", count)
            passed += min(count, rate.burst)
        except Problem:
            pass
        assert passed <= rate.burst + rate.per_s * now_s[0] + 1e-6


def test_a_refusal_costs_nothing_and_says_when_to_come_again() -> None:
    now_s = [0.0]
    buckets = Buckets(lambda: now_s[0])
    taken(buckets, "look", "a")
    with pytest.raises(Problem) as raised:
        buckets.take("look", "a", 20)
    assert raised.value.status == 429
    now_s[0] = float(raised.value.headers["retry-after"])
    buckets.take("look", "a", 20)


def test_callers_are_forgotten_before_they_fill_the_memory() -> None:
    buckets = Buckets(lambda: 0.0, most=100)
    for number in range(1000):
        buckets.take("look", f"caller {number}")
    assert len(buckets._held) == 100


def request(chunks: Sequence[bytes | None], **headers: str) -> Request:
    """A request whose body comes in chunks; None: it never does."""
    waiting = list(chunks)

    async def receive() -> Any:
        if not waiting:
            return {"type": "http.disconnect"}
        chunk = waiting.pop(0)
        if chunk is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    named = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": named}, receive)


def body(chunks: Sequence[bytes | None], limit: int = 10, **headers: str) -> bytes:
    return asyncio.run(read_body(request(chunks, **headers), limit))


def test_a_body_up_to_the_limit() -> None:
    assert body([b"01234", b"56789"]) == b"0123456789"
    assert body([b""]) == b""


@pytest.mark.parametrize("headers", [{}, {"content_length": "3"}, {"content_length": "99999999999999999999"}])
def test_a_longer_one_is_refused_whatever_it_says(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as raised:
        body([b"01234", b"56789", b"0", None], **headers)
    assert raised.value.status == 413


def test_one_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_WITHIN_S", 0.01)
    with pytest.raises(Problem) as raised:
        body([b"0", None])
    assert raised.value.status == 408


def test_one_that_is_cut_short_is_refused() -> None:
    async def cut() -> bytes:
        whole = request([])
        return await read_body(whole, 10)

    with pytest.raises(Problem) as raised:
        asyncio.run(cut())
    assert raised.value.status == 400


def test_types_are_compared_without_their_parameters() -> None:
    require_type(request([], content_type="Application/JSON; charset=utf-8"), "application/json")
    for said in ("", "text/plain", "application/jsonx"):
        with pytest.raises(Problem) as raised:
            require_type(request([], content_type=said), "application/json")
        assert raised.value.status == 415
