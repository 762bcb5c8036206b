"""Prometheus metrics of the relays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from relay.relay import Relay


Figures = dict[str, tuple[str, "Callable[[Relay], float]"]]


class RelayMetrics(Collector):
    """Collects the current values."""

    def __init__(self, relays: list[Relay]) -> None:
        self._relays = relays

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        gauges: Figures = {
            "relay_unread_events": ("Stored events that the client has not received", lambda r: r.journal.unread),
            "relay_last_number": ("The number of the last event on disk", lambda r: r.journal.stored),
            "relay_gateway_up": ("Whether the gateway is connected", lambda r: int(r.upstream.connection is not None)),
            "relay_client_connected": ("Whether a client holds the event stream", lambda r: int(r.fence.is_held)),
            "relay_kept_answers": ("Payloads stored for an offline client", lambda r: len(r.journal.responses)),
            "relay_epoch": ("The highest epoch of a client", lambda r: r.fence.epoch),
            "relay_disk_failing": ("Whether the last write failed", lambda r: int(r.journal.is_failing)),
        }
        counters: Figures = {
            "relay_events": ("Events received from the gateway", lambda r: r.feed.received),
            "relay_unkept_events": ("Events that could not be written to disk", lambda r: r.feed.not_stored),
            "relay_calls": ("Calls of clients", lambda r: r.service.calls),
        }
        for name, (help, value) in gauges.items():
            gauge = GaugeMetricFamily(name, help, labels=["relay"])
            for relay in self._relays:
                gauge.add_metric([relay.title], value(relay))
            yield gauge
        for name, (help, value) in counters.items():
            counter = CounterMetricFamily(name, help, labels=["relay"])
            for relay in self._relays:
                counter.add_metric([relay.title], value(relay))
            yield counter


def serve_metrics(address: str, relays: list[Relay]) -> None:
    """Serve /metrics on a thread of its own; raise OSError."""
    registry = CollectorRegistry()
    registry.register(RelayMetrics(relays))
    ProcessCollector(registry=registry)
    host, _, port = address.rpartition(":")
    start_http_server(int(port), host.strip("[]"), registry)
