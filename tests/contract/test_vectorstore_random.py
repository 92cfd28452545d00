"""The store against brute force in numpy, on random data and random sequences of operations."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vectorstore.base import GarmentPoint, GarmentQuery

DIM = 16
PARTS = ("upper", "lower", "bag")
GENDERS = (None, "male", "female", "unisex")
AGES = (None, "adult", "kids")


def catalogue(count: int) -> list[GarmentPoint]:
    random = np.random.default_rng(7)
    embeddings = random.normal(size=(count, DIM)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    garments = []
    for i in range(count):
        payload = {
            "part": PARTS[random.integers(len(PARTS))],
            "in_stock": int(random.integers(2)),
            "product_key": i // 3,
            "indexed_at": float(random.integers(50)),
            "gender": GENDERS[random.integers(len(GENDERS))],
            "age_group": AGES[random.integers(len(AGES))],
        }
        garments.append(GarmentPoint(str(uuid.UUID(int=i * 7919 + 1)), f"p{i // 3}", embeddings[i], payload))
    return garments


def passes(garment: GarmentPoint, wanted: dict[str, Any]) -> bool:
    payload = garment.payload
    return (
        (wanted["parts"] is None or payload["part"] in wanted["parts"])
        and (not wanted["in_stock_only"] or payload["in_stock"] == 1)
        and payload["product_key"] not in wanted["excluded_product_keys"]
        and (wanted["genders"] is None or payload["gender"] in {None, "unisex", *wanted["genders"]})
        and (wanted["age_groups"] is None or payload["age_group"] in {None, *wanted["age_groups"]})
    )


def some_of(values: tuple[str, ...]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | st.frozensets(st.sampled_from(values), min_size=1)


filters = st.fixed_dictionaries(
    {
        "parts": some_of(PARTS),
        "in_stock_only": st.booleans(),
        "excluded_product_keys": st.lists(st.integers(0, 70), max_size=60),
        "genders": some_of(("male", "female")),
        "age_groups": some_of(("adult", "kids")),
    }
)


def test_queries_agree_with_brute_force(store: Any) -> None:
    garments = catalogue(200)
    for start in range(0, 200, 3):
        some = garments[start : start + 3]
        store.replace_product(some[0].product_id, some)
    matrix = np.stack([garment.embedding for garment in garments])

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(filters, st.integers(1, 60), st.integers(0, 2**32 - 1))
    def check(wanted: dict[str, Any], k: int, seed: int) -> None:
        embedding = np.random.default_rng(seed).normal(size=DIM).astype(np.float32)
        embedding /= np.linalg.norm(embedding)
        similarities = matrix @ embedding
        fitting = [i for i, garment in enumerate(garments) if passes(garment, wanted)]
        nearest = sorted(fitting, key=lambda i: -similarities[i])[:k]
        [hits] = store.query([GarmentQuery(embedding, k, **wanted)])
        np.testing.assert_allclose([hit.similarity for hit in hits], similarities[nearest], atol=1e-5)
        assert {hit.garment_id for hit in hits} <= {garments[i].garment_id for i in fitting}
        newest = sorted(fitting, key=lambda i: (-garments[i].payload["indexed_at"], garments[i].garment_id))
        assert [hit.garment_id for hit in store.newest(k, **wanted)] == [
            garments[i].garment_id for i in newest[:k]
        ]

    check()


products = st.sampled_from(["a", "b", "c"])
boxes = st.frozensets(st.integers(0, 3), max_size=4)
operations = st.one_of(
    st.tuples(st.just("replace"), products, boxes),
    st.tuples(st.just("delete"), products),
    st.tuples(st.just("update"), products, st.sampled_from([None, 1, "x"])),
)


def test_any_sequence_of_writes_ends_in_the_same_garments(store: Any) -> None:
    axes = np.eye(DIM, dtype=np.float32)

    def garment(product_id: str, box: int) -> GarmentPoint:
        payload = {"part": "upper", "in_stock": 1, "product_key": ord(product_id), "indexed_at": 1.0}
        garment_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{product_id}/{box}"))
        return GarmentPoint(garment_id, product_id, axes[box], payload)

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(operations, max_size=12))
    def check(steps: list[Any]) -> None:
        expected: dict[str, dict[str, Any]] = {}
        for product_id in "abc":
            store.delete_product(product_id)
        for kind, product_id, *rest in steps:
            mine = {key: note for key, note in expected.items() if key.startswith(product_id)}
            expected = {key: note for key, note in expected.items() if key not in mine}
            if kind == "replace":
                store.replace_product(product_id, [garment(product_id, box) for box in rest[0]])
                expected |= {f"{product_id}/{box}": None for box in rest[0]}
            elif kind == "delete":
                assert store.delete_product(product_id) == len(mine)
            else:
                assert store.update_payload(product_id, {"note": rest[0]}) == len(mine)
                expected |= dict.fromkeys(mine, rest[0])
        stored = {one.garment_id: one for some in store.fetch_products(list("abc")).values() for one in some}
        notes = {str(uuid.uuid5(uuid.NAMESPACE_URL, key)): note for key, note in expected.items()}
        assert {key: one.payload.get("note") for key, one in stored.items()} == notes
        assert store.count() == len(expected)

    check()
