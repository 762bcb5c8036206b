"""Prometheus collector for the state of the container, so that services do not depend on Prometheus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.cluster_metrics import cluster_metrics
from api.loop_lag import LoopLag
from api.stored_numbers import Numbers
from app.container import Container
from services.messaging.messages import QUEUE as MESSAGES
from services.messaging.webhook_events import QUEUE as WEBHOOKS
from services.work.delivery_results import Result
from wechat.interface import State

InMemory = Callable[[], Mapping[str, int]]
# Final results of messages and webhook deliveries; the retry of a message is not a result.
MESSAGE_RESULTS: Final = (Result.SENT, Result.LATE, Result.FAILED)
WEBHOOK_RESULTS: Final = {
    "delivered": (Result.SENT, Result.LATE),
    "retried": (Result.RETRIED,),
    "failed": (Result.FAILED,),
}


class ContainerMetrics(Collector):
    """Collects the metrics of a container. `stored` holds those read from the database."""

    def __init__(self, container: Container, inboxes: InMemory, lag: LoopLag) -> None:
        self._container = container
        self._inboxes = inboxes
        self._lag = lag
        self.stored = Numbers()

    def describe(self) -> list[Metric]:
        """Return nothing: the metrics depend on the container's state."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics."""
        yield from self._assistants()
        yield from self._work()
        yield from self._results()
        yield from self._tickets()
        yield from cluster_metrics(self._container)
        yield _gauge("wxbot_inbox_in_memory", "Events in memory that are not handled yet.", "account", self._inboxes())
        yield _value("wxbot_events_parked", "Parked events, which could not be handled.", self.stored.parked)
        states: dict[str, int] = defaultdict(int)
        for qun in self._container.groups:
            states[qun.state] += 1
        yield _gauge("wxbot_groups", "Groups by state.", "state", states)
        yield _gauge("wxbot_memberships", "Memberships by state.", "state", self.stored.memberships)
        yield _gauge(
            "wxbot_flows_open",
            "Running flows, by what they wait for.",
            "state",
            self._container.flow_runs.open_counts(),
        )
        lag = "Longest time that the event loop was blocked within the last half minute."
        yield _value("wxbot_event_loop_lag_seconds", lag, self._lag.maximum)

    def _assistants(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "wxbot_assistant_state", "1 for the state each assistant is in.", labels=("account", "state")
        )
        states = assistant_states(self._container)
        for account, now in states.items():
            for state in State:
                family.add_metric((account, state), float(state == now))
        yield family
        is_online = {account: float(state is State.ONLINE) for account, state in states.items()}
        yield _gauge("wxbot_assistant_up", "1 while the assistant is online.", "assistant", is_online)
        skew = "Seconds that this machine's clock is ahead of the gateway's, or of the time that its messages have."
        yield _gauge("wxbot_clock_skew_seconds", skew, "assistant", dict(self._container.account_clocks.skews()))
        yield self._paces()

    def _paces(self) -> Metric:
        family = GaugeMetricFamily(
            "wxbot_pace_used_ratio",
            "Used share of the rate limit; at 1 the next action waits.",
            labels=("assistant", "kind"),
        )
        max_accepted = self._container.config.customer_service.accept.max_per_day
        for account in assistant_states(self._container):
            ratios = self._container.accounts.rate_limiter(account).used()
            accepted = self.stored.accepted_today.get(account, 0)
            ratios["accept"] = accepted / max_accepted if max_accepted else 1.0
            for kind, ratio in ratios.items():
                family.add_metric((account, kind), ratio)
        return family

    def _work(self) -> Iterator[Metric]:
        waiting: dict[str, int] = defaultdict(int)
        oldest: dict[str, float] = defaultdict(float)
        for queue, number in self._container.outbox.waiting().items():
            label = _without_secrets(queue)
            waiting[label] += number
            oldest[label] = max(oldest[label], self._container.outbox.oldest(queue) if number else 0.0)
        yield _gauge("wxbot_outbox_waiting", "Work items of the outbox that are not finished.", "queue", waiting)
        help_ = "Seconds that the oldest due work item has been waiting."
        yield _gauge("wxbot_outbox_oldest_seconds", help_, "queue", oldest)
        now = self._container.clock()
        inboxes = {f"inbox:{account}": 0.0 for account in assistant_states(self._container)}
        inboxes |= {f"inbox:{account}": max(0.0, now - at) for account, at in self.stored.inbox_since.items()}
        help_ = "Age of the oldest entry of each queue: events (inbox:…), messages (wx:…), webhooks (hook:…)."
        yield _gauge("wxbot_queue_oldest_seconds", help_, "queue", inboxes | oldest)

    def _results(self) -> Iterator[Metric]:
        counts = self._container.outbox.results.counts.counts
        messages = CounterMetricFamily(
            "wxbot_messages",
            "Messages to WeChat: sent, sent late (a minute after they were due), or failed.",
            labels=("assistant", "result"),
        )
        for account in assistant_states(self._container):
            for result in MESSAGE_RESULTS:
                messages.add_metric((account, result), counts[f"{MESSAGES}:{account}", result])
        yield messages
        deliveries = CounterMetricFamily(
            "wxbot_webhook_deliveries",
            "Webhook deliveries: delivered, to be retried, or given up.",
            labels=("webhook", "result"),
        )
        pages: dict[tuple[str, str], int] = defaultdict(int)
        for webhook in self._container.config.webhooks:
            queue, name = f"{WEBHOOKS}:{webhook.name}", webhook.name
            for label, results in WEBHOOK_RESULTS.items():
                pages[name, label] += sum(counts[queue, result] for result in results)
        for labels, number in pages.items():
            deliveries.add_metric(labels, number)
        yield deliveries

    def _tickets(self) -> Iterator[Metric]:
        yield _gauge("wxbot_tickets", "Open tickets by state.", "state", self.stored.tickets)
        since = self.stored.waiting_since
        waited = 0.0 if since is None else max(0.0, self._container.clock() - since)
        help_ = "Longest waiting time of a customer for a first answer."
        yield _value("wxbot_ticket_oldest_waiting_seconds", help_, waited)
        levels = self.stored.closed_today
        first, resolution = (levels.first_answer or 0.0, levels.resolution or 0.0) if levels else (0.0, 0.0)
        help_ = "Median time to the first answer of the tickets closed today; 0 without any."
        yield _value("wxbot_ticket_first_answer_seconds", help_, first)
        help_ = "Median time from opening to closing of the tickets closed today; 0 without any."
        yield _value("wxbot_ticket_resolution_seconds", help_, resolution)


def assistant_states(container: Container) -> dict[str, State]:
    """Return the connection state of each assistant that this process serves; CONNECTING until it has been created."""
    accounts = [
        assistant.account for assistant in container.config.assistants if container.ownership.holds(assistant.account)
    ]
    states = dict.fromkeys(accounts, State.CONNECTING)
    return states | {wechat.account: wechat.state for wechat in container.accounts}


def _gauge(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family


def _value(name: str, help_: str, number: float) -> Metric:
    return GaugeMetricFamily(name, help_, value=number)


def _without_secrets(queue: str) -> str:
    """Return the queue name; a URL is reduced to its host, because path and query may contain secrets."""
    kind, _, name = queue.partition(":")
    if "://" not in name:
        return queue
    url = urlsplit(name)
    return f"{kind}:{url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}"
