"""index-tastes: the store has the centroids of every shopper's newest taste, and of nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sets_cases import AXES, TIME, Sent, Store, as_record, handling, toward

from models.taste.contributions import TasteSettings
from models.taste.exclusions import product_key
from models.taste.interests import interests
from models.taste.shopper import Act, GarmentSeen, Shopper, acted
from models.taste.state import pack as pack_state
from schemas.recommendations import Through, Trigger
from schemas.tastes import TasteUpdated, pack
from streams.agents import index_tastes
from streams.agents.centroids import MAX_CENTROIDS, MAX_EXCLUDED, centroid_id, centroids, is_for
from streams.agents.index_tastes import IndexTastes
from streams.agents.known_tastes import KnownTastes
from streams.record import Record

SETTINGS = TasteSettings()
Seen = tuple[str, str, Any]  # product id, part, embedding


def shopper(*seen: Seen, revision: int = 1, **more: Any) -> Shopper:
    """A shopper who viewed these garments, one after the other."""
    held = Shopper("embedder", revision=revision)
    for number, (product_id, part, embedding) in enumerate(seen):
        act = Act(number, "product.viewed", product_id, TIME.timestamp() + number)
        held = acted(held, act, [GarmentSeen(f"{product_id}/0", part, embedding)], SETTINGS)
    return replace(held, **more)


def taste(user_id: str, held: Shopper, *, offset: int = 0) -> Record:
    header = TasteUpdated(
        user_id=user_id,
        revision=held.revision,
        trigger=Trigger(type="product.viewed", id="x", time=TIME),
        includes=["x"],
        oldest_appended_at_s=0.0,
        through=Through(partition=0, offset=offset),
    )
    value = pack(header, pack_state(held))
    return Record("tastes", 0, offset, user_id.encode(), value, (("ce_type", b"taste.updated"),), 0.0)


class Case:
    def __init__(self, *failures: Exception) -> None:
        self.store, self.sent = Store(failures), Sent()
        errors = {"unavailable": (TimeoutError,), "permanent": (ValueError,)}
        self.agent = IndexTastes(
            self.store,
            "embedder",
            KnownTastes(SETTINGS),
            24,
            handling(self.sent, "index-tastes", **errors),
        )

    def take(self, *records: Record) -> list[dict[str, list[Any]]]:
        """What is written for a batch."""
        self.store.written.clear()
        asyncio.run(self.agent.handle(records))
        return self.store.written


UPPER = ("p-1", "upper", AXES[0])
LOWER = ("p-2", "lower", AXES[1])


def test_every_interest_becomes_a_centroid() -> None:
    held = shopper(UPPER, LOWER, ("p-3", "upper", AXES[2]), revision=7, gender="female", age_group="adult")
    (written,) = Case().take(taste("alice", held))
    found = interests(held.taste, SETTINGS)
    assert [p.payload["part"] for p in written["alice"]] == [interest.part for interest in found]
    total = sum(interest.weight for interest in found)
    for point, interest in zip(written["alice"], found, strict=True):
        np.testing.assert_allclose(point.embedding, interest.centroid, atol=1e-6)
        assert point.user_id == "alice"
        assert point.payload["weight"] == pytest.approx(interest.weight / total, abs=1e-4)
        assert {"revision": 7, "gender": "female", "age_group": "adult"}.items() <= point.payload.items()
    ids = {point.taste_id for point in written["alice"]}
    assert ids == {centroid_id("alice", *place) for place in (("upper", 0), ("upper", 1), ("lower", 0))}
    assert centroid_id("alice", "upper", 0) != centroid_id("alic", "eupper", 0)


def test_of_several_tastes_the_newest_is_written_once() -> None:
    batch = [
        taste("alice", shopper(UPPER), offset=1),
        taste("bella", shopper(LOWER), offset=2),
        taste("alice", shopper(UPPER, LOWER), offset=3),
    ]
    (written,) = Case().take(*batch)
    assert {user_id: len(points) for user_id, points in written.items()} == {"alice": 2, "bella": 1}


def test_what_the_store_has_is_not_written_again() -> None:
    case = Case()
    held = shopper(UPPER, LOWER)
    assert len(case.take(taste("alice", held))) == 1
    assert case.take(taste("alice", replace(held, revision=2))) == []
    changes = (
        shopper(UPPER),
        shopper(UPPER, LOWER, ("p-9", "bag", AXES[3])),
        replace(held, gender="male"),
        replace(held, bought={77: 64}),
    )
    for revision, change in enumerate(changes, 3):
        changed = replace(change, revision=revision)
        assert len(case.take(taste("alice", changed))) == 1
        assert case.take(taste("alice", changed)) == []


@pytest.mark.parametrize("ends", ["tombstone", "erased", "handed over"])
def test_nothing_stays_of_who_is_gone(ends: str) -> None:
    case, held = Case(), shopper(UPPER, LOWER)
    last = {
        "tombstone": Record("tastes", 0, 9, b"alice", None, (), 0.0),
        "erased": as_record("tastes", "taste.erased", "alice", {"user_id": "alice"}),
        "handed over": taste("alice", replace(held, forward_to="bella")),
    }[ends]
    case.take(taste("alice", held))
    assert case.take(last) == [{"alice": []}]
    assert "alice" not in case.agent._written
    assert len(case.take(taste("alice", held))) == 1, "who comes back is indexed again"
    assert case.take(taste("alice", held), last) == [{"alice": []}]


def test_what_cannot_be_read_or_is_of_another_embedder_is_left() -> None:
    case = Case()
    for value in (b"", b"\x00", b"\x02\x00\x00\x00{}LS", pack_state(shopper(UPPER))):
        assert case.take(replace(taste("alice", shopper(UPPER)), value=value)) == []
    assert case.take(taste("alice", replace(shopper(UPPER), embedder="another"))) == []
    assert case.sent.records == []


def test_a_store_that_is_away_is_waited_for() -> None:
    case = Case(TimeoutError(), TimeoutError())
    assert len(case.take(taste("alice", shopper(UPPER)))) == 1


def test_a_taste_that_cannot_be_written_takes_no_other_along() -> None:
    case = Case()
    batch = [taste(user_id, shopper(UPPER)) for user_id in ("alice", "poison", "bella")]
    written = case.take(*batch)
    assert {user_id for some in written for user_id in some} == {"alice", "bella"}
    assert [(topic, key) for topic, key, _, _ in case.sent.records] == [("dead-letters", b"poison")]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_tastes, "MAX_REMEMBERED", 3)
    case = Case()
    for number in range(10):
        case.take(taste(f"u{number}", shopper(UPPER)))
    assert list(case.agent._written) == ["u7", "u8", "u9"]


def test_only_the_heaviest_interests_that_have_a_place_are_kept() -> None:
    parts = ["upper", "lower", "full_body", "footwear", "bag", "headwear", "accessory", "whole"]
    many = [(f"p-{n}", part, AXES[n]) for n, part in enumerate(parts)]
    held = shopper(*many)
    points = centroids("alice", held, interests(held.taste, SETTINGS), 24)
    assert len(points) == MAX_CENTROIDS
    weights = [point.payload["weight"] for point in points]
    assert weights == sorted(weights, reverse=True)
    assert len(centroids("alice", held, interests(held.taste, SETTINGS), 3)) < MAX_CENTROIDS
    assert centroids("alice", shopper(), (), 24) == []


def payload_of(held: Shopper) -> dict[str, Any]:
    return centroids("alice", held, interests(held.taste, SETTINGS), 24)[0].payload


def test_a_centroid_says_what_its_shopper_may_not_be_shown() -> None:
    held = shopper(UPPER, ("p-2", "upper", toward(0, 1, 0.9)), bought={product_key("b"): 64})
    held = replace(held, dismissed={product_key("d"): 64})
    payload = payload_of(held)
    assert not any(is_for(payload, product_id, {}) for product_id in ("p-1", "p-2", "b", "d"))
    assert is_for(payload, "p-3", {})
    seen = {product_key(f"s-{n}"): 64 * n for n in range(2 * MAX_EXCLUDED)}
    newest = payload_of(replace(held, seen=seen, bought={}, dismissed={}))
    kept = [n for n in range(2 * MAX_EXCLUDED) if not is_for(newest, f"s-{n}", {})]
    assert kept == list(range(MAX_EXCLUDED, 2 * MAX_EXCLUDED))


@pytest.mark.parametrize(
    ("given", "garment", "fits"),
    [
        ({}, {"gender": "male", "age_group": "kids"}, True),
        ({"gender": "female"}, {"gender": "male"}, False),
        ({"gender": "female"}, {"gender": "unisex"}, True),
        ({"gender": "female"}, {"gender": "female", "age_group": "kids"}, True),
        ({"gender": "female"}, {}, True),
        ({"age_group": "adult"}, {"age_group": "kids"}, False),
        ({"age_group": "adult"}, {"age_group": "adult"}, True),
        ({"age_group": "adult"}, {}, True),
    ],
)
def test_gender_and_age_group_narrow_when_both_are_known(
    given: dict[str, str], garment: dict[str, str], fits: bool
) -> None:
    assert is_for(payload_of(shopper(UPPER, **given)), "new", garment) == fits


def test_nothing_is_written_for_nothing() -> None:
    empty: Sequence[Record] = ()
    assert Case().take(*empty) == []
