"""What the operator's page is told: percentiles, lag, throughput, the plane of the embeddings."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Measuring

from streams import topology
from streams.federation import Federated
from streams.gateway.operator import agents
from streams.gateway.operator_lag import Flow, lag, throughput
from streams.gateway.operator_map import plane
from streams.gateway.operator_workers import Histogram, Measured, read
from streams.metrics import Metrics

INF = math.inf
BOUNDS = (0.01, 0.1, 1.0)


def page_of(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def measured(values: list[float]) -> Histogram:
    registry = CollectorRegistry()
    measuring = Measuring("lookstream_x_seconds", "x", buckets=BOUNDS, registry=registry)
    for value in values:
        measuring.observe(value)
    return read([generate_latest(registry).decode()]).histogram("lookstream_x_seconds")


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.floats(0.01, 1.0))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    true = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    above = next(bound for bound in (*BOUNDS, INF) if true <= bound)
    below = max((bound for bound in (0.0, *BOUNDS) if bound < above), default=0.0)
    found = measured(values).quantile_s(share)
    assert found is not None
    assert below - 1e-9 <= found <= min(above, BOUNDS[-1]) + 1e-9
    assert measured(values).count == len(values)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.floats(0, 1), st.floats(0, 1))
def test_percentiles_grow(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    histogram = measured(values)
    assert (histogram.quantile_s(low) or 0.0) <= (histogram.quantile_s(high) or 0.0) + 1e-9


def test_of_nothing_there_is_no_percentile() -> None:
    assert measured([]).as_data()["p50"] is None
    assert Histogram().as_data() == {"p50": None, "p90": None, "p99": None, "count": 0, "buckets": []}


def test_buckets_are_apart_and_in_milliseconds() -> None:
    data = measured([0.005, 0.05, 0.05, 5.0]).as_data()
    assert data["buckets"] == [[10.0, 1], [100.0, 2], [1000.0, 0], [None, 1]]
    assert (data["p50"], data["p99"], data["count"]) == (55.0, 1000.0, 4)


def test_several_workers_are_added_up() -> None:
    pages = []
    for seconds in (0.004, 0.4):
        metrics = Metrics()
        metrics.event_to_recommendation.observe(seconds)
        metrics.stage.labels("query").observe(seconds)
        metrics.ready.labels("shopper").set(1)
        metrics.last_progress.labels("recommend").set(1000 + seconds)
        metrics.models("d-1", "e-1")
        pages.append(page_of(metrics))
    found = read([*pages, "no metrics at all {", ""])
    assert found.histogram("lookstream_event_to_recommendation_seconds").count == 2
    assert found.histogram("lookstream_stage_seconds", "query").count == 2
    assert found.histogram("lookstream_stage_seconds", "decode").count == 0
    assert found.ready == {"shopper": 2}
    assert found.progress_s == {"recommend": 1000.4}
    assert [(model["detector"], model["embedder"]) for model in found.models] == [("d-1", "e-1")] * 2


def test_a_merged_page_says_the_same_and_names_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    metrics.upload_to_searchable.observe(0.2)
    metrics.models("d-1", "e-1")
    federated = Federated(lambda: {"worker-catalogue": 1, "worker-away": 2})
    monkeypatch.setattr(federated, "_page", lambda port: page_of(metrics) if port == 1 else None)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(federated)
    found = read([generate_latest(registry).decode()])
    assert found.histogram("lookstream_upload_to_searchable_seconds").count == 1
    assert [model["worker"] for model in found.models] == ["worker-catalogue"]


def at(topic: str, *offsets: int) -> dict[TopicPartition, int]:
    return {TopicPartition(topic, number): offset for number, offset in enumerate(offsets)}


def test_lag_is_what_follows_the_committed_offsets() -> None:
    ends = at("interactions", 10, 20) | at("garments", 5, 5) | at("rules", 3)
    committed = at("interactions", 10, 15) | at("garments", 9)
    assert lag(ends, committed) == {"garments": 0, "interactions": 5}
    assert lag(ends, {}) == {}


def test_throughput_needs_two_looks_not_too_far_apart() -> None:
    before, now = at("tastes", 10, 20), at("tastes", 14, 20, 50)
    assert throughput(before, now, 2.0)["tastes"] == 2.0
    assert list(throughput(before, now, 2.0)) == [topic.name for topic in topology.TOPICS]
    assert throughput({}, now, 2.0) == throughput(before, now, 1000.0) == {}
    assert throughput(at("tastes", 99), at("tastes", 1), 2.0)["tastes"] == 0.0


def test_every_agent_is_told_about() -> None:
    flow = Flow({"shopper": {"tastes": 3, "rules": 0, "garments": 7}, "catalogue": {"product-events": 1}})
    found = {
        one["name"]: one for one in agents(flow, Measured({}, {"recommend": 90.0}, {"shopper": 1}), 100.0)
    }
    assert list(found) == [agent.name for agent in topology.AGENTS]
    assert found["recommend"]["lag"] == {"tastes": 3}
    assert found["recommend"]["last_progress_s_ago"] == 10.0
    assert found["index-garments"]["lag"] == {"product-events": 1}
    assert found["index-garments"]["last_progress_s_ago"] is None
    assert (found["recommend"]["workers_ready"], found["index-garments"]["workers_ready"]) == (1, 0)
    assert found["retract"]["lag"] == {}, "it reads without the group, whose offsets say nothing of it"


sizes = st.tuples(st.integers(3, 30), st.integers(2, 12), st.integers(0, 2**32 - 1))


@given(sizes)
def test_the_plane_is_the_best_there_is(size: tuple[int, int, int]) -> None:
    count, dim, seed = size
    embeddings = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    places, explained = plane(embeddings)
    values = np.linalg.svd(embeddings - embeddings.mean(axis=0), compute_uv=False) ** 2
    assert explained == pytest.approx(values[:2].sum() / values.sum(), abs=1e-3)
    assert places.shape == (count, 2)
    assert float(np.abs(places).max()) == pytest.approx(1.0, abs=1e-4)
    assert np.array_equal(places, plane(embeddings)[0])


def test_what_lies_in_a_plane_keeps_its_distances() -> None:
    generator = np.random.default_rng(5)
    flat = generator.normal(size=(40, 2))
    axes = np.linalg.qr(generator.normal(size=(16, 2)))[0]
    places, explained = plane((flat @ axes.T + 3.0).astype(np.float32))
    assert explained == pytest.approx(1.0, abs=1e-4)
    true = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    found = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert np.allclose(found / found.max(), true / true.max(), atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_or_equal_garments_have_a_map_too(count: int) -> None:
    places, explained = plane(np.ones((count, 4), np.float32))
    assert places.tolist() == [[0.0, 0.0]] * count
    assert explained == 0.0


def test_cumulative_counts_are_taken_apart() -> None:
    counts = [3, 0, 2, 1]
    lines = [
        f'lookstream_y_seconds_bucket{{le="{bound}"}} {total}'
        for bound, total in zip(("0.1", "0.2", "0.5", "+Inf"), accumulate(counts), strict=True)
    ]
    page = "# TYPE lookstream_y_seconds histogram\n" + "\n".join(lines) + "\n"
    histogram = read([page]).histogram("lookstream_y_seconds")
    assert histogram.buckets == ((0.1, 3), (0.2, 0), (0.5, 2), (INF, 1))
