"""What is written is what is read back, on every back end."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from vectorstore_cases import AXES, DIM, found, garment, put, toward, uuid_of

from vectorstore.base import InvalidRequest, TastePoint


def test_replacing_a_product_leaves_only_the_new_garments(store: Any) -> None:
    put(store, "p", AXES[0], AXES[1], AXES[2])
    put(store, "other", AXES[3])
    store.replace_product("p", [garment("p", 1, AXES[4]), garment("p", 7, AXES[5])])
    fetched = store.fetch_products(["p", "other"])
    assert {one.garment_id for one in fetched["p"]} == {uuid_of("p/1"), uuid_of("p/7")}
    assert found(store, AXES[4], 1) == ["p"]
    assert len(fetched["other"]) == 1
    assert store.count() == 3
    store.replace_product("p", [])
    assert store.fetch_products(["p"]) == {}
    assert store.count() == 1


def test_fetch_gives_back_what_was_stored(store: Any) -> None:
    payload = {
        "category": "shorts",
        "box_xyxy": [12, 40.5, 310, 420],
        "score": 0.875,
        "price": {"value": 49.0, "currency": "EUR", "was": None},
        "title": "Überlänge — 短パン 👖",
        "group_key": -(2**63),
        "tags": [],
        "flag": True,
    }
    stored = garment("p", 0, toward(3, 4, 0.6), in_stock=0, **payload)
    store.replace_product("p", [stored])
    [back] = store.fetch_products(["unknown", "p", "p"])["p"]
    assert (back.garment_id, back.product_id) == (stored.garment_id, "p")
    assert back.payload == stored.payload
    assert isinstance(back.payload["price"]["value"], float)
    assert back.payload["flag"] is True
    np.testing.assert_allclose(back.embedding, stored.embedding, atol=1e-6)
    assert back.embedding.dtype == np.float32


def test_fetching_many_products(store: Any) -> None:
    for i in range(150):
        put(store, f"p{i}", AXES[i % DIM], AXES[(i + 1) % DIM])
    wanted = [f"p{i}" for i in reversed(range(150))]
    fetched = store.fetch_products(wanted)
    assert list(fetched) == wanted
    assert all(
        [one.garment_id for one in two] == sorted(one.garment_id for one in two) for two in fetched.values()
    )
    assert sum(map(len, fetched.values())) == store.count() == 300
    assert store.fetch_products([]) == {}


def test_update_payload_keeps_the_embeddings(store: Any) -> None:
    put(
        store,
        "p",
        toward(0, 1, 0.3),
        toward(1, 2, 0.7),
        color="red",
        price={"value": 10.0, "currency": "EUR"},
    )
    put(store, "other", AXES[3], color="red")
    before = store.fetch_products(["p"])["p"]
    assert (
        store.update_payload("p", {"price": {"value": 8.5}, "color": None, "in_stock": 0, "sale": [1]}) == 2
    )
    after = store.fetch_products(["p"])["p"]
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old.embedding, new.embedding)
        kept = {key: value for key, value in old.payload.items() if key != "color"}
        assert new.payload == {**kept, "price": {"value": 8.5}, "in_stock": 0, "sale": [1]}
    assert store.fetch_products(["other"])["other"][0].payload["color"] == "red"
    assert found(store, AXES[0]) == ["other"]
    assert store.update_payload("unknown", {"in_stock": 1}) == 0
    assert store.update_payload("p", {}) == 2


def test_a_deleted_gender_no_longer_narrows(store: Any) -> None:
    put(store, "p", AXES[0], gender="male")
    assert found(store, AXES[0], genders=frozenset({"female"})) == []
    store.update_payload("p", {"gender": None})
    assert found(store, AXES[0], genders=frozenset({"female"})) == ["p"]


def test_delete_product(store: Any) -> None:
    put(store, "p", AXES[0], AXES[1])
    put(store, "q", AXES[0])
    assert store.delete_product("p") == 2
    assert store.delete_product("p") == 0
    assert found(store, AXES[0]) == ["q"]
    assert store.count() == 1


def test_records_exist_without_garments(store: Any) -> None:
    assert store.get_records(["p"]) == {}
    records = {f"p{i}": bytes([i % 256]) * i for i in range(300)}
    store.put_records(records)
    assert store.get_records([*records, "unknown"]) == records
    store.put_records({"p7": b"\x00\xff tombstone"})
    store.delete_product("p7")
    assert store.get_records(["p7"]) == {"p7": b"\x00\xff tombstone"}
    assert store.count() == 0
    store.put_records({})


def test_tastes(store: Any) -> None:
    def taste(user_id: str, part: str, embedding: NDArray[np.float32]) -> TastePoint:
        return TastePoint(uuid_of(f"{user_id}/{part}"), user_id, embedding, {"part": part, "weight": 2.5})

    lower, upper = taste("alice", "lower", AXES[0]), taste("alice", "upper", AXES[1])
    store.replace_tastes({"alice": [lower, upper], "bella": [taste("bella", "lower", toward(0, 1, 0.5))]})
    store.replace_tastes({})
    hits = store.nearest_tastes(AXES[0], 5)
    assert [(hit.user_id, hit.payload["part"]) for hit in hits] == [
        ("alice", "lower"),
        ("bella", "lower"),
        ("alice", "upper"),
    ]
    assert hits[0].payload == {"part": "lower", "weight": 2.5}
    assert hits[0].similarity == pytest.approx(1.0, abs=1e-5)
    assert [hit.user_id for hit in store.nearest_tastes(AXES[1], 5, frozenset({"lower"}))] == [
        "bella",
        "alice",
    ]
    store.replace_tastes({"alice": [taste("alice", "lower", AXES[5])], "cathy": []})
    assert [hit.user_id for hit in store.nearest_tastes(AXES[0], 5)] == ["bella", "alice"]
    many = {f"user-{n}": [taste(f"user-{n}", "lower", AXES[n % DIM])] for n in range(50)}
    store.replace_tastes(many)
    assert len(store.nearest_tastes(AXES[0], 100)) == 52
    store.replace_tastes(dict.fromkeys(many, ()))
    assert len(store.nearest_tastes(AXES[0], 100)) == 2
    store.replace_tastes({"alice": [lower, upper]})
    assert store.delete_tastes("alice") == 2
    assert store.delete_tastes("alice") == 0
    assert [hit.user_id for hit in store.nearest_tastes(AXES[5], 5)] == ["bella"]
    with pytest.raises(InvalidRequest, match="user_id 'alice', expected 'bella'"):
        store.replace_tastes({"bella": [lower]})
    with pytest.raises(InvalidRequest, match="taste_id is given twice"):
        store.replace_tastes({"alice": [upper, upper]})


def test_info(store: Any) -> None:
    put(store, "p", AXES[0], AXES[1])
    info = store.info()
    assert (info.dim, info.garments) == (DIM, 2)
    assert info.backend in ("embedded", "server")
    assert info.model.startswith("test-")


def test_a_real_server_is_among_the_back_ends() -> None:
    if "LOOKSTREAM_TEST_QDRANT" not in os.environ:
        pytest.skip("LOOKSTREAM_TEST_QDRANT names no Qdrant server: its local mode stands in")
    assert urlsplit(os.environ["LOOKSTREAM_TEST_QDRANT"]).scheme in ("http", "https")
