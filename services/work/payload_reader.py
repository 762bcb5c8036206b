"""Reads the payloads of stored events, with limited concurrency, in any order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.exc import DBAPIError

from errors import WeChatError, WeChatOffline
from models.db import is_away
from models.durable import EventState
from services.work.arrival_sequencer import Arrival, ArrivalSequencer
from services.work.inbox_progress import InboxProgress
from services.work.task_set import TaskSet
from wechat.events import Event, RawEvent

log = logging.getLogger(__name__)

# the second argument is called with the conversation as soon as it is known
Resolve = Callable[[RawEvent, Callable[[str], None]], Awaitable[Event | None]]
CONCURRENT: Final = 64
MAX_TRIES: Final = 5  # attempts to read a payload that is rejected or gets no response
FIRST_WAIT: Final = 0.2  # seconds until a read is retried; doubled after each attempt
MAX_RETRY_WAIT: Final = 5.0


class PayloadReader:
    """Reads payloads and reports to the sequencer which conversation an event belongs to."""

    def __init__(self, account: str, resolve: Resolve, sequencer: ArrivalSequencer, progress: InboxProgress) -> None:
        self._account = account
        self._resolve = resolve
        self._sequencer = sequencer
        self._progress = progress
        self._queue: asyncio.Queue[Arrival] = asyncio.Queue()
        self.slots = asyncio.Semaphore(CONCURRENT)
        self._tasks = TaskSet()
        self._woken = asyncio.Event()

    def start(self) -> None:
        """Start reading."""
        self._tasks.start(self._run())

    async def stop(self) -> None:
        """Cancel all reads."""
        await self._tasks.cancel()

    def push(self, arrival: Arrival) -> None:
        """Read the payload of an event."""
        self._queue.put_nowait(arrival)

    def wake(self) -> None:
        """Retry waiting reads immediately."""
        self._woken.set()
        self._woken = asyncio.Event()

    async def _run(self) -> None:
        while True:
            arrival = await self._queue.get()
            await self.slots.acquire()
            self._sequencer.reading(arrival)
            self._tasks.start(self._read(arrival))

    async def _read(self, arrival: Arrival) -> None:
        """Read an event's payload. The slot is released once the conversation is known."""
        raw, holds_slot, started = arrival.raw, True, time.perf_counter()

        def placed(conversation: str) -> None:
            nonlocal holds_slot
            self._sequencer.place(arrival, conversation)
            if holds_slot:
                holds_slot = False
                self.slots.release()

        event, result, state = None, "ignored", EventState.DONE
        try:
            await self._progress.count_attempt(arrival)
            event = await self.resolve(raw, placed)
        except Exception as error:  # noqa: BLE001 - a failing event must not affect others
            log.warning("%s: could not read the payload of event %s: %s", self._account, raw.id, error)
            result, state = "unreadable", EventState.FAILED
        finally:
            if holds_slot:
                self.slots.release()
        if event is None:
            self._progress.end(arrival, result, state)
            self._progress.log(raw.id, raw.kind, "-", result, started)
        else:
            self._progress.store_payload(arrival, event)
            self._sequencer.place(arrival, event.conversation)
        arrival.settle(event)
        if arrival.conversation is None:
            self._sequencer.settled(arrival)

    async def resolve(self, raw: RawEvent, on_conversation: Callable[[str], None]) -> Event | None:
        """Read an event's payload, again while the gateway is away or rejects it; raise WeChatError."""
        wait, attempts = FIRST_WAIT, 0
        while True:
            try:
                return await self._resolve(raw, on_conversation)
            except WeChatOffline:  # wait for the gateway
                attempts = 0
            except WeChatError:  # may be temporary: some gateways announce a message before they can return it
                attempts += 1
                if attempts == MAX_TRIES:
                    raise
            except DBAPIError as error:  # the account itself reads the database, for example its access token
                if not is_away(error):
                    raise
            await self._pause(wait)
            wait = min(wait * 2, MAX_RETRY_WAIT)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
