"""What Prometheus reads: requests as they are answered, and the house's own numbers at the moment of reading."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from app.container import Container
from models.groups import Membership
from wechat.interface import State

log = logging.getLogger(__name__)
UNMATCHED: Final = "(none)"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
InMemory = Callable[[], Mapping[str, int]]


class Metrics:
    """The numbers of one application, in a registry of its own."""

    def __init__(self, container: Container, inboxes: InMemory) -> None:
        self._container = container
        self._registry = CollectorRegistry()
        self._numbers = ContainerMetrics(container, inboxes)
        self._registry.register(self._numbers)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._seconds = Histogram(
            "wxbot_http_request_duration_seconds",
            "Requests and the seconds they took.",
            ("method", "route", "status"),
            registry=self._registry,
            buckets=BUCKETS,
        )
        self._lines: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is the route's pattern, so that the lines stay few."""
        key = (method, route, status)
        line = self._lines.get(key)
        if line is None:
            line = self._seconds.labels(method if method in METHODS else "other", route, str(status))
            if method in METHODS:
                self._lines[key] = line
        line.observe(seconds)

    async def read(self) -> bytes:
        """The text that Prometheus takes in."""
        try:
            self._numbers.memberships = await self._container.store.read(_memberships)
        except SQLAlchemyError:
            log.exception("memberships cannot be counted")
            self._numbers.memberships = {}
        return generate_latest(self._registry)


def _memberships(session: Session) -> dict[str, int]:
    return dict(session.exec(select(Membership.state, func.count()).group_by(col(Membership.state))).all())


class ContainerMetrics(Collector):
    """Reads the house, so that services need not know of Prometheus."""

    def __init__(self, container: Container, inboxes: InMemory) -> None:
        self._container = container
        self._inboxes = inboxes
        self.memberships: Mapping[str, int] = {}

    def describe(self) -> list[Metric]:
        """Nothing ahead of the first reading."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The numbers of this moment."""
        yield self._assistants()
        yield from self._outbox()
        yield _gauge("wxbot_inbox_in_memory", "Events taken and not yet handled.", "account", self._inboxes())
        states: dict[str, int] = defaultdict(int)
        for qun in self._container.groups:
            states[qun.state] += 1
        yield _gauge("wxbot_groups", "Groups by state.", "state", states)
        yield _gauge("wxbot_memberships", "Memberships by state.", "state", self.memberships)
        yield _gauge(
            "wxbot_flows_open", "Flows under way, by what they wait for.", "state", self._container.flows.open_counts()
        )

    def _assistants(self) -> Metric:
        family = GaugeMetricFamily(
            "wxbot_assistant_state", "1 for the state each assistant is in.", labels=("account", "state")
        )
        for account, now in assistant_states(self._container).items():
            for state in State:
                family.add_metric((account, state), float(state == now))
        return family

    def _outbox(self) -> Iterator[Metric]:
        waiting: dict[str, int] = defaultdict(int)
        oldest: dict[str, float] = defaultdict(float)
        for queue, number in self._container.outbox.waiting().items():
            shown = _without_secrets(queue)
            waiting[shown] += number
            oldest[shown] = max(oldest[shown], self._container.outbox.oldest(queue) if number else 0.0)
        yield _gauge("wxbot_outbox_waiting", "Promised work that is not done yet.", "queue", waiting)
        yield _gauge("wxbot_outbox_oldest_seconds", "For how long the oldest due work has waited.", "queue", oldest)


def assistant_states(container: Container) -> dict[str, State]:
    """Where each configured assistant's connection stands; one that is not built yet is connecting."""
    states = {settings.account: State.CONNECTING for settings in container.config.assistants}
    return states | {wechat.account: wechat.state for wechat in container.accounts}


def _gauge(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family


def _without_secrets(queue: str) -> str:
    """A queue's name; of a receiver's URL only the host, as path and query may hold secrets."""
    kind, _, rest = queue.partition(":")
    if "://" not in rest:
        return queue
    url = urlsplit(rest)
    return f"{kind}:{url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}"
