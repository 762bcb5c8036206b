"""The metrics exported by wxbot, read from a container that is not started."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from api.metrics import Metrics
from app.container import Container
from config import Config


@dataclass(frozen=True, slots=True)
class ListedMetric:
    """A metric."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def metric_list() -> Iterator[ListedMetric]:
    """Yield wxbot's metrics in the order of their export."""
    with tempfile.TemporaryDirectory() as folder:
        container = Container(Config(database=f"sqlite:///{folder}/wxbot.db"))
        for family in Metrics(container, dict).families():
            if family.name.startswith("wxbot_"):
                total = "_total" if family.type == "counter" else ""
                # prometheus_client has no public attribute for it
                labels = tuple(family._labelnames)  # type: ignore[attr-defined]
                yield ListedMetric(family.name + total, family.type, labels, family.documentation)
