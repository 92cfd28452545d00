"""What the workers measure, read from their /metrics for the operator's page.

In: addresses of Prometheus pages, of one worker each or merged by `streams.federation`. Out: histograms with
their percentiles, when each agent last finished something, models and versions. A page that does not answer
is left out.
"""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

_FRESH_S: Final = 1.0
_TIMEOUT_S: Final = 2.0
_MAX_BYTES: Final = 4_000_000
_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by upper bound in seconds, each without those below; the last bound is infinite."""

    buckets: tuple[tuple[float, float], ...] = ()

    @property
    def count(self) -> int:
        """How many were measured."""
        return round(sum(count for _, count in self.buckets))

    def quantile_s(self, share: float) -> float | None:
        """The value below which that share lies, linear within a bucket; None of nothing.

        In the last, infinite bucket it is that bucket's lower bound. As Prometheus' histogram_quantile.
        """
        wanted, below, seen = share * sum(count for _, count in self.buckets), 0.0, 0.0
        for bound, count in self.buckets:
            if count and seen + count >= wanted:
                return below if math.isinf(bound) else below + (bound - below) * (wanted - seen) / count
            seen, below = seen + count, below if math.isinf(bound) else bound
        return None

    def as_data(self) -> dict[str, Any]:
        """Milliseconds: percentiles, and [upper bound, null for infinite; count] of each bucket."""
        quantiles = {name: _ms(self.quantile_s(share)) for name, share in _QUANTILES.items()}
        buckets = [[None if math.isinf(le) else _ms(le), round(count)] for le, count in self.buckets]
        return {**quantiles, "count": self.count, "buckets": buckets}


@dataclass(slots=True)
class Measured:
    """What all workers say together.

    Attributes:
        histograms: (metric, stage; "" where it has none) → its histogram.
        progress_s: agent → unix time at which it last finished something.
        ready: app → how many of its workers are ready.
        models: what runs: worker (empty where its page does not say), version, detector, embedder.
    """

    histograms: dict[tuple[str, str], Histogram] = field(default_factory=dict)
    progress_s: dict[str, float] = field(default_factory=dict)
    ready: dict[str, int] = field(default_factory=dict)
    models: list[dict[str, str]] = field(default_factory=list)

    def histogram(self, metric: str, stage: str = "") -> Histogram:
        """A histogram, empty where nobody has it."""
        return self.histograms.get((metric, stage), Histogram())


class Workers:
    """Asks the workers at most once a second, however many ask it."""

    def __init__(self, addresses: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._addresses, self._clock = addresses, clock
        self._lock = asyncio.Lock()
        self._at_s = float("-inf")
        self._measured = Measured()

    async def measured(self) -> Measured:
        """What they measure now, not older than a second."""
        async with self._lock:
            if self._clock() - self._at_s >= _FRESH_S:
                self._measured = await asyncio.to_thread(read, await self._pages())
                self._at_s = self._clock()
        return self._measured

    async def _pages(self) -> list[str]:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            pages = await asyncio.gather(*(_page(session, address) for address in self._addresses))
        return [page for page in pages if page]


async def _page(session: aiohttp.ClientSession, address: str) -> str:
    try:
        async with session.get(address, allow_redirects=False) as answer:
            said = await answer.content.read(_MAX_BYTES) if answer.status == 200 else b""
            while chunk := await answer.content.read(_MAX_BYTES - len(said)):
                said += chunk
            return said.decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return ""


def read(pages: Iterable[str]) -> Measured:
    """What Prometheus pages say, added up; a page that is none says nothing."""
    found = Measured()
    cumulative: defaultdict[tuple[str, str], defaultdict[float, float]] = defaultdict(
        lambda: defaultdict(float)
    )
    for page in pages:
        try:
            families = list(text_string_to_metric_families(page))
        except ValueError:
            continue
        for sample in (sample for family in families for sample in family.samples):
            name, labels = sample.name, sample.labels
            if name.endswith("_seconds_bucket"):
                key = name.removesuffix("_bucket"), labels.get("stage", "")
                cumulative[key][float(labels["le"])] += sample.value
            elif name == "lookstream_last_progress_timestamp_seconds":
                agent = labels["agent"]
                found.progress_s[agent] = max(sample.value, found.progress_s.get(agent, 0.0))
            elif name == "lookstream_ready":
                found.ready[labels["app"]] = found.ready.get(labels["app"], 0) + int(sample.value)
            elif name == "lookstream_info":
                names = ("worker", "version", "detector", "embedder")
                found.models.append({name: labels.get(name, "") for name in names})
    found.histograms = {key: _apart(counts) for key, counts in cumulative.items()}
    return found


def _apart(cumulative: dict[float, float]) -> Histogram:
    bounds = sorted(cumulative)
    counts = [cumulative[bound] for bound in bounds]
    return Histogram(
        tuple(
            (bound, count - below)
            for bound, count, below in zip(bounds, counts, [0.0, *counts], strict=False)
        )
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
