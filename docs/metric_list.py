"""The metrics that wxbot exports, by asking a bot that is built and not started."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from api.metrics import Metrics
from app.container import Container
from config import Config


@dataclass(frozen=True, slots=True)
class ListedMetric:
    """One metric as the reference shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def metric_list() -> Iterator[ListedMetric]:
    """Our own metrics, in the order in which they are exported."""
    with tempfile.TemporaryDirectory() as folder:
        container = Container(Config(database=f"sqlite:///{folder}/wxbot.db"))
        for family in Metrics(container, dict).families():
            if family.name.startswith("wxbot_"):
                total = "_total" if family.type == "counter" else ""
                labels = tuple(family._labelnames)  # type: ignore[attr-defined] # there is no other way to them
                yield ListedMetric(family.name + total, family.type, labels, family.documentation)
