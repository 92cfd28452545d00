"""What is found, and in which order, is the same on every back end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vectorstore_cases import AXES, found, garment, key_of, put, toward, uuid_of

from vectorstore.base import GarmentQuery


def test_query_ranks_by_cosine(store: Any) -> None:
    for product_id, share in (("far", 0.9), ("near", 0.1), ("middle", 0.5)):
        put(store, product_id, toward(0, 1, share))
    [hits] = store.query([GarmentQuery(AXES[0], 2)])
    assert [hit.product_id for hit in hits] == ["near", "middle"]
    assert [hit.similarity for hit in hits] == pytest.approx([np.sqrt(1 - 0.01), np.sqrt(1 - 0.25)], abs=1e-5)
    assert hits[0].garment_id == uuid_of("near/0")
    assert hits[0].payload == garment("near", 0, AXES[0]).payload
    assert hits[0].embedding is None


def test_equal_similarities_come_by_id(store: Any) -> None:
    names = [f"twin{i}" for i in range(8)]
    for name in names:
        put(store, name, AXES[2])
    put(store, "best", AXES[0])
    put(store, "last", AXES[5])
    twins = sorted(names, key=lambda name: uuid_of(f"{name}/0"))
    query = toward(0, 2, 0.5)
    assert found(store, query, 10) == ["best", *twins, "last"]
    assert found(store, query, 4) == ["best", *twins[:3]]


def test_several_queries_at_once(store: Any) -> None:
    for axis in range(3):
        put(store, f"p{axis}", AXES[axis])
    queries = [GarmentQuery(AXES[axis % 3], 1) for axis in range(40)]
    answers = store.query(queries, with_embeddings=True)
    assert [[hit.product_id for hit in hits] for hits in answers] == [[f"p{i % 3}"] for i in range(40)]
    np.testing.assert_allclose(answers[2][0].embedding, AXES[2], atol=1e-6)
    assert answers[2][0].embedding.dtype == np.float32
    assert store.query([]) == []


def test_filters_by_part_and_stock(store: Any) -> None:
    put(store, "top", AXES[0], part="upper")
    put(store, "shorts", AXES[0], part="lower")
    put(store, "gone", AXES[0], part="lower", in_stock=0)
    assert found(store, AXES[0], parts=frozenset({"lower"})) == ["shorts"]
    assert set(found(store, AXES[0], parts=frozenset({"lower", "upper"}))) == {"shorts", "top"}
    assert set(found(store, AXES[0], parts=frozenset({"lower"}), in_stock_only=False)) == {"shorts", "gone"}
    assert found(store, AXES[0], parts=frozenset({"bag"})) == []


def test_narrowing_by_gender_and_age_keeps_what_does_not_say(store: Any) -> None:
    put(store, "male", AXES[0], gender="male", age_group="adult")
    put(store, "female", AXES[0], gender="female", age_group="kids")
    put(store, "unisex", AXES[0], gender="unisex", age_group="adult")
    put(store, "unsaid", AXES[0], gender=None)
    assert set(found(store, AXES[0], genders=frozenset({"female"}))) == {"female", "unisex", "unsaid"}
    assert set(found(store, AXES[0], genders=frozenset({"male"}))) == {"male", "unisex", "unsaid"}
    assert set(found(store, AXES[0], age_groups=frozenset({"kids"}))) == {"female", "unsaid"}
    both = {"genders": frozenset({"male"}), "age_groups": frozenset({"adult"})}
    assert set(found(store, AXES[0], **both)) == {"male", "unisex", "unsaid"}


def test_excluded_products_are_never_found(store: Any) -> None:
    for i in range(30):
        put(store, f"p{i}", toward(0, 1, i / 40))
    extremes = [-(2**63), 2**63 - 1]
    excluded = [key_of(f"p{i}") for i in range(0, 30, 2)] + extremes + list(range(2100))
    expected = [f"p{i}" for i in range(1, 30, 2)]
    assert found(store, AXES[0], 30, excluded_product_keys=excluded) == expected
    assert found(store, AXES[0], 30, excluded_product_keys=np.array(excluded)) == expected
    assert len(found(store, AXES[0], 30, excluded_product_keys=extremes)) == 30


def test_newest_first(store: Any) -> None:
    for i in range(40):
        part = "lower" if i % 4 == 3 else "upper"
        put(store, f"p{i}", AXES[0], indexed_at=1.7e9 + i % 20, part=part, in_stock=int(i % 3 > 0))
    everything = store.newest(100, in_stock_only=False)
    order = [(-hit.payload["indexed_at"], hit.garment_id) for hit in everything]
    assert order == sorted(order)
    assert len(order) == 40
    assert {hit.similarity for hit in everything} == {0.0}
    chosen = store.newest(
        5, parts=frozenset({"upper"}), excluded_product_keys=[key_of("p18")], genders=frozenset({"male"})
    )
    fitting = [
        hit.garment_id
        for hit in everything
        if hit.payload["part"] == "upper" and hit.payload["in_stock"] and hit.product_id != "p18"
    ]
    assert [hit.garment_id for hit in chosen] == fitting[:5]
