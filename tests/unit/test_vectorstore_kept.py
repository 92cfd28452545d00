"""Garments kept beside the engine: never more than allowed, never one that was written since."""

from __future__ import annotations

from uuid import UUID, uuid5

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vectorstore.base import GarmentPoint
from vectorstore.kept import KeptGarments

PRODUCTS = ("a", "b", "c")
SPACE = UUID(int=7)


def garment(product_id: str, ordinal: int, version: int) -> GarmentPoint:
    garment_id = str(uuid5(SPACE, f"{product_id}{ordinal}"))
    return GarmentPoint(garment_id, product_id, np.ones(2, np.float32), {"version": version})


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["keep", "keep_products", "write", "take_over"]),
        st.sampled_from(PRODUCTS),
        st.integers(1, 3),
    ),
    max_size=30,
)


@given(OPERATIONS, st.integers(2, 8))
def test_what_is_kept_is_what_is_stored(operations: list[tuple[str, str, int]], most: int) -> None:
    stored = {pid: [garment(pid, n, 0) for n in range(2)] for pid in PRODUCTS}
    kept = KeptGarments(most)
    for version, (operation, product_id, count) in enumerate(operations, 1):
        if operation == "keep":
            kept.keep(stored[product_id][:count])
        elif operation == "keep_products":
            kept.keep_products(stored[product_id])
        else:
            owner = product_id if operation == "write" else PRODUCTS[0]
            new = [garment(owner, n, version) for n in range(count)]
            kept.drop(product_id)
            kept.drop_garments(g.garment_id for g in new)
            if owner == product_id:
                stored[product_id] = new
        assert len(kept) <= most
        for pid, garments in stored.items():
            whole = kept.product(pid)
            assert whole is None or list(whole) == garments
            for held in garments:
                assert kept.garment(UUID(held.garment_id)) in (None, held)


def test_a_product_is_whole_only_as_long_as_all_of_it_is_kept() -> None:
    kept = KeptGarments(3)
    kept.keep_products([garment("a", 0, 0), garment("a", 1, 0)])
    assert kept.product("a") is not None
    kept.keep([garment("b", 0, 0), garment("b", 1, 0)])
    assert kept.product("a") is None
    assert kept.product("b") is None, "it was read one by one: there may be more of it"
