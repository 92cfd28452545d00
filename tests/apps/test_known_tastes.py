"""Tastes in hand: what is known is what the bytes say, and interests are made only where a taste changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.interests import interests
from models.taste.shopper import Act, GarmentSeen, Position, Shopper, acted, at
from streams.agents import known_tastes
from streams.agents.known_tastes import KnownTastes

SETTINGS = TasteSettings()
USERS = ("u", "v", "w")


def viewed(shopper: Shopper, number: int) -> Shopper:
    embedding = np.zeros(8, np.float32)
    embedding[number % 8] = 1.0
    act = Act(number, "product.viewed", f"p{number}", 1e9 + number)
    seen = GarmentSeen(f"garment-{number}", "upper", embedding)
    return at(acted(shopper, act, [seen], SETTINGS), Position("interactions", 0, number), number)


def alike(one: Any, other: Any) -> bool:
    return all(
        (a.part, a.weight, a.weights) == (b.part, b.weight, b.weights)
        and np.array_equal(a.centroid, b.centroid)
        for a, b in zip(one, other, strict=True)
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(USERS), st.sampled_from(["view", "renew", "keep", "forget"])), max_size=25
    ),
    st.integers(1, 8),
)
def test_what_is_known_is_what_the_bytes_say(steps: list[tuple[str, str]], most: int) -> None:
    known = KnownTastes(SETTINGS, most)
    shoppers = dict.fromkeys(USERS, Shopper("embedder"))
    for number, (user, step) in enumerate(steps):
        if step == "forget":
            known.forget(user)
        elif step == "renew":  # the same taste, another revision
            shoppers[user] = replace(shoppers[user], revision=shoppers[user].revision + 1)
        else:
            shoppers[user] = viewed(shoppers[user], number)
        packed = state.pack(shoppers[user])
        if step == "keep":
            known.keep(user, packed, shoppers[user])
        assert state.pack(known.shopper(user, packed)) == packed
        assert alike(known.interests(user, packed), interests(shoppers[user].taste, SETTINGS))
        assert known.newest(user, packed, shoppers[user].revision) == packed


def test_interests_are_made_once_for_a_taste(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def counted(taste: Any, settings: TasteSettings) -> Any:
        made.append(taste)
        return interests(taste, settings)

    monkeypatch.setattr(known_tastes, "interests", counted)
    known, shopper = KnownTastes(SETTINGS), viewed(Shopper("embedder"), 1)
    for revision in range(5):
        packed = state.pack(replace(shopper, revision=revision))
        known.interests("u", packed)
        known.digest("u", packed)
    assert len(made) == 1
    known.interests("u", state.pack(viewed(shopper, 2)))
    assert len(made) == 2


def test_a_newer_taste_stands_for_an_older_one() -> None:
    known, older = KnownTastes(SETTINGS), viewed(Shopper("embedder"), 1)
    newer = viewed(older, 2)
    known.shopper("u", state.pack(newer))
    assert known.newest("u", state.pack(older), older.revision) == state.pack(newer)
    known.forget("u")
    assert known.newest("u", state.pack(older), older.revision) == state.pack(older)


def test_damaged_bytes_are_refused_and_change_nothing() -> None:
    known, packed = KnownTastes(SETTINGS), state.pack(viewed(Shopper("embedder"), 1))
    known.shopper("u", packed)
    with pytest.raises(state.StateError):
        known.shopper("u", packed[:-1])
    assert state.pack(known.shopper("u", packed)) == packed
