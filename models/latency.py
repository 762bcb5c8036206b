"""Latency histogram of the database for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import Histogram

BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
READ: Final = "read"
COMMIT: Final = "commit"


def database_seconds() -> Histogram:
    """Create the histogram of one store; it is not registered yet."""
    histogram = Histogram(
        "wxbot_database_seconds",
        "Duration of reads and commits in seconds, without queueing.",
        ("operation",),
        registry=None,
        buckets=BUCKETS,
    )
    for operation in (READ, COMMIT):
        histogram.labels(operation)
    return histogram
