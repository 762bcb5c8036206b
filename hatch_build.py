"""Build hook that adds the top-level modules to the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProgramFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Add the top-level modules to wxbot/program."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Register the files before the wheel is built."""
        for path in Path(self.root).glob("*.py"):
            if path.name != Path(__file__).name:
                build_data["force_include"][str(path)] = f"wxbot/program/{path.name}"
