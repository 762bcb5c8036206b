"""Metrics of a cluster member; all 0 without a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from app.container import Container


def cluster_metrics(container: Container) -> Iterator[Metric]:
    """Return the current metrics of the cluster."""
    parts = container.cluster
    yield GaugeMetricFamily(
        "wxbot_accounts_held", "Accounts that this process serves.", value=len(container.accounts.names())
    )
    yield GaugeMetricFamily(
        "wxbot_accounts_unheld",
        "Accounts of the cluster that no process serves.",
        value=parts.accounts_without_holder if parts else 0,
    )
    yield GaugeMetricFamily(
        "wxbot_lease_age_seconds",
        "Seconds since this process last renewed its leases.",
        value=parts.member.lease_age() if parts else 0.0,
    )
    moves = CounterMetricFamily(
        "wxbot_account_moves", "Accounts taken, given up or lost by this process.", labels=("cause",)
    )
    for cause, number in parts.moves.items() if parts else ():
        moves.add_metric((cause,), number)
    yield moves
    yield CounterMetricFamily(
        "wxbot_fenced_commits",
        "Transactions refused because this process was no member any more.",
        value=parts.tables.refused if parts else 0,
    )
    yield CounterMetricFamily(
        "wxbot_cluster_notifications",
        "NOTIFYs that this process has sent to the others.",
        value=parts.pending_notifications.sent if parts else 0,
    )
