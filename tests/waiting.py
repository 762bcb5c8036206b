"""Waiting for conditions that have no event."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, Final

# Limit of a wait for an event. It is generous, for slow machines, since it costs nothing when the test passes.
SECONDS: Final = 90.0


async def until(condition: Callable[..., Any], what: str | Callable[[], str] = "", within: float = SECONDS) -> Any:
    """Poll a condition, which may be a coroutine function, until it is true; return its value.

    `what` describes it in the error of a timeout.
    """
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true within {within} s: {what() if callable(what) else what}")
        await asyncio.sleep(0.01)
