"""Which lines of the changed modules each test runs: `sys.settrace`, limited to these files."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from collections.abc import Collection
from types import FrameType
from typing import Any

Lines = dict[str, set[int]]  # of a file


class LineTracer:
    """Records the lines that run on behalf of the current test, in all threads that start after `start`."""

    def __init__(self, files: Collection[str]) -> None:
        self._files = frozenset(files)
        self._current: Lines = defaultdict(set)

    def start(self) -> None:
        """Begin to record."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def stop(self) -> None:
        """Record no more."""
        threading.settrace(None)
        sys.settrace(None)

    def take(self) -> Lines:
        """What ran since the last call."""
        taken, self._current = self._current, defaultdict(set)
        return taken

    def _enter(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            self._current[frame.f_code.co_filename].add(frame.f_lineno)
        return self._line
