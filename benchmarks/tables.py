"""Markdown tables, and runs on each database."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path


def table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with a title."""
    rows = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines)]
    return "\n".join((f"### {title}", "", *rows, ""))


async def on_each_database(measure: Callable[[str, str], Awaitable[str]]) -> str:
    """Return the results of `measure(name, url)` on SQLite, and on WXBOT_BENCH_POSTGRES if it is set."""
    with tempfile.TemporaryDirectory() as folder:
        made = [await measure("SQLite", f"sqlite:///{Path(folder)}/wxbot.db")]
    if url := os.environ.get("WXBOT_BENCH_POSTGRES"):
        made.append(await measure("PostgreSQL", url))
    return "\n".join(made)
