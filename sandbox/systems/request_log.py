"""The requests to the simulated systems, their responses and pending callbacks, stored in a file."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from sandbox.world.feed import Channels
from sandbox.world.storage import read_json

MAX_KEPT: Final = 200
TOPIC: Final = "systems"
MODES: Final = ("ok", "refuse", "error", "garbage", "hang")


@dataclass(slots=True)
class SystemRequest:
    """A request and its callback. `owed`: "" (none) | waiting | sending | sent | undelivered."""

    n: int
    at: float
    system: str
    method: str
    path: str
    key: str
    body: Any
    status: int = 0
    answer: Any = None
    repeats: int = 0
    callback: str = ""
    owed: str = ""
    result: str = ""
    note: str = ""


@dataclass(slots=True)
class RequestLog:
    """The state of both stand-ins. While `open` is cleared, requests are recorded but not answered."""

    path: Path | None = None
    clock: Callable[[], float] = time.time
    requests: deque[SystemRequest] = field(default_factory=lambda: deque(maxlen=MAX_KEPT))
    merchants: dict[str, Any] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    channels: Channels = field(default_factory=Channels)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    last: int = 0

    def __post_init__(self) -> None:
        self.open.set()
        if self.path is not None and self.path.exists():
            stored = read_json(self.path)
            self.requests.extend(SystemRequest(**row) for row in stored["asked"])
            for cut_off in (request for request in self.requests if request.owed == "sending"):
                cut_off.owed, cut_off.note = "undelivered", "中途停了"
            self.merchants = stored["merchants"]
            self.last = max((request.n for request in self.requests), default=0)

    def record(self, system: str, method: str, path: str, key: str, body: Any) -> SystemRequest:
        """Record a request."""
        self.last += 1
        request = SystemRequest(self.last, self.clock(), system, method, path, key, body)
        self.requests.append(request)
        return request

    def known(self, system: str, key: str) -> SystemRequest | None:
        """Return the earlier request with this idempotency key."""
        return next(
            (request for request in self.requests if key and (request.system, request.key) == (system, key)), None
        )

    def find(self, n: int) -> SystemRequest | None:
        """Return the request with this number."""
        return next((request for request in self.requests if request.n == n), None)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON for the page, newest request first."""
        return {"asked": [asdict(request) for request in reversed(self.requests)], "modes": self.modes}

    def changed(self) -> None:
        """Save the state and notify the pages."""
        self.channels.emit(TOPIC, {})
        if self.path is not None:
            content = {"asked": [asdict(request) for request in self.requests], "merchants": self.merchants}
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
            fresh.replace(self.path)
