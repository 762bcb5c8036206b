"""Starting the harnesses of a test, and stopping them after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar


class Harness(Protocol):
    """A part of wxbot on a real database, whose surroundings the test controls."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


T = TypeVar("T", bound=Harness)


@asynccontextmanager
async def started(make: Callable[..., T]) -> AsyncIterator[Callable[..., Awaitable[T]]]:
    """Yield a function that makes and (unless `start` is False) starts a harness; all are stopped at the end."""
    harnesses: list[T] = []

    async def start_one(*arguments: Any, start: bool = True, **options: Any) -> T:
        harness = make(*arguments, **options)
        harnesses.append(harness)
        if start:
            await harness.start()
        return harness

    yield start_one
    for harness in harnesses:
        await harness.stop()
