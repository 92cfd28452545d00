"""Current sets: both sides always agree with the newest records, whatever came before."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets_cases import TIME, as_record, holding, set_record

from schemas.cloudevents import parse_json
from streams.current_sets import CurrentSets, SetArrived
from streams.record import Record

users = st.sampled_from([f"u{n}" for n in range(6)])
products = st.lists(st.sampled_from([f"p{n}" for n in range(12)]), max_size=5, unique=True)
steps = st.tuples(users, st.none() | st.tuples(st.integers(1, 30), products))


@given(st.lists(steps, max_size=150))
@settings(deadline=None)
def test_both_sides_are_the_newest_sets(drawn: list[tuple[str, tuple[int, list[str]] | None]]) -> None:
    sets = CurrentSets()
    truth: dict[str, tuple[int, list[str]]] = {}
    for user_id, said in drawn:
        partition = int(user_id[1:]) % 3
        if said is None:
            truth.pop(user_id, None)
            assert sets.read(Record("recommendations", partition, 0, user_id.encode(), None, (), 0.0)) is None
            continue
        newer = said[0] > truth.get(user_id, (0, []))[0]
        arrived = sets.read(set_record(user_id, *said, partition=partition))
        assert arrived == (SetArrived(user_id, partition, tuple(said[1])) if newer else None)
        truth[user_id] = said if newer else truth[user_id]
    assert len(sets) == len(truth)
    for user_id in (f"u{n}" for n in range(6)):
        revision, held = truth.get(user_id, (0, []))
        assert (sets.revision(user_id), sets.size(user_id)) == (revision, len(held))
        assert sets.products(user_id) == tuple(held)
        asked_at_s = TIME.timestamp() if user_id in truth else -math.inf
        assert sets.asked_at_s(user_id) == pytest.approx(asked_at_s)
        assert sets.partition(user_id) == (int(user_id[1:]) % 3 if user_id in truth else None)
    for product_id in (f"p{n}" for n in range(12)):
        holders = {user_id for user_id, (_, held) in truth.items() if product_id in held}
        assert sorted(sets.users(product_id)) == sorted(holders)
        assert set(sets.users(product_id, {1})) == {u for u in holders if int(u[1:]) % 3 == 1}
        assert all(sets.holds(f"u{n}", product_id) == (f"u{n}" in holders) for n in range(6))
    assert sets.held({0, 1, 2}) == sorted({p for _, held in truth.values() for p in held})
    assert sets.held({2}) == sorted(
        {p for u, (_, held) in truth.items() if int(u[1:]) % 3 == 2 for p in held}
    )
    assert sets.held(()) == []


def test_what_comes_and_goes_leaves_nothing_behind() -> None:
    sets = holding(cathy=["always", *(f"q{n}" for n in range(7))])
    for revision in range(1, 2001):
        for user_id in ("alice", "bella"):
            sets.read(set_record(user_id, revision, ["always", f"p{revision}", f"q{revision % 7}"]))
    assert len(sets._holders) == 9
    assert max(len(holders.users) for holders in sets._holders.values()) <= 2 * 3 + 33
    assert len(sets._products._texts) < 20
    for user_id in ("alice", "bella", "cathy"):
        sets.read(Record("recommendations", 0, 1, user_id.encode(), None, (), 0.0))
    assert (sets._holders, sets._products._numbers, sets._users._numbers) == ({}, {}, {})


def test_the_weakest_score_is_that_of_the_part_among_what_is_there_for_taste() -> None:
    items = [
        ("a", 0.9, "upper", "taste"),
        ("b", 0.7, "upper", "taste"),
        ("c", 0.4, "lower", "taste"),
        ("d", 0.1, "upper", "trending"),
        ("e", 0.0, "bag", "fresh"),
    ]
    sets = holding(alice=items, bella=items[3:], cathy=[])
    assert sets.weakest("alice", "upper") == pytest.approx(0.7)
    assert sets.weakest("alice", "lower") == pytest.approx(0.4)
    assert sets.weakest("alice", "bag") == pytest.approx(0.4)
    assert sets.weakest("alice", "no such part") == pytest.approx(0.4)
    assert {sets.weakest(user, "upper") for user in ("bella", "cathy", "nobody")} == {-math.inf}


def test_an_erased_shopper_is_forgotten() -> None:
    sets = holding(alice=["a", "b"], bella=["b"])
    erased = as_record("recommendations", "shopper.erased", "alice", {"user_id": "alice"})
    assert sets.read(erased) is None
    assert (sets.users("a"), sets.users("b"), sets.products("alice")) == ([], ["bella"], ())
    assert sets.read(set_record("alice", 2, ["c"])) is not None


ITEM = {"product_id": "a", "slot": "taste", "part": "bag", "score": 0.5}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b"null",
        {"revision": None},
        {"revision": "x"},
        {"latency_ms": None},
        {"latency_ms": "x"},
        {"items": None},
        {"items": 7},
        {"items": [7]},
        {"items": [{**ITEM, "product_id": 7}]},
        {"items": [{**ITEM, "score": "x"}]},
        {"items": [{"product_id": "a", "slot": "taste", "score": 1.0}]},
        {"items": [{"slot": "fresh"}]},
    ],
)
def test_what_is_no_set_changes_nothing(value: bytes | dict[str, Any]) -> None:
    sets = holding(alice=["a"])
    record = set_record("alice", 9, [])
    if isinstance(value, dict):
        value = json.dumps({**parse_json(record.value or b""), **value}).encode()
    assert sets.read(replace(record, value=value)) is None
    assert sets.read(replace(record, key=None)) is None
    assert (sets.products("alice"), sets.revision("alice")) == (("a",), 1)


def test_a_product_that_is_there_twice_counts_once() -> None:
    sets = CurrentSets()
    twice: list[Any] = ["a", "b", "a"]
    assert sets.read(set_record("alice", 1, twice)) == SetArrived("alice", 0, ("a", "b"))
    assert sets.users("a") == ["alice"]
    sets.read(set_record("alice", 2, []))
    assert sets._holders == {}
