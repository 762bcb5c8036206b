"""Helpers of the generated pages: descriptions and tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

HOME: Final = Path(__file__).parent
LANGUAGES: Final = ("zh", "en")


class Describer:
    """Descriptions from docs/descriptions.yaml."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, Any]] = yaml.safe_load((HOME / "descriptions.yaml").read_text("utf-8"))

    def config(self, key: str, language: str) -> str:
        """Return the description of a setting."""
        pair = self._said["config"].get(key, ("", ""))
        return str(pair[LANGUAGES.index(language)])

    def intro(self, page: str, language: str) -> str:
        """Return the introduction of a page."""
        return str(self._said["intro"][page][LANGUAGES.index(language)])

    def metric(self, name: str, help_: str, language: str) -> str:
        """Return the description of a metric."""
        return str(self._said["metrics"].get(name, help_)) if language == "zh" else help_

    def command(self, name: str, description: str, language: str) -> str:
        """Return the description of a command."""
        return description if language == "zh" else str(self._said["commands"].get(name, description))


def cell(text: str) -> str:
    """Escape a text for a table cell."""
    return text.replace("|", "\\|").replace("\n", " ⏎ ")


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [" | ".join(header), " | ".join("---" for _ in header), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"
