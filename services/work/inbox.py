"""The inbox: every event is stored before it is handled, and handled in order per conversation.

received → row (writes are batched) → payload read (limited concurrency) → queue of its conversation, in the order of
arrival → handler → one transaction with its changes, the jobs it queues, and the end of the event.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from errors import WeChatError, WeChatOffline
from models.db import Store, after_commit, is_away
from models.durable import EventState
from services.work import event_codec, relay_position
from services.work.arrival_sequencer import Arrival, ArrivalSequencer
from services.work.inbox_table import InboxRows, end_event
from services.work.repeated_ids import RepeatedIds
from services.work.write_batcher import WriteBatcher
from wechat.events import Event, RawEvent

log = logging.getLogger(__name__)

# the second argument is called with the conversation as soon as it is known
Resolve = Callable[[RawEvent, Callable[[str], None]], Awaitable[Event | None]]
Handle = Callable[[Event, int], Awaitable[str]]  # handles and ends the event, and returns the handler's name
Acknowledge = Callable[[str], None]  # called with the position up to which a relay's events are stored
Parked = Callable[[Session, RawEvent], None]  # notifies the admins, in the transaction that parks the event
MAX_IN_MEMORY: Final = 10_000
READING_AT_ONCE: Final = 64
HANDLING_AT_ONCE: Final = 64
MAX_CRASHES: Final = 2  # crashes of the process while retrying an event, before the event is parked
MAX_TRIES: Final = 5  # attempts to read a payload that is rejected or gets no response


class Inbox:
    """The inbox of an account."""

    def __init__(
        self, account: str, store: Store, resolve: Resolve, handle: Handle, parked: Parked, acknowledge: Acknowledge
    ) -> None:
        self._acknowledge = acknowledge
        self.account = account
        self._store = store
        self._resolve = resolve
        self._handle = handle
        self._parked = parked
        self._table = InboxRows(store, account)
        self._rows = WriteBatcher[RawEvent](store, self._store_rows, lambda _raw: self._leave())
        self._bodies = WriteBatcher[dict[str, Any]](store, self._table.keep_bodies)
        self._ends = WriteBatcher[dict[str, Any]](store, self._table.end)
        self._repeats = RepeatedIds(store, lambda raw: resolve(raw, lambda _conversation: None))
        self._in_memory = 0
        self._space = asyncio.Event()
        self._order = ArrivalSequencer(self._line_up)
        self._to_read: asyncio.Queue[Arrival] = asyncio.Queue()
        self._reading = asyncio.Semaphore(READING_AT_ONCE)
        self._handling = asyncio.Semaphore(HANDLING_AT_ONCE)
        self._lines: dict[str, deque[Arrival]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # tasks that read payloads
        self._working: set[asyncio.Task[None]] = set()  # tasks that handle events, one per busy conversation
        self._poked = asyncio.Event()
        self._stopping = False

    # ---- start and stop ----

    async def start(self) -> None:
        """Resume the stored events that are not finished."""
        self._hold(self._read_forever(), self._tasks)
        for row in await self._store.read(self._table.open_rows):
            raw = RawEvent(self.account, row.event_id, row.kind, json.loads(row.data), event_codec.utc(row.received_at))
            if row.tries >= MAX_CRASHES:
                await self._store.write(partial(self._park, raw=raw, row=row.id or 0))
                continue
            self._in_memory += 1
            arrival = Arrival(raw, row.id or 0, retried=True)
            self._arrive(arrival, event_codec.decode(row.body) if row.body else None)

    def _park(self, session: Session, raw: RawEvent, row: int) -> None:
        """Park an event: the process died twice while handling it."""
        end_event(session, self.account, row, "parked", EventState.PARKED)
        self._parked(session, raw)
        log.error("%s: event %s is parked: the process died twice while handling it", self.account, raw.id)

    async def _count_try(self, arrival: Arrival) -> None:
        """Before handling an event of an earlier process, count the attempt, in case this process dies as well."""
        if arrival.retried:
            arrival.retried = False
            await self._store.write(lambda s: self._table.count_tries(s, [{"row": arrival.row}]))

    async def stop(self, grace: float) -> None:
        """Stop starting handlers; give running ones `grace` seconds to finish. Received events are stored."""
        self._stopping = True
        await self._rows.drain(grace)
        for line in self._lines.values():
            line[0].give_up_waiting()
        if self._working:
            await asyncio.wait(self._working, timeout=grace)
        self._order.stop()
        for task in self._tasks | self._working:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._working, return_exceptions=True)
        await self._bodies.drain(grace)
        await self._ends.drain(grace)
        if self._in_memory:
            with suppress(DBAPIError, TimeoutError):  # without a database no event is being handled
                async with asyncio.timeout(max(grace, 0.5)):
                    await self._store.write(self._table.forget_tries)

    def _hold(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)

    def __len__(self) -> int:
        return self._in_memory

    def wake(self) -> None:
        """Retry waiting reads immediately, since the gateway is connected again."""
        self._poked.set()
        self._poked = asyncio.Event()

    # ---- receiving ----

    async def take(self, raw: RawEvent) -> None:
        """Store an event and handle it. Waits only while too many events are in memory. Repeated events are ignored."""
        while self._in_memory >= MAX_IN_MEMORY:
            self._space.clear()
            await self._space.wait()
        self._in_memory += 1
        self._rows.put(raw)

    async def take_all(self, raws: Sequence[RawEvent], also: Callable[[Session], None]) -> None:
        """Store events and run `also` in one transaction. If that raises, nothing is stored."""
        while self._in_memory >= MAX_IN_MEMORY:
            self._space.clear()
            await self._space.wait()
        self._in_memory += len(raws)

        def store(session: Session) -> None:
            also(session)
            if raws:
                self._store_rows(session, list(raws))

        try:
            await self._store.write(store)
        except Exception:
            self._in_memory -= len(raws)
            raise

    def _leave(self) -> None:
        self._in_memory -= 1
        self._space.set()

    def _store_rows(self, session: Session, raws: list[RawEvent]) -> None:
        new = self._table.insert(session, raws)
        position = next((raw.position for raw in reversed(raws) if raw.position), "")
        if position:
            relay_position.keep(session, self.account, position)
            after_commit(session, lambda: self._acknowledge(position))
        after_commit(session, lambda: self._stored(raws, new))

    def _stored(self, raws: list[RawEvent], new: dict[str, int]) -> None:
        for raw in raws:
            row = new.pop(raw.id, None)
            if row is None:
                self._hold(self._repeated(raw), self._tasks)
            else:
                self._arrive(Arrival(raw, row))

    async def _repeated(self, raw: RawEvent) -> None:
        """Look whether an event that came before has another content now."""
        began = time.perf_counter()
        async with self._reading:
            other = await self._repeats.new_in(raw)
        self._log(raw.id, raw.kind, "-", "repeated" if other is None else "an id used again", began)
        self._leave()
        if other is not None:
            await self.take(other)

    def _arrive(self, arrival: Arrival, event: Event | None = None) -> None:
        self._order.add(arrival)
        if event is None:
            self._to_read.put_nowait(arrival)
        else:
            self._order.place(arrival, event.conversation)
            arrival.settle(event)

    # ---- reading payloads ----

    async def _read_forever(self) -> None:
        while True:
            arrival = await self._to_read.get()
            await self._reading.acquire()
            self._hold(self._read(arrival), self._tasks)

    async def _read(self, arrival: Arrival) -> None:
        """Read an event's payload. The concurrency slot is released once the conversation is known."""
        raw, reading, began = arrival.raw, True, time.perf_counter()

        def placed(conversation: str) -> None:
            nonlocal reading
            self._order.place(arrival, conversation)
            if reading:
                reading = False
                self._reading.release()

        event, why, state = None, "ignored", EventState.DONE
        try:
            await self._count_try(arrival)
            event = await self._patiently(raw, placed)
        except Exception as error:  # noqa: BLE001 - a failing event must not affect others
            log.warning("%s: could not read the payload of event %s: %s", self.account, raw.id, error)
            why, state = "unreadable", EventState.FAILED
        finally:
            if reading:
                self._reading.release()
        if event is None:
            self._end(arrival, why, state)
            self._log(raw.id, raw.kind, "-", why, began)
        else:
            self._bodies.put({"row": arrival.row, "kept": event_codec.encode(event)})
            self._order.place(arrival, event.conversation)
        arrival.settle(event)
        if arrival.conversation is None:
            self._order.settled(arrival)

    async def _patiently(self, raw: RawEvent, placed: Callable[[str], None]) -> Event | None:
        wait, failed = 0.2, 0
        while True:
            try:
                return await self._resolve(raw, placed)
            except WeChatOffline:  # wait for the gateway
                failed = 0
            except WeChatError:  # may be temporary: some gateways announce a message before they can return it
                failed += 1
                if failed == MAX_TRIES:
                    raise
            await self._pause(wait)
            wait = min(wait * 2, 5.0)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._poked.wait()
        except TimeoutError:
            return

    def _log(self, id: str, kind: str, handler: str, result: str, began: float) -> None:
        """Log the result of an event."""
        facts = {"account": self.account, "id": id, "kind": kind, "handler": handler, "result": result}
        spent = round((time.perf_counter() - began) * 1000, 1)
        log.info("%s: event %s %s %s %s %.1f ms", *facts.values(), spent, extra={"facts": facts | {"ms": spent}})

    def _end(self, arrival: Arrival, why: str, state: str) -> None:
        """End an event that no handler ends."""
        self._ends.put({"row": arrival.row, "to": state, "by": why})

    # ---- handling ----

    def _line_up(self, arrival: Arrival) -> None:
        """Add an arrival to the queue of its conversation, or drop it if it has none."""
        key = arrival.conversation
        if key is None:
            self._leave()
            return
        line = self._lines.get(key)
        if line is not None:
            line.append(arrival)
            return
        self._lines[key] = deque((arrival,))
        if not self._stopping:
            self._hold(self._work_off(key), self._working)

    async def _work_off(self, key: str) -> None:
        line = self._lines[key]
        while line and not self._stopping:
            event = await line[0].event()
            if event is not None and not self._stopping:
                async with self._handling:
                    await self._handle_one(line[0], event)
            line.popleft()
            self._leave()
        if not line:
            del self._lines[key]

    async def _handle_one(self, arrival: Arrival, event: Event) -> None:
        began = time.perf_counter()
        handler, result = "?", "failed"
        try:
            await self._count_try(arrival)
            handler = await self._until_stored(event, arrival.row)
            result = "ok"
        except Exception as error:
            log.exception("event %s %s failed", event.id, type(event).__name__)
            if not is_away(error):  # on a database failure nothing was changed: the event is handled after the restart
                self._end(arrival, "failed", EventState.FAILED)
        self._log(event.id, type(event).__name__, handler, result, began)

    async def _until_stored(self, event: Event, row: int) -> str:
        """Handle an event; retry while the database fails, since nothing was changed then."""
        wait = 0.2
        while True:
            try:
                return await self._handle(event, row)
            except Exception as error:
                if not is_away(error) or self._stopping:
                    raise
                log.error("event %s is waiting for the database: %s", event.id, type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)
