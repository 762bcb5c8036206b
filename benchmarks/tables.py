"""Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence


def table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with a title."""
    rows = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines)]
    return "\n".join((f"### {title}", "", *rows, ""))
