"""The journal of a gateway: numbered events on disk until the client has received them, with stored responses.

SQLite in WAL mode with synchronous=FULL, written by one thread that commits all waiting writes together. Compared to an
append-only file with shared fsync (python -m benchmarks.relay_journal): 165 µs of CPU against 70 for a single event, 24
against 10 for ten at a time, on a thread of its own. In exchange, SQLite provides recovery after a torn write, deletion
in the middle, lookup of stored responses, and rollback of the batch on a full disk.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

from relay.journal_clock import JournalClock
from relay.journal_tables import TABLES, Fact, connect, set_fact, time_to_count_from
from relay.pruning import Pruning
from relay.reserve import Reserve, is_full
from relay.response_index import ResponseIndex

log = logging.getLogger(__name__)

MAX_PER_COMMIT: Final = 512
ACKNOWLEDGE_DELAY: Final = 0.2  # seconds
# Seconds between two commits. The first event after a pause is committed at once; under load, several events share a
# commit, which costs as much CPU as the rest of an event's way.
COMMIT_PAUSE: Final = 0.005
# Seconds that responses are kept once the client has the event: it stores the event first and asks for its content
# afterwards, when the gateway may have been restarted and know nothing of it.
RESPONSE_SECONDS: Final = 600.0
Write = Callable[[sqlite3.Connection], object]
Settle = Callable[["JournalError | None"], None]
Row = tuple[int, float, bytes]  # number, time of arrival (by the journal's clock), EventResponse


class JournalError(Exception):
    """A write failed, perhaps for want of disk space."""

    is_full = False


class Journal:
    """A journal file. Opened and closed on the event loop, written by its own thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserve = Reserve(path.with_suffix(".reserve"))
        self._jobs: queue.SimpleQueue[tuple[Write, Settle] | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(1, "journal-read")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._reading: sqlite3.Connection | None = None
        self._acknowledging: asyncio.TimerHandle | None = None
        self.id = ""
        self.last = 0  # the highest number assigned
        self.stored = 0  # the highest number stored
        self.acknowledged = 0  # the client has received the events up to this number
        self.epoch = 0
        self.tls_seen = ""  # the endpoint at which the gateway has spoken TLS
        self.held = ""  # the endpoint whose event stream this relay has held, if the gateway has not ended it
        self.responses = ResponseIndex()
        self.clock = JournalClock()
        self.is_failing = False  # the last write failed
        self.has_begun_to_fail = asyncio.Event()
        self._earlier_acknowledged: deque[tuple[float, int]] = deque()  # (monotonic time, number)

    @property
    def unread(self) -> int:
        """Approximate number of events that the client has not received."""
        return max(0, self.stored - self.acknowledged)

    async def open(self) -> None:
        """Open the file; raise JournalError."""
        self._loop = asyncio.get_running_loop()
        try:
            connection = await self._loop.run_in_executor(self._readers, self._open_with_room)
        except (OSError, sqlite3.Error) as error:
            self._readers.shutdown()
            raise JournalError(f"{self._path}: {error}") from None
        write = partial(self._write_forever, connection)
        self._thread = threading.Thread(target=write, name="journal-write", daemon=True)
        self._thread.start()

    def _open_with_room(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.Error as error:
            if not (is_full(error) and self._reserve.release()):
                raise
            return self._open()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._reading = connect(self._path)
        connection.executescript(TABLES)
        connection.execute("insert or ignore into fact values ('id', ?)", (secrets.token_hex(8),))
        facts = dict(connection.execute("select key, value from fact"))
        self.id = facts["id"]
        self.acknowledged, self.epoch = int(facts.get(Fact.ACKNOWLEDGED, 0)), int(facts.get(Fact.EPOCH, 0))
        self.tls_seen, self.held = facts.get(Fact.TLS_SEEN, ""), facts.get(Fact.HELD, "")
        self._earlier_acknowledged.append((time.monotonic(), self.acknowledged))
        self.clock.start(time_to_count_from(connection, facts.get(Fact.CLOCK)))
        (newest,) = connection.execute("select coalesce(max(number), 0) from event").fetchone()
        self.last = self.stored = max(newest, self.acknowledged, int(facts.get(Fact.LAST, 0)))
        for path, request in connection.execute("select path, request from reply"):
            self.responses.add(path, request)
        return connect(self._path)

    async def close(self) -> None:
        """Write what is pending."""
        if self._acknowledging is not None:
            self._acknowledging.cancel()
            self._write_acknowledged()
        if self._thread is not None:
            self.remember(Fact.CLOCK, self.clock.now)
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        self._readers.shutdown()
        if self._reading is not None:
            self._reading.close()

    # ---- writing ----

    def append(self, bodies: Sequence[bytes], written: Callable[[int, JournalError | None], None]) -> None:
        """Assign the next numbers to events.

        `written` is called with the first number once all are stored, or with the error if none is.
        """
        first, now = self.last + 1, self.clock.now
        self.last += len(bodies)
        rows = [(number, now, body) for number, body in enumerate(bodies, first)]
        self._jobs.put((lambda c: c.executemany("insert into event values (?, ?, ?)", rows), partial(written, first)))

    async def store_response(self, path: str, request: bytes, number: int, messages: bytes) -> None:
        """Store the response of a call, as long as event `number` is stored."""
        row = (path, request, number, messages)
        await self._write(lambda c: c.execute("insert or replace into reply values (?, ?, ?, ?)", row))
        self.responses.add(path, request)

    def acknowledge(self, number: int) -> None:
        """Record that the client has everything up to this number.

        Written with a delay; after a kill before that, events are sent again.
        """
        if number <= self.acknowledged:
            return
        self.acknowledged = min(number, self.last)
        if self._acknowledging is None:
            assert self._loop is not None
            self._acknowledging = self._loop.call_later(ACKNOWLEDGE_DELAY, self._write_acknowledged)

    def _write_acknowledged(self) -> None:
        self._acknowledging = None
        self.remember(Fact.ACKNOWLEDGED, self.acknowledged)

    def remember(self, fact: Fact, value: float | str) -> asyncio.Future[None]:
        """Write a fact; the future is done once it is on disk (JournalError, which may go unread)."""
        future = self._write(lambda connection: set_fact(connection, fact, value))
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    async def prune(self, before: float) -> None:
        """Delete the events that the client has, RESPONSE_SECONDS later their responses, and all older than `before`.

        `before` is a time of the journal's clock.
        """
        stored, pruning = self.stored, Pruning(self.acknowledged, self._settled(), before)

        def run(connection: sqlite3.Connection) -> None:
            set_fact(connection, Fact.ACKNOWLEDGED, pruning.acknowledged)
            set_fact(connection, Fact.CLOCK, self.clock.now)
            set_fact(connection, Fact.LAST, stored)  # no number is given twice, also when all events are deleted
            pruning.delete_piece(connection)

        while not pruning.is_done:
            try:
                await self._write(run)
            except JournalError as error:
                if not (error.is_full and pruning.has_deleted and self._reserve.release()):
                    raise
                log.warning("%s: the disk is full; events are deleted with the space set aside for this", self._path)
                await self._write(run)
            self.responses.remove(pruning.deleted)
        await asyncio.get_running_loop().run_in_executor(self._readers, self._reserve.hold)

    def _settled(self) -> int:
        """Return the number up to which the client has had the events for RESPONSE_SECONDS."""
        now = time.monotonic()
        self._earlier_acknowledged.append((now, self.acknowledged))
        while len(self._earlier_acknowledged) > 1 and self._earlier_acknowledged[1][0] <= now - RESPONSE_SECONDS:
            self._earlier_acknowledged.popleft()
        since, acknowledged = self._earlier_acknowledged[0]
        return acknowledged if since <= now - RESPONSE_SECONDS else 0

    def _write(self, write: Write) -> asyncio.Future[None]:
        assert self._loop is not None
        future: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((write, partial(_resolve, future)))
        return future

    def _write_forever(self, connection: sqlite3.Connection) -> None:
        is_running = True
        while is_running:
            batch: list[tuple[Write, Settle]] = []
            while len(batch) < MAX_PER_COMMIT:
                try:
                    job = self._jobs.get(block=not batch)
                except queue.Empty:
                    break
                if job is None:
                    is_running = False
                    break
                batch.append(job)
            if batch:
                self._settle_soon(batch, self._commit(connection, batch))
                time.sleep(COMMIT_PAUSE)
        connection.close()

    def _commit(self, connection: sqlite3.Connection, batch: list[tuple[Write, Settle]]) -> JournalError | None:
        try:
            connection.execute("begin immediate")
            for write, _ in batch:
                write(connection)
            connection.execute("commit")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("rollback")
            error_ = JournalError(f"{self._path}: {error}")
            error_.is_full = is_full(error)
            return error_
        return None

    def _settle_soon(self, batch: list[tuple[Write, Settle]], error: JournalError | None) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle, [settle for _, settle in batch], error)

    def _settle(self, batch: list[Settle], error: JournalError | None) -> None:
        if (error is not None) != self.is_failing:
            self.is_failing = error is not None
            if error is not None:
                log.error("%s; live events are forwarded but not stored", error)
                self.has_begun_to_fail.set()
            else:
                log.warning("%s: events are written to disk again", self._path)
        for settle in batch:
            settle(error)

    # ---- reading ----

    async def read(self, after: int, limit: int) -> list[Row]:
        """Return the events after a number, in order."""
        query = "select number, at, body from event where number > ? order by number limit ?"
        return await self._read(query, (after, limit))

    async def response(self, path: str, request: bytes, since: int = 0) -> bytes | None:
        """Return a stored response, if it was stored for event `since` or a later one."""
        query = "select messages from reply where path = ? and request = ? and number >= ?"
        rows = await self._read(query, (path, request, since))
        return bytes(rows[0][0]) if rows else None

    async def _read(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        def run() -> list[Any]:
            assert self._reading is not None
            return self._reading.execute(query, values).fetchall()

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)


def _resolve(future: asyncio.Future[None], error: JournalError | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
