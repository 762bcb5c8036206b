"""Logging: one line per event, as text or JSON. Message texts and tokens are never logged."""

from __future__ import annotations

import json
import logging
import sys
from typing import Literal

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
    logging.getLogger("stamina").setLevel(logging.ERROR)  # its retry messages do not say what is retried
