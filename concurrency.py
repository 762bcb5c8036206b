"""Helpers for asyncio tasks that several callers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Result = TypeVar("Result")


class SingleFlight(Generic[Key, Result]):
    """Runs one task per key at a time; equal requests that arrive while it runs get its result.

    A different request for the key waits until the task has ended, and then runs. A caller that is cancelled does not
    cancel the task. `failed` is told of each task's exception, also when no caller
    waits any more.
    """

    def __init__(self, failed: Callable[[Key, BaseException], object] = lambda _key, _error: None) -> None:
        self._failed = failed
        self._tasks: dict[Key, tuple[object, asyncio.Task[Result]]] = {}

    async def run(self, key: Key, call: Callable[[], Coroutine[Any, Any, Result]], request: object = None) -> Result:
        """The result of the running task of this key and `request`, or of `call` when there is none."""
        while (running := self._tasks.get(key)) is not None and running[0] != request:
            await asyncio.wait((running[1],))
        if running is None:
            running = self._tasks[key] = request, asyncio.create_task(call())
            running[1].add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(running[1])

    def running(self, key: Key) -> asyncio.Task[Result] | None:
        """The task of this key while it runs."""
        return self._tasks[key][1] if key in self._tasks else None

    def __contains__(self, key: Key) -> bool:
        return key in self._tasks

    async def close(self) -> None:
        """Cancel what runs, and wait for its end."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: Key, task: asyncio.Task[Result]) -> None:
        del self._tasks[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(key, error)
