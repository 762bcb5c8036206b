"""Handles events: one after the other within a conversation, several conversations at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from models.db import is_away
from models.durable import EventState
from services.work.arrival_sequencer import Arrival
from services.work.inbox_progress import InboxProgress
from services.work.task_set import TaskSet
from wechat.events import Event

log = logging.getLogger(__name__)
Handle = Callable[[Event, int], Awaitable[str]]  # handles and ends the event, and returns the handler's name
CONCURRENT: Final = 64
FIRST_WAIT: Final = 0.2  # seconds until a handler is repeated while the database fails; doubled after each attempt
MAX_RETRY_WAIT: Final = 5.0


class ConversationWorkers:
    """A queue and a task for each busy conversation. `done` is called after each event."""

    def __init__(self, handle: Handle, progress: InboxProgress, done: Callable[[], None]) -> None:
        self._handle = handle
        self._progress = progress
        self._done = done
        self._slots = asyncio.Semaphore(CONCURRENT)
        self._queues: dict[str, deque[Arrival]] = {}
        self._tasks = TaskSet()
        self._stopping = False

    def push(self, arrival: Arrival) -> None:
        """Add an event to the queue of its conversation, or drop it if it has none."""
        key = arrival.conversation
        if key is None:
            self._done()
        elif key in self._queues:
            self._queues[key].append(arrival)
        else:
            self._queues[key] = deque((arrival,))
            if not self._stopping:
                self._tasks.start(self._run(key))

    def begin_stop(self) -> None:
        """Start no more handlers."""
        self._stopping = True

    async def stop(self, grace: float) -> None:
        """Give running handlers `grace` seconds to finish."""
        self.begin_stop()
        for queue in self._queues.values():
            queue[0].stop_waiting()
        await self._tasks.wait(grace)

    async def cancel(self) -> None:
        """Cancel the handlers that are still running."""
        await self._tasks.cancel()

    async def _run(self, key: str) -> None:
        queue = self._queues[key]
        while queue and not self._stopping:
            event = await queue[0].event()
            if event is not None and not self._stopping:
                async with self._slots:
                    await self._handle_one(queue[0], event)
            queue.popleft()
            self._done()
        if not queue:
            del self._queues[key]

    async def _handle_one(self, arrival: Arrival, event: Event) -> None:
        started = time.perf_counter()
        handler, result = "?", "failed"
        try:
            await self._progress.count_attempt(arrival)
            handler = await self._handle_with_retries(event, arrival.row)
            result = "ok"
        except Exception as error:
            log.exception("event %s %s failed", event.id, type(event).__name__)
            if not is_away(
                error
            ):  # after a database failure nothing was changed, and the event is handled after the restart
                self._progress.end(arrival, "failed", EventState.FAILED)
        self._progress.log(event.id, type(event).__name__, handler, result, started)

    async def _handle_with_retries(self, event: Event, row: int) -> str:
        """Handle an event; retry while the database fails, since nothing was changed then."""
        wait = FIRST_WAIT
        while True:
            try:
                return await self._handle(event, row)
            except Exception as error:
                if not is_away(error) or self._stopping:
                    raise
                log.error("event %s is waiting for the database: %s", event.id, type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(wait)
            wait = min(wait * 2, MAX_RETRY_WAIT)
