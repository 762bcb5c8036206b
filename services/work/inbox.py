"""The inbox: every event is stored before it is handled, and handled in order per conversation.

received → row (writes are batched) → payload read (limited concurrency) → queue of its conversation, in the order of
arrival → handler → one transaction with its changes, the jobs it queues, and the end of the event.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import stamina
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from models.db import Store, after_commit, is_away
from models.durable import EventState, InboxEvent
from models.fence import WriteRefused
from services.work import event_codec, relay_position
from services.work.arrival_sequencer import Arrival, ArrivalSequencer
from services.work.conversation_workers import ConversationWorkers, Handle
from services.work.inbox_progress import MAX_RETRY_WAIT, InboxProgress
from services.work.inbox_table import InboxRows, end_event
from services.work.payload_reader import PayloadReader, Resolve
from services.work.repeated_ids import PENDING, RepeatedIds, received, store_pending
from services.work.task_set import TaskSet
from services.work.write_batcher import WriteBatcher
from wechat.events import Event, RawEvent

log = logging.getLogger(__name__)

Acknowledge = Callable[[str], None]  # called with the position up to which a relay's events are stored
OnParked = Callable[[Session, RawEvent], None]  # notifies the admins, in the transaction that parks the event
MAX_IN_MEMORY: Final = 10_000
MAX_CRASHES: Final = 2  # crashes of the process while retrying an event, before the event is parked


class Inbox:
    """The inbox of an account."""

    def __init__(
        self,
        account: str,
        store: Store,
        resolve: Resolve,
        handle: Handle,
        on_parked: OnParked,
        acknowledge: Acknowledge,
    ) -> None:
        self.account = account
        self._store = store
        self._parked = on_parked
        self._acknowledge = acknowledge
        self._in_memory = 0
        self._has_space = asyncio.Event()
        self._table = InboxRows(account)
        self._rows = WriteBatcher[RawEvent](store, self._store_rows, lambda _raw: self._leave())
        self._progress = InboxProgress(account, store, self._table)
        self._workers = ConversationWorkers(handle, self._progress, self._leave)
        self._sequencer = ArrivalSequencer(self._workers.push)
        self._reader = PayloadReader(account, resolve, self._sequencer, self._progress)
        self._repeats = RepeatedIds(store, lambda raw: self._reader.resolve(raw, lambda _: None))
        self._tasks = TaskSet()

    # ---- start and stop ----

    async def start(self, events: Sequence[InboxEvent] | None = None) -> None:
        """Resume the stored events that are not finished, which are read unless they are given."""
        self._reader.start()
        if events is None:
            events = await self._store.write(self._table.open_rows)
        for row in events:
            raw = RawEvent(self.account, row.event_id, row.kind, json.loads(row.data), event_codec.utc(row.received_at))
            if row.tries >= MAX_CRASHES:
                await self._store.write(partial(self._park, raw=raw, row=row.id or 0))
                continue
            self._count(1)
            if row.kind.startswith(PENDING):
                self._tasks.start(self._compare_repeated(received(raw), row.id or 0))
                continue
            arrival = Arrival(raw, row.id or 0, retried=True)
            self._add(arrival, event_codec.decode(row.body) if row.body else None)

    def _park(self, session: Session, raw: RawEvent, row: int) -> None:
        """Park an event: the process died twice while handling it."""
        end_event(session, self.account, row, "parked", EventState.PARKED)
        self._parked(session, raw)
        log.error("%s: event %s is parked: the process died twice while handling it", self.account, raw.id)

    async def stop(self, grace: float) -> None:
        """Stop starting handlers; give running ones `grace` seconds to finish. Received events are stored."""
        self._workers.begin_stop()
        await self._rows.drain(grace)
        self._rows.abandon()  # stored later, they would not be handled: the account's next inbox may have started
        await self._workers.stop(grace)
        self._sequencer.stop()
        await asyncio.gather(self._reader.stop(), self._tasks.cancel(), self._workers.cancel())
        await self._progress.drain(grace)
        if self._in_memory:
            # Without a database no event is being handled; those of a lost account are another process's.
            with suppress(DBAPIError, TimeoutError, WriteRefused):
                async with asyncio.timeout(max(grace, 0.5)):
                    await self._store.write(self._table.forget_tries)
        self._count(-self._in_memory)

    def __len__(self) -> int:
        return self._in_memory

    def wake(self) -> None:
        """Retry waiting reads immediately, since the gateway is connected again."""
        self._reader.wake()

    # ---- receiving ----

    async def take(self, raw: RawEvent) -> None:
        """Store an event and handle it. Waits only while too many events are in memory. Repeated events are ignored."""
        await self._wait_for_space()
        self._count(1)
        self._rows.put(raw)

    async def take_all(self, raws: Sequence[RawEvent], extra_write: Callable[[Session], None]) -> None:
        """Store events and run `extra_write` in one transaction. If that raises, nothing is stored."""
        await self._wait_for_space()
        self._count(len(raws))

        def store(session: Session) -> None:
            extra_write(session)
            if raws:
                self._store_rows(session, list(raws))

        try:
            await self._store.write(store)
        except Exception:
            self._count(-len(raws))
            raise

    async def _wait_for_space(self) -> None:
        while self._in_memory >= MAX_IN_MEMORY:
            self._has_space.clear()
            await self._has_space.wait()

    def _count(self, change: int) -> None:
        self._in_memory += change
        self._store.commit_delay.count(change)

    def _leave(self) -> None:
        self._count(-1 if self._in_memory else 0)  # 0: after `stop`
        self._has_space.set()

    def _store_rows(self, session: Session, raws: list[RawEvent]) -> None:
        new = self._table.insert(session, raws)
        stored, repeated = [], []
        for raw in raws:
            row = new.pop(raw.id, None)
            if row is None:
                repeated.append(raw)
            else:
                stored.append(Arrival(raw, row))
        compared = store_pending(session, self._table, repeated)
        position = next((raw.position for raw in reversed(raws) if raw.position), "")
        if position:
            relay_position.store(session, self.account, position)
            after_commit(session, lambda: self._acknowledge(position))
        after_commit(session, lambda: self._stored(stored, compared))

    def _stored(self, new: list[Arrival], repeated: list[tuple[RawEvent, int]]) -> None:
        for arrival in new:
            self._add(arrival)
        for raw, row in repeated:
            self._tasks.start(self._compare_repeated(raw, row))

    async def _compare_repeated(self, raw: RawEvent, row: int) -> None:
        """Handle an event whose id was received before if its content is new. `row`: where it is kept meanwhile."""
        started, renamed = time.perf_counter(), None
        try:
            async for attempt in stamina.retry_context(
                on=is_away, attempts=None, timeout=None, wait_max=MAX_RETRY_WAIT
            ):
                with attempt:
                    async with self._reader.slots:
                        renamed = await self._repeats.renamed_if_new(raw)
        finally:
            self._leave()
        self._progress.log(raw.id, raw.kind, "-", "repeated" if renamed is None else "an id used again", started)
        if row:
            await self._end_comparison(row, renamed)

    async def _end_comparison(self, row: int, renamed: RawEvent | None) -> None:
        with suppress(WriteRefused):  # it is left to the process that serves the account now
            async for attempt in stamina.retry_context(
                on=is_away, attempts=None, timeout=None, wait_max=MAX_RETRY_WAIT
            ):
                with attempt:
                    await self.take_all([renamed] if renamed else [], lambda session: self._table.remove(session, row))

    def _add(self, arrival: Arrival, event: Event | None = None) -> None:
        self._sequencer.add(arrival)
        if event is None:
            self._reader.push(arrival)
        else:
            self._sequencer.place(arrival, event.conversation)
            arrival.settle(event)
