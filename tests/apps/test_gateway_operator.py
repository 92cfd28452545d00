"""The operator's routes: who may ask, and what is said while a part of the shop is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_shop import GatewayShop

from streams import topology
from vectorstore.base import VectorStoreUnavailable

PATHS = ("/v1/operator/status", "/v1/operator/dead-letters", "/v1/operator/map")


@pytest.fixture
def front(tmp_path: Path) -> Iterator[GatewayShop]:
    """A gateway whose Kafka does not answer."""
    with GatewayShop(tmp_path, kafka="127.0.0.1:1") as shop:
        yield shop


def asked(front: GatewayShop, path: str, *scopes: str, method: str = "GET") -> Any:
    headers = {"authorization": f"Bearer {front.token(None, *scopes)}"} if scopes else {}
    return front.run(front.client.request(method, path, headers=headers))


REPLAY = ("/v1/operator/dead-letters/0/0/replay", "POST")


@pytest.mark.parametrize(("path", "method"), [*((path, "GET") for path in PATHS), REPLAY])
def test_only_operators_may_ask(front: GatewayShop, path: str, method: str) -> None:
    assert asked(front, path, method=method).status_code == 401
    refused = asked(front, path, "produce", method=method)
    assert refused.status_code == 403
    assert "'operate'" in refused.json()["detail"]


def test_the_map_shows_what_the_index_holds(front: GatewayShop) -> None:
    colours = {"red": (200, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 200), "teal": (0, 128, 128)}
    for name, colour in colours.items():
        front.shop.upload(name, colour)
    front.sync()
    told = asked(front, "/v1/operator/map?limit=100", "operate")
    assert told.status_code == 200
    points = told.json()["points"]
    assert {point["product_id"] for point in points} == set(colours)
    assert all(-1 <= point[axis] <= 1 for point in points for axis in "xy")
    assert 0 < told.json()["explained"] <= 1
    assert told.headers["cache-control"] == "no-store"
    assert asked(front, "/v1/operator/map?limit=2", "operate").status_code == 422


def test_the_status_says_what_does_not_answer(front: GatewayShop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> int:
        raise VectorStoreUnavailable("the owner is away")

    monkeypatch.setattr(front.gateway.store, "count", away)
    told = asked(front, "/v1/operator/status", "operate")
    assert told.status_code == 200
    data = told.json()
    assert [agent["name"] for agent in data["agents"]] == [agent.name for agent in topology.AGENTS]
    assert data["counts"]["garments"] is None
    kafka, store, workers = data["problems"]
    assert kafka.startswith("Kafka does not answer")
    assert store == "the vector store does not answer: the owner is away"
    assert "LOOKSTREAM_METRICS_URLS" in workers


def test_counts_and_models(front: GatewayShop) -> None:
    front.shop.upload("red", (200, 0, 0))
    front.sync()
    data = asked(front, "/v1/operator/status", "operate").json()
    assert data["counts"]["products"] == 1
    assert data["counts"]["garments"] >= 1
    assert data["model"]["embedder"] == front.gateway.model.embedder
    assert data["latency_ms"]["set_to_subscriber"]["count"] == 0
    assert set(data["latency_ms"]["stages"]) == {"decode", "embed", "upsert", "taste", "query", "emit"}
