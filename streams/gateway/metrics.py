"""What the gateway measures, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DELAY_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0)
_REQUEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class GatewayMetrics:
    """The metrics of one gateway, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self.subscribers = Gauge("lookstream_gateway_subscribers", "Open event streams.", registry=r)
        self.sets = Counter("lookstream_gateway_sets", "Sets read from the topic.", registry=r)
        self.sent = Counter("lookstream_gateway_sets_offered", "Sets given to subscribers.", registry=r)
        self.delay = Histogram(
            "lookstream_gateway_set_delay_seconds",
            "From a set's LogAppendTime to its being given to its subscribers.",
            buckets=_DELAY_S,
            registry=r,
        )
        self.requests = Counter(
            "lookstream_gateway_requests", "Requests answered.", ["route", "status"], registry=r
        )
        self.duration = Histogram(
            "lookstream_gateway_request_seconds",
            "From a request's headers to its answer's; event streams until they began.",
            ["route"],
            buckets=_REQUEST_S,
            registry=r,
        )
        self.accepted = Counter(
            "lookstream_gateway_events_accepted", "Events that Kafka acknowledged.", ["topic"], registry=r
        )
        self.ready = Gauge("lookstream_ready", "1 once all is there.", ["app"], registry=r)
