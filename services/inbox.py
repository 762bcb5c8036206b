"""The inbox: every event is a row before anything is done about it; then it is handled, in order per conversation.

taken → row (many share a commit) → payload read (bounded) → back into the order of arrival → its conversation's line →
handler → one transaction with what it changed, what it promised, and the event's end.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from errors import WeChatOffline, WeChatUnknown
from models.db import Store, after_commit
from models.durable import EventState, InboxEvent
from services import codec
from services.gather import Gather
from wechat.events import Event, RawEvent

log = logging.getLogger(__name__)

Resolve = Callable[[RawEvent], Awaitable[Event | None]]
Handle = Callable[[Event, int], Awaitable[str]]  # handles and ends the event; answers with the handler's name
MOST_IN_MEMORY = 10_000
READING_AT_ONCE = 64
HANDLING_AT_ONCE = 64
PATIENCE = 1.0  # seconds that an unread payload may hold up those who came after it

_KEEP_BODY = (
    update(InboxEvent)
    .where(col(InboxEvent.id) == bindparam("row"))
    .values(body=bindparam("kept"))
    .execution_options(synchronize_session=False)
)
_END = (
    update(InboxEvent)
    .where(col(InboxEvent.id) == bindparam("row"))
    .values(state=bindparam("to"), handler=bindparam("by"))
    .execution_options(synchronize_session=False)
)


def end_event(session: Session, row: int, handler: str, state: str = EventState.DONE) -> None:
    """Mark an event as acted on; goes into the transaction of what was done about it."""
    session.connection().execute(_END, {"row": row, "to": state, "by": handler})


@dataclass(slots=True)
class _Arrival:
    raw: RawEvent
    row: int
    event: Event | None = None
    ready: bool = False
    late: bool = False  # it held the others up too long and goes by itself once it is read


class Inbox:
    """The events of one account."""

    def __init__(self, account: str, store: Store, resolve: Resolve, handle: Handle) -> None:
        self.account = account
        self._store = store
        self._resolve = resolve
        self._handle = handle
        self._rows = Gather[RawEvent](store, self._store_rows)
        self._bodies = Gather[dict[str, Any]](store, lambda s, rows: s.connection().execute(_KEEP_BODY, rows))
        self._room = asyncio.Semaphore(MOST_IN_MEMORY)
        self._in_memory = 0
        self._arrivals: deque[_Arrival] = deque()
        self._held_up_since: float | None = None
        self._to_read: asyncio.Queue[_Arrival] = asyncio.Queue()
        self._lines: dict[str, deque[_Arrival]] = {}
        self._handling = asyncio.Semaphore(HANDLING_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._working: set[asyncio.Task[None]] = set()
        self._stopping = False

    # ---- life ----

    async def start(self) -> None:
        """Take up what an earlier process stored and did not finish."""
        for _ in range(READING_AT_ONCE):
            self._hold(self._read_forever(), self._tasks)
        self._hold(self._lose_patience(), self._tasks)
        for row in await self._store.read(self._load_open):
            raw = RawEvent(self.account, row.event_id, row.kind, json.loads(row.data), codec.utc(row.received_at))
            await self._enter()
            self._arrive(_Arrival(raw, row.id or 0, codec.decode(row.body) if row.body else None, bool(row.body)))

    async def stop(self, grace: float) -> None:
        """Stop taking work up; what is being handled may finish for `grace` seconds."""
        self._stopping = True
        if self._working:
            await asyncio.wait(self._working, timeout=grace)
        for task in self._tasks | self._working:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._working, return_exceptions=True)

    def _hold(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)

    def __len__(self) -> int:
        return self._in_memory

    # ---- taking ----

    async def take(self, raw: RawEvent) -> None:
        """Store an event; waits only when too much is in memory. A repeat does nothing."""
        await self._enter()
        self._rows.put(raw)

    async def _enter(self) -> None:
        await self._room.acquire()
        self._in_memory += 1

    def _leave(self) -> None:
        self._room.release()
        self._in_memory -= 1

    def _store_rows(self, session: Session, raws: list[RawEvent]) -> None:
        make = sqlite.insert if self._store.is_sqlite else postgresql.insert
        insert = make(InboxEvent).on_conflict_do_nothing().returning(col(InboxEvent.id), col(InboxEvent.event_id))
        rows = [
            {
                "account": raw.account,
                "event_id": raw.id,
                "kind": raw.kind,
                "data": json.dumps(raw.data, ensure_ascii=False),
                "state": EventState.NEW,
                "handler": "",
                "received_at": raw.at.timestamp(),
            }
            for raw in raws
        ]
        new = {event_id: int(row or 0) for row, event_id in session.connection().execute(insert, rows)}
        after_commit(session, lambda: self._stored(raws, new))

    def _stored(self, raws: list[RawEvent], new: dict[str, int]) -> None:
        for raw in raws:
            row = new.pop(raw.id, None)
            if row is None:
                log.info("event %s %s repeated", raw.id, raw.kind)
                self._leave()
            else:
                self._arrive(_Arrival(raw, row))

    def _load_open(self, session: Session) -> list[InboxEvent]:
        mine = select(InboxEvent).where(InboxEvent.account == self.account, InboxEvent.state == EventState.NEW)
        return list(session.exec(mine.order_by(col(InboxEvent.id))).all())

    # ---- reading payloads ----

    def _arrive(self, arrival: _Arrival) -> None:
        self._arrivals.append(arrival)
        if arrival.ready:
            self._line_up()
        else:
            self._to_read.put_nowait(arrival)

    async def _read_forever(self) -> None:
        while True:
            arrival = await self._to_read.get()
            try:
                arrival.event = await self._read(arrival.raw)
            except Exception as error:  # noqa: BLE001 - one event's trouble is not the others'
                log.warning("event %s %s: its payload cannot be read: %s", arrival.raw.id, arrival.raw.kind, error)
                await self._give_up(arrival, "unreadable", EventState.FAILED)
            else:
                if arrival.event is None:
                    await self._give_up(arrival, "ignored", EventState.DONE)
                else:
                    self._bodies.put({"row": arrival.row, "kept": codec.encode(arrival.event)})
            arrival.ready = True
            if arrival.late:
                self._hand_over(arrival)
            else:
                self._line_up()

    async def _read(self, raw: RawEvent) -> Event | None:
        wait = 0.2
        while True:
            try:
                return await self._resolve(raw)
            except (WeChatOffline, WeChatUnknown):  # the gateway is away: the event waits for it
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5.0)

    async def _give_up(self, arrival: _Arrival, why: str, state: str) -> None:
        await self._store.write(lambda session: end_event(session, arrival.row, why, state))

    def _line_up(self) -> None:
        """Hand what is read to its conversation, in the order of arrival. One payload that cannot be had holds the
        others up for PATIENCE only: nobody knows yet whose line it belongs to."""
        while self._arrivals:
            first = self._arrivals[0]
            if not first.ready and not self._too_long():
                return
            first.late = not first.ready
            self._held_up_since = None
            self._arrivals.popleft()
            if first.ready:
                self._hand_over(first)

    def _too_long(self) -> bool:
        now = time.monotonic()
        if self._held_up_since is None:
            self._held_up_since = now
        return now - self._held_up_since > PATIENCE

    async def _lose_patience(self) -> None:
        while True:
            await asyncio.sleep(PATIENCE / 4)
            if self._held_up_since is not None and any(arrival.ready for arrival in self._arrivals):
                self._line_up()

    # ---- handling ----

    def _hand_over(self, arrival: _Arrival) -> None:
        if arrival.event is None:
            self._leave()
            return
        key = arrival.event.conversation
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = deque((arrival,))
            self._hold(self._work_off(key), self._working)
        else:
            line.append(arrival)

    async def _work_off(self, key: str) -> None:
        line = self._lines[key]
        while line and not self._stopping:
            async with self._handling:
                await self._handle_one(line[0])
            line.popleft()
            self._leave()
        if not line:
            del self._lines[key]

    async def _handle_one(self, arrival: _Arrival) -> None:
        event = arrival.event
        assert event is not None
        began = time.perf_counter()
        try:
            handler = await self._handle(event, arrival.row)
            result = "ok"
        except Exception:
            log.exception("event %s %s failed", event.id, type(event).__name__)
            handler, result = "?", "failed"
            await self._store.write(lambda session: end_event(session, arrival.row, "failed", EventState.FAILED))
        spent = (time.perf_counter() - began) * 1000
        log.info("event %s %s %s %s %.1f ms", event.id, type(event).__name__, handler, result, spent)
