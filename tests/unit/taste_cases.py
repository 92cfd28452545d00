"""Tastes for tests: contributions drawn by hypothesis, and what it means that two are the same."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.taste.codes import quantise
from models.taste.contributions import (
    DAY_S,
    TAKES_BACK,
    WEIGHTS,
    Contribution,
    Forgotten,
    Taste,
    TasteSettings,
)

DIM = 8
SETTINGS = TasteSettings(capacity=6)
ACTIONS = (*WEIGHTS, *TAKES_BACK)
PARTS = ("upper", "lower", "whole")


def unit(seed: int, dim: int = DIM) -> NDArray[np.float32]:
    """A unit embedding (dim,) that follows from its seed."""
    drawn = np.random.default_rng(seed).normal(size=dim)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def contribution(
    event_key: int,
    action: str = "product.viewed",
    product: int = 0,
    event_time_s: float = 0.0,
    share: int = 1,
    settings: TasteSettings = SETTINGS,
) -> Contribution:
    """A contribution of a product's one garment, whose embedding follows from the product."""
    codes, scale = quantise(unit(product))
    weight = settings.weight(action) / share
    garment = f"g-{product}"
    return Contribution(
        event_key, f"p-{product}", garment, PARTS[product % 3], action, event_time_s, weight, codes, scale
    )


@st.composite
def contribution_lists(
    draw: st.DrawFn, max_size: int = 14, actions: tuple[str, ...] = ACTIONS, first_key: int = 0
) -> list[Contribution]:
    """Contributions with different event keys, of few products and few moments, so that they meet."""
    drawn = st.tuples(
        st.sampled_from(actions),
        st.integers(0, 4),
        st.integers(0, 60).map(lambda quarters: 1.7e9 + quarters * DAY_S / 4),
        st.integers(1, 2),
    )
    rows = draw(st.lists(drawn, max_size=max_size))
    keys = draw(st.permutations(range(first_key, first_key + len(rows))))
    return [contribution(key, *row) for key, row in zip(keys, rows, strict=True)]


def fields(c: Contribution) -> tuple[Any, ...]:
    """Everything of a contribution, comparable."""
    return (
        *(c.event_key, c.product_id, c.garment_id, c.part, c.action, c.event_time_s, c.weight),
        *(c.codes.tobytes(), c.codes.dtype, c.scale),
    )


def assert_same_taste(one: Taste, other: Taste) -> None:
    """Identical contributions in the same order; sums to 1e-5 of all the weight in them."""
    assert list(map(fields, one.contributions)) == list(map(fields, other.contributions))
    assert one.floor == other.floor
    assert (one.forgotten is None) == (other.forgotten is None)
    if one.forgotten is not None and other.forgotten is not None:
        assert_same_sums(one.forgotten, other.forgotten)


def assert_same_sums(one: Forgotten, other: Forgotten) -> None:
    """The same sums to 1e-5 of all the weight in them, decayed to the same time."""
    assert one.as_of_s == other.as_of_s
    near = 1e-5 * max(1e-9, one.positive_weight + one.negative_weight)
    np.testing.assert_allclose(one.positive, other.positive, rtol=0, atol=near)
    np.testing.assert_allclose(one.negative, other.negative, rtol=0, atol=near)
    assert abs(one.positive_weight - other.positive_weight) <= near
    assert abs(one.negative_weight - other.negative_weight) <= near
