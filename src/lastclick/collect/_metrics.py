"""What a collector did, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_PREFIX = "lastclick_collect_"

#: In seconds. A request waits for the disk once, some ms; what takes seconds is a slow sender.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The figures of one collector, in a registry of its own.

    Args:
        held: How many bytes of requests are in memory now.
        syncs: How often the disk was waited for.
    """

    def __init__(self, held: Callable[[], float], syncs: Callable[[], float]) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            f"{_PREFIX}requests", "Requests, by status.", ["status"], registry=registry
        )
        self.events = Counter(
            f"{_PREFIX}events",
            "Events, by what became of them: accepted (written, or there already), "
            "of these duplicate (there already), rejected, retry (to be sent again).",
            ["result"],
            registry=registry,
        )
        for result in ("accepted", "duplicate", "rejected", "retry"):
            self.events.labels(result)
        self.received = Counter(
            f"{_PREFIX}received_bytes", "Bytes of bodies, as they came.", registry=registry
        )
        self.seconds = Histogram(
            f"{_PREFIX}request_seconds", "Time to answer.", buckets=_BUCKETS, registry=registry
        )
        now = Gauge(f"{_PREFIX}held_bytes", "Bytes of requests in memory now.", registry=registry)
        now.set_function(held)
        waited = Gauge(f"{_PREFIX}syncs", "Waits for the disk.", registry=registry)
        waited.set_function(syncs)

    def text(self) -> bytes:
        """The figures in the text format of Prometheus."""
        return generate_latest(self._registry)
