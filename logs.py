"""Logging: one line per event, as text or JSON. Message texts and tokens are never logged."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Final, Literal

WINDOW: Final = 10.0  # seconds
MAX_LINES: Final = 20  # of one kind within a window

# Characters that break lines or control a terminal. Log lines contain names and error messages from outside.
_UNSAFE = {code: f"\\x{code:02x}" for code in (*range(32), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


_UNSAFE_IN_JSON = {code: f"\\u{code:04x}" for code in _UNSAFE}


class TextFormatter(logging.Formatter):
    """Format records as text."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format the line, without the traceback that may follow."""
        record.message = record.message.translate(_UNSAFE)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """Format records as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "facts", {})  # the arguments of the message as separate fields
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False).translate(_UNSAFE_IN_JSON)


def set_up_logging(log_format: Literal["text", "json"], level: int = logging.INFO) -> None:
    """Log everything to stderr in the given format."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(TextFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("grpclib").setLevel(logging.WARNING)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # a message about a retry is useless without what is retried


class RateLimitedLog:
    """Limits the lines of each kind per window, then logs one line with the number of suppressed ones."""

    def __init__(self, log: logging.Logger, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._monotonic = monotonic
        self._windows: dict[str, tuple[float, int]] = {}  # by kind: when the window began, and the lines in it

    def info(self, kind: str, message: str, *values: object) -> None:
        """Log a line of a kind; the number of kinds should be small."""
        now = self._monotonic()
        began, lines = self._windows.get(kind, (now, 0))
        if now - began >= WINDOW:
            if lines > MAX_LINES:
                self._log.info("%d more lines of the kind %s were suppressed", lines - MAX_LINES, kind)
            began, lines = now, 0
        self._windows[kind] = began, lines + 1
        if lines < MAX_LINES:
            self._log.info(message, *values)
