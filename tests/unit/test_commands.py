"""What the commands decide without Kafka: pace, which set is newer, which products a look names."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.photo import Photo
from models.vision import Garment
from schemas.cloudevents import Event, write_event
from schemas.recommendations import RecommendationSet, ShopperErased
from streams.commands.follow import Newest, as_text
from streams.commands.look import Look, as_data, look, picture, similar_products
from streams.commands.look import as_text as look_as_text
from streams.commands.publish import Pace
from streams.settings import Settings
from vectorstore.base import GarmentQuery, Hit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_pace_is_even_and_makes_no_bursts() -> None:
    now, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(10, clock=lambda: now[0], sleep=sleep)
    for _ in range(3):
        pace.wait()
    assert slept == pytest.approx([0.1, 0.1])
    now[0] += 60
    pace.wait()
    pace.wait()
    assert slept == pytest.approx([0.1, 0.1, 0.1])


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate: got"):
        Pace(rate)


def recommended(user_id: str, revision: int) -> dict[str, Any]:
    item = {
        "rank": 1,
        "product_id": "sku-9",
        "garment_id": "g",
        "part": "lower",
        "score": 0.83,
        "slot": "taste",
        "box_xyxy": [0, 0, 1, 1],
        "title": "Denim shorts",
        "because": {"product_id": "sku-3", "garment_id": "h", "action": "product.viewed", "share": 0.41},
    }
    return {
        "user_id": user_id,
        "recommendation_id": "r",
        "revision": revision,
        "generated_at": NOW.isoformat(),
        "strategy": "taste",
        "trigger": {"type": "product.viewed", "id": "e", "time": NOW.isoformat()},
        "includes": ["e"],
        "through": {"partition": 0, "offset": 1},
        "latency_ms": 23.4,
        "model": {"detector": "d", "embedder": "e"},
        "items": [item, item | {"rank": 2, "slot": "trending", "because": None, "title": None}],
    }


def record(kind: str, data: Any) -> SimpleNamespace:
    headers, value = write_event(Event("id", "source", kind, NOW, data))
    place = {"topic": "recommendations", "partition": 0, "offset": 5}
    key = data["user_id"].encode()
    return SimpleNamespace(key=key, value=value, headers=headers, timestamp=NOW.timestamp() * 1000, **place)


def test_only_newer_sets_are_followed(capsys: pytest.CaptureFixture[str]) -> None:
    newest = Newest()
    revisions = []
    for user_id, revision in (("a", 1), ("a", 3), ("a", 2), ("a", 3), ("b", 1), ("a", 4)):
        found = newest.take(record("recommendations.updated", recommended(user_id, revision)))
        revisions.append(found.revision if isinstance(found, RecommendationSet) else None)
    assert revisions == [1, 3, None, None, 1, 4]
    assert isinstance(newest.take(record("shopper.erased", {"user_id": "a"})), ShopperErased)
    assert newest.take(SimpleNamespace(key=b"a", value=None)) is None
    assert newest.take(record("recommendations.updated", recommended("a", 1))) is not None
    assert capsys.readouterr().err == ""
    assert newest.take(record("recommendations.updated", {"user_id": "a"})) is None
    assert "recommendations/0@5" in capsys.readouterr().err


def test_a_set_in_lines() -> None:
    text = as_text(RecommendationSet.model_validate(recommended("alice", 17)))
    head, first, second = text.splitlines()
    assert head == "alice  revision 17  taste  2 items  23 ms after product.viewed"
    assert first == "   1  lower       0.830  sku-9  Denim shorts  ← viewed sku-3 (41%)"
    assert second.endswith("sku-9  ← trending")


@dataclass
class FakeStore:
    """Answers queries from a list of product ids, most similar first."""

    product_ids: list[str]
    asked: list[int]

    async def query(self, queries: list[GarmentQuery]) -> list[list[Hit]]:
        self.asked.append(queries[0].k)
        assert queries[0].parts == frozenset({"lower"})
        found = self.product_ids[: queries[0].k]
        return [[Hit(f"g{n}", name, 1 - n / 100, {"title": name}) for n, name in enumerate(found)]]


GARMENT = Garment("lower", "shorts", (10.0, 20.0, 200.0, 400.0), 0.875, np.full(4, 0.5, np.float32))
PHOTO = Photo(np.zeros((50, 40, 3), np.uint8), 400, 500, "0" * 64)


@pytest.mark.parametrize(
    ("product_ids", "k", "found", "asked"),
    [
        (["a", "b", "c"], 2, ["a", "b"], [4]),
        (["a"] * 5 + ["b"] * 20 + ["c"], 3, ["a", "b", "c"], [6, 24, 96]),
        (["a", "a"], 5, ["a"], [10]),
        ([], 5, [], [10]),
    ],
)
def test_a_product_counts_once_however_many_garments_it_has(
    product_ids: list[str], k: int, found: list[str], asked: list[int]
) -> None:
    store: Any = FakeStore(product_ids, [])
    hits = asyncio.run(similar_products(store, GARMENT, k, GARMENT.part))
    assert [hit.product_id for hit in hits] == found
    assert [hit.garment_id for hit in hits] == [f"g{product_ids.index(name)}" for name in found]
    assert store.asked == asked


def test_a_look_as_data_text_and_picture() -> None:
    hits = [
        Hit("g1", "sku-1", 0.91234, {"title": "Shorts", "image_link": "a.jpg"}),
        Hit("g2", "sku-2", 0.5, {}),
    ]
    looks = [Look(GARMENT, hits), Look(GARMENT, [])]
    data = json.loads(json.dumps(as_data(Path("p.jpg"), PHOTO, looks)))
    assert (data["width"], data["height"], data["garments"][1]["similar"]) == (400, 500, [])
    first = data["garments"][0]
    assert (first["part"], first["score"], first["box_xyxy"]) == ("lower", 0.875, [10, 20, 200, 400])
    assert first["similar"][0] | {"garment_id": "g1"} == {
        "rank": 1,
        "product_id": "sku-1",
        "garment_id": "g1",
        "similarity": 0.9123,
        "title": "Shorts",
        "category": None,
        "link": None,
        "image_link": "a.jpg",
        "price": None,
    }
    text = look_as_text(looks)
    assert "shorts 0.88  at 10,20 to 200,400\n   1  0.912  sku-1  Shorts\n   2  0.500  sku-2\n" in text
    assert look_as_text([]) == "no garments found"
    shown = picture("p.jpg", PHOTO, looks, {"a.jpg": np.full((30, 30, 3), (200, 0, 0), np.uint8)}, 2)
    assert (np.asarray(shown) == (200, 0, 0)).all(axis=2).sum() > 5000


def test_a_look_at_nothing_is_said_before_anything_is_opened(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"none\.jpg: No such file"):
        look(settings, tmp_path / "none.jpg", k=5, out=None, as_json=False)
    with pytest.raises(ValueError, match="k: got 0"):
        look(settings, tmp_path / "none.jpg", k=0, out=None, as_json=False)
    (tmp_path / "text.jpg").write_text("no photo")
    with pytest.raises(ValueError, match="neither JPEG nor PNG nor WEBP"):
        look(settings, tmp_path / "text.jpg", k=5, out=None, as_json=False)
