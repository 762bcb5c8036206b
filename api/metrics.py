"""Prometheus metrics: HTTP requests, and the state of the bot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

from api.container_metrics import ContainerMetrics, InMemory
from api.loop_lag import LoopLag
from api.stored_numbers import StoredNumbers
from app.container import Container

UNMATCHED: Final = "(none)"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one application, in their own registry."""

    def __init__(self, container: Container, inboxes: InMemory) -> None:
        self._registry = CollectorRegistry()
        self._lag = LoopLag()
        self._stored = StoredNumbers(container.store, lambda: _midnight(container))
        self._numbers = ContainerMetrics(container, inboxes, self._lag)
        self._registry.register(self._numbers)
        self._database_seconds = container.store.seconds
        self._registry.register(self._database_seconds)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._seconds = Histogram(
            "wxbot_http_request_duration_seconds",
            "Duration of HTTP requests in seconds.",
            ("method", "route", "status"),
            registry=self._registry,
            buckets=BUCKETS,
        )
        self._lines: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Record a request. `route` is the route's pattern, which limits the number of label values."""
        key = (method, route, status)
        line = self._lines.get(key)
        if line is None:
            line = self._seconds.labels(method if method in METHODS else "other", route, str(status))
            if method in METHODS:
                self._lines[key] = line
        line.observe(seconds)

    async def read(self) -> bytes:
        """Return the metrics in text format, within 1.5 seconds even if the database hangs."""
        self._numbers.stored = await self._stored.get()
        return generate_latest(self._registry)

    def families(self) -> Iterator[Metric]:
        """Yield all metrics except those of the process and the platform; those with labels have `_labelnames`."""
        yield from self._numbers.collect()
        for histogram in (self._database_seconds, self._seconds):
            (family,) = histogram.collect()
            family._labelnames = histogram._labelnames  # type: ignore[attr-defined]  # as in the other families
            yield family

    async def run(self) -> None:
        """Measure the event loop's lag until cancelled."""
        await self._lag.run()

    async def close(self) -> None:
        """Cancel a running database query."""
        await self._stored.close()


def _midnight(container: Container) -> float:
    """Return the start of the current day in the configured time zone, in Unix seconds."""
    now = datetime.fromtimestamp(container.clock(), container.zone)
    return now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
