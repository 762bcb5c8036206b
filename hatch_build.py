"""Puts the modules that lie at the top of the source tree into the wheel, beside the packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProgramFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Adds bot.py and its like to wxbot/program."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is written."""
        for path in Path(self.root).glob("*.py"):
            if path.name != Path(__file__).name:
                build_data["force_include"][str(path)] = f"wxbot/program/{path.name}"
