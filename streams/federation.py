"""One /metrics for several workers: their pages merged, each sample labelled with its worker.

In: the workers' ports. Out: an HTTP server on a bound port. A worker that does not answer is left out, and
`lookstream_worker_up` says so.
"""

import threading
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.server import ThreadingHTTPServer

from prometheus_client import CollectorRegistry, MetricsHandler
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S = 2.0


class Federated:
    """A Prometheus collector that asks the workers when it is asked."""

    def __init__(self, ports: Callable[[], dict[str, int]], host: str = "127.0.0.1") -> None:
        self._ports, self._host = ports, host

    def collect(self) -> Iterable[Metric]:
        """All workers' metrics, with a `worker` label on every sample."""
        families: dict[str, Metric] = {}
        up = GaugeMetricFamily(
            "lookstream_worker_up", "1 if the worker's metrics answered.", labels=["worker"]
        )
        ports = self._ports()
        with ThreadPoolExecutor(max(1, len(ports))) as pool:
            pages = dict(zip(ports, pool.map(self._page, ports.values()), strict=True))
        for worker, page in pages.items():
            up.add_metric([worker], float(page is not None))
            for family in text_string_to_metric_families(page or ""):
                held = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = {**sample.labels, "worker": worker}
                    held.add_sample(sample.name, labels, sample.value, sample.timestamp, sample.exemplar)
        yield up
        yield from families.values()

    def _page(self, port: int) -> str | None:
        try:
            url = f"http://{self._host}:{port}/metrics"
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
                return str(answer.read().decode())
        except OSError:
            return None


def serve_federated(
    host: str, port: int, ports: Callable[[], dict[str, int]]
) -> tuple[int, Callable[[], None]]:
    """Serve the merged page on `host`:`port` (0: a free one); returns the port and how to stop."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Federated(ports, host))
    server = ThreadingHTTPServer((host, port), MetricsHandler.factory(registry))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server.server_port, server.shutdown
