"""Helpers for asyncio tasks that run together or that several callers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Result = TypeVar("Result")


async def gather_or_cancel(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Run coroutines concurrently. If one fails, the others are cancelled and ended before its exception is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in coroutines:
                group.create_task(work)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


class SingleFlight(Generic[Key, Result]):
    """Run one task per key at a time; callers with an equal request share its result.

    A different request for the same key waits until the running task has ended. Cancelling a caller does not cancel the
    task. `on_failure` is called with the exception of every failed task, even when no caller waits for it any more.
    """

    def __init__(self, on_failure: Callable[[Key, BaseException], object] = lambda _key, _error: None) -> None:
        self._failed = on_failure
        self._tasks: dict[Key, tuple[object, asyncio.Task[Result]]] = {}

    async def run(self, key: Key, call: Callable[[], Coroutine[Any, Any, Result]], request: object = None) -> Result:
        """Return the result of the running task for `key` and `request`; start `call` if there is none."""
        while (running := self._tasks.get(key)) is not None and running[0] != request:
            await asyncio.wait((running[1],))
        if running is None:
            running = self._tasks[key] = request, asyncio.create_task(call())
            running[1].add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(running[1])

    def running(self, key: Key) -> asyncio.Task[Result] | None:
        """Return the running task of this key, if any."""
        return self._tasks[key][1] if key in self._tasks else None

    def __contains__(self, key: Key) -> bool:
        return key in self._tasks

    async def close(self) -> None:
        """Cancel the running tasks and wait until they have ended."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: Key, task: asyncio.Task[Result]) -> None:
        del self._tasks[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(key, error)
