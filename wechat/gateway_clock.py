"""The clock of a gateway, from the Date header of its responses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any


class GatewayClock:
    """The time by the Date header, which Node.js, and so Wechaty's gateways, send with every response."""

    def __init__(self) -> None:
        self._text = ""
        self._reading: tuple[float, float] | None = None  # Unix seconds, and the monotonic time at which they were read

    def read(self, headers: Mapping[str, Any] | None) -> None:
        """Read the date of a response, if it has a usable one."""
        text = str((headers or {}).get("date", ""))
        if not text or text == self._text:
            return
        self._text = text
        try:
            self._reading = parsedate_to_datetime(text).timestamp(), time.monotonic()
        except (ValueError, OverflowError):
            return

    @property
    def now(self) -> float | None:
        """Return the current time in Unix seconds, accurate to about a second; None if unknown."""
        return None if self._reading is None else self._reading[0] + time.monotonic() - self._reading[1]
