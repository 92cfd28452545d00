"""Clusters and turns: every row in one group, and limits that are relative to the rows given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.taste.clusters import MAX_TURN, clusters, similarities, turn


def rows(count: int, kinds: int, seed: int, dim: int = 32, noise: float = 0.7) -> NDArray[np.float32]:
    """Unit embeddings (count, dim) of so many kinds in turn, (0, 1, 2, 0, ...)."""
    chance = np.random.default_rng(seed)
    centres = np.linalg.qr(chance.normal(size=(dim, kinds)))[0].T
    drawn = centres[np.arange(count) % kinds] + noise * chance.normal(size=(count, dim)) / dim**0.5
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.5, 3.0]))
@settings(max_examples=100, deadline=None)
def test_every_row_is_in_one_cluster_and_a_centroid_is_a_mean_of_all_rows(
    count: int, kinds: int, seed: int, pull: float
) -> None:
    weights = np.random.default_rng(seed).uniform(0.01, 5.0, count)
    found = clusters(similarities(rows(count, kinds, seed)), weights, pull)
    assert sorted(row for cluster in found for row in cluster.rows) == list(range(count))
    for cluster in found:
        assert cluster.mix.shape == (count,)
        assert cluster.mix.sum() == pytest.approx(1.0)
        assert (cluster.mix >= 0).all()
        outside = np.delete(cluster.mix, list(cluster.rows))
        assert len(found) == 1 or pull == 0.0 or (outside > 0).all()
        if pull == 0.0:
            own = weights[list(cluster.rows)]
            np.testing.assert_allclose(cluster.mix[list(cluster.rows)], own / own.sum())
            assert not outside.any()


@given(
    st.integers(2, 30), st.integers(1, 3), st.integers(0, 10_000), st.floats(0.1, 3.0), st.floats(-0.5, 0.5)
)
@settings(max_examples=100, deadline=None)
def test_limits_are_relative_to_the_rows(
    count: int, kinds: int, seed: int, scale: float, shift: float
) -> None:
    """An embedder whose similarities are all higher, or lie closer together, gives the same groups."""
    alike = similarities(rows(count, kinds, seed))
    weights = np.ones(count)
    assert [c.rows for c in clusters(alike, weights, 0.5)] == [
        c.rows for c in clusters(scale * alike + shift, weights, 0.5)
    ]
    assert turn(alike, 2.0)[0] == turn(scale * alike + shift, 2.0)[0]


@given(st.integers(2, 12), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_does_not_matter(count: int, seed: int) -> None:
    alike = similarities(rows(count, 2, seed))
    order = np.random.default_rng(seed).permutation(count)
    plain = {c.rows for c in clusters(alike, np.ones(count), 0.5)}
    moved = clusters(alike[np.ix_(order, order)], np.ones(count), 0.5)
    assert {tuple(sorted(int(order[row]) for row in c.rows)) for c in moved} == plain


@pytest.mark.parametrize("seed", range(5))
def test_no_cluster_mixes_kinds_that_are_clearly_apart(seed: int) -> None:
    for cluster in clusters(similarities(rows(18, 3, seed)), np.ones(18), 0.5):
        assert len({row % 3 for row in cluster.rows}) == 1


def test_a_cluster_of_few_rows_is_drawn_to_all_more_than_one_of_many() -> None:
    embeddings = np.vstack([rows(16, 2, 1)[::2], rows(16, 2, 1)[1:5:2]])
    found = clusters(similarities(embeddings), np.ones(10), 0.8)
    kept = {len(c.rows): float(c.mix[list(c.rows)].sum()) for c in found}
    assert set(kept) == {8, 2}
    assert kept[8] > kept[2] + 0.2


@pytest.mark.parametrize("new", range(2, 9))
def test_a_turn_is_seen_where_it_began(new: int) -> None:
    both = np.vstack([rows(24, 2, 7)[::2], rows(24, 2, 7)[1 : 2 * new : 2]])
    assert turn(similarities(both), 1.5)[0] == new


@pytest.mark.parametrize("seed", range(5))
def test_going_to_and_fro_between_two_kinds_is_no_turn(seed: int) -> None:
    assert turn(similarities(rows(24, 2, seed)), 1.5) == (0, 0.0)


@given(st.integers(0, 60), st.integers(1, 3), st.integers(0, 1000), st.floats(0.0, 5.0))
@settings(max_examples=60, deadline=None)
def test_a_turn_is_at_most_half_of_the_rows_and_never_very_long(
    count: int, kinds: int, seed: int, least: float
) -> None:
    found, odds = turn(similarities(rows(count, kinds, seed)), least)
    assert (odds >= 0.99) == (found > 0)  # `least` log odds are at least 0
    assert 0 <= found <= min(MAX_TURN, count // 2)
    assert found != 1
    assert count >= 6 or found == 0


def test_two_strays_that_are_nothing_like_each_other_are_no_turn() -> None:
    axes = np.eye(32, dtype=np.float32)
    before = rows(12, 1, 3)
    assert turn(similarities(np.vstack([before, axes[:1], -axes[:1]])), 0.5) == (0, 0.0)


def test_rows_without_any_difference_are_one_cluster_or_alike() -> None:
    same = np.repeat(rows(1, 1, 0), 6, axis=0)
    found = clusters(similarities(same), np.ones(6), 0.5)
    assert sorted(row for c in found for row in c.rows) == list(range(6))
    assert turn(similarities(same), 1.5) == (0, 0.0)
