"""What the workers measure, for Prometheus. One registry per process, served on one loopback port."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STAGE_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STAGES = ("decode", "embed", "upsert", "taste", "query", "emit")


class Metrics:
    """The metrics of one process; a fresh registry each, so that tests do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.events_in = Counter(
            "lookstream_events_in", "Events read.", ["agent", "topic", "type"], registry=r
        )
        self.events_out = Counter("lookstream_events_out", "Events sent.", ["topic", "type"], registry=r)
        self.events_failed = Counter(
            "lookstream_events_failed",
            "Attempts that failed.",
            ["agent", "topic", "type", "error"],
            registry=r,
        )
        self.dead_letters = Counter(
            "lookstream_dead_letters", "Events dead-lettered.", ["agent", "topic", "type"], registry=r
        )
        self.stage = Histogram(
            "lookstream_stage_seconds", "Duration of a stage.", ["stage"], buckets=_STAGE_S, registry=r
        )
        self.event_to_recommendation = Histogram(
            "lookstream_event_to_recommendation_seconds",
            "From an interaction's LogAppendTime to its set acknowledged.",
            buckets=_LATENCY_S,
            registry=r,
        )
        self.upload_to_searchable = Histogram(
            "lookstream_upload_to_searchable_seconds",
            "From an upload's LogAppendTime to its garments searchable.",
            buckets=_LATENCY_S,
            registry=r,
        )
        self.consumer_lag = Gauge(
            "lookstream_consumer_lag", "Records not read yet.", ["app", "topic", "partition"], registry=r
        )
        self.last_progress = Gauge(
            "lookstream_last_progress_timestamp_seconds",
            "When an agent last finished an event (unix time).",
            ["agent"],
            registry=r,
        )
        self.garments_indexed = Gauge("lookstream_garments_indexed", "Garments in the index.", registry=r)
        self.ready = Gauge("lookstream_ready", "1 once the worker has its partitions.", ["app"], registry=r)
        self.info = Gauge(
            "lookstream_info",
            "Version and models, always 1.",
            ["version", "detector", "embedder"],
            registry=r,
        )

    def models(self, detector: str, embedder: str) -> None:
        """Say which version and models run."""
        self.info.labels(version("lookstream"), detector, embedder).set(1)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure a stage; an exception that leaves it says where it came from (`stage_of`)."""
        started = perf_counter()
        try:
            yield
        except Exception as error:
            if not hasattr(error, "lookstream_stage"):
                error.lookstream_stage = stage  # type: ignore[attr-defined]
            raise
        finally:
            self.stage.labels(stage).observe(perf_counter() - started)


def stage_of(error: BaseException, otherwise: str = "read") -> str:
    """The stage an exception left."""
    return str(getattr(error, "lookstream_stage", otherwise))
