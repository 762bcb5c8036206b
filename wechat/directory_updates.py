"""Keeps the directory of an account up to date: reads it after a login, and what has changed while it is online."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from errors import WeChatError, WeChatOffline
from wechat.connection import Timing
from wechat.interface import State

if TYPE_CHECKING:
    from wechat.assistant import Assistant

log = logging.getLogger(__name__)

REREAD_PAUSE = 5.0  # seconds until failed reads are retried; doubled each time
MAX_REREAD_PAUSE = 600.0
REPORT_RETRY_SECONDS = 60.0  # seconds until a failed notification of the listener is repeated
STALE_LISTS = ("lists", "")  # entry of `_stale`: the lists must be read again
UNREPORTED_CHANGES = ("news", "")  # entry of `_stale`: `DirectorySync.unreported` must be reported


class DirectoryUpdates:
    """The reads of an account's directory while it is logged in."""

    def __init__(self, assistant: Assistant, timing: Timing) -> None:
        self._assistant = assistant
        self._timing = timing
        self._directory = assistant.directory
        self._first_read: asyncio.Task[None] | None = None
        self._lost_at: datetime | None = None
        # What must be read again: (room | late-room | contact | lists, id), or reported to the listener: (news, "").
        self._stale: dict[tuple[str, str], None] = {}
        self._is_stale = asyncio.Event()
        self._online = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether the directory is being read, or was read, since the last login."""
        return self._first_read is not None

    def begin(self) -> None:
        """Start reading the directory after a login."""
        self._first_read = asyncio.create_task(self._prepare())

    def end(self) -> None:
        """Stop reading, after a logout or the loss of the connection."""
        if self._online.is_set() or self._assistant.state is State.SYNCING:
            self._lost_at = self._lost_at or datetime.now(UTC)
        self._online.clear()
        self._stale.clear()  # the next login reads everything again
        if self._first_read is not None:
            self._first_read.cancel()
            self._first_read = None

    def clear(self) -> None:
        """Remove the data of the account that was logged in before."""
        self._directory.clear()
        self._assistant._sync.unreported.clear()
        self._lost_at = None

    async def _prepare(self) -> None:
        """After a login, read new entries, become ONLINE, then read the others once all accounts are online."""
        assistant, since = self._assistant, self._lost_at
        rooms, contacts = list(self._directory.rooms), list(self._directory.contacts)
        await assistant.set_state(State.SYNCING)
        try:
            await self._read_with_retries()
            await assistant.set_state(State.ONLINE)
            self._online.set()
            await assistant.connecting.wait()
            await self._report(since)
            if rooms or contacts:
                await assistant._sync.read_again(rooms, contacts)
                await self._report(since)
            self._lost_at = None
            await self._retry_reading()
        except WeChatOffline:
            log.debug("%s: the sync ended with the connection", assistant.account)

    async def _retry_reading(self) -> None:
        """Retry reading the listed entries that failed, with growing waits."""
        pause = REREAD_PAUSE
        while self._assistant._sync.unread:
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_REREAD_PAUSE)
            try:
                await self._assistant._sync.read_new()
            except WeChatOffline:
                raise
            except WeChatError as error:
                log.warning("%s: could not read contacts and groups: %s", self._assistant.account, error)
                continue
            await self._report_changes()

    async def _read_with_retries(self) -> None:
        pause = 0.5
        while True:
            try:
                return await self._assistant._sync.read_new()
            except WeChatOffline:
                raise
            except WeChatError as error:
                log.warning("%s: could not read contacts and groups: %s", self._assistant.account, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._timing.backoff_most)

    async def _report(self, since: datetime | None = None) -> None:
        """Report the differences found to the listener; repeat later if that fails."""
        changes = frozenset(self._assistant._sync.unreported)
        if await self._assistant.report_synced(since, changes):
            self._assistant._sync.unreported -= changes
        else:
            asyncio.get_running_loop().call_later(REPORT_RETRY_SECONDS, self.read_again, *UNREPORTED_CHANGES)

    async def _report_changes(self) -> None:
        if self._assistant._sync.unreported:
            await self._report()

    def read_again(self, kind: str, id: str) -> None:
        """Mark an entry as stale: it is read as soon as the account is online."""
        self._stale[kind, id] = None
        self._is_stale.set()

    def found_friends(self, ids: Iterable[str]) -> None:
        """Report new friends for whom there was no event."""
        self._assistant._sync.unreported.update(ids)
        self.read_again(*UNREPORTED_CHANGES)

    async def refresh(self) -> None:
        """Read stale entries one after the other while the account is online."""
        while True:
            await self._online.wait()
            await self._is_stale.wait()
            await self._assistant.connecting.wait()
            if not self._stale:
                self._is_stale.clear()
                continue
            kind, id = next(iter(self._stale))
            del self._stale[kind, id]
            try:
                await self._read(kind, id)
            except WeChatOffline:
                log.debug("%s: changed data will be read after the next login", self._assistant.account)
            except WeChatError as error:
                log.warning("%s: could not read a %s again: %s", self._assistant.account, kind, error)

    async def recheck_absences(self) -> None:
        """Read rooms with unconfirmed absences again while the account is online, and report confirmed changes."""
        while True:
            await self._online.wait()
            try:
                await self._assistant._sync.recheck_rooms()
            except WeChatOffline:
                await asyncio.sleep(self._timing.backoff_first)
                continue
            self.read_again(*UNREPORTED_CHANGES)

    async def _read(self, kind: str, id: str) -> None:
        """Read a stale entry.

        After a dirty event the gateway has dropped its cache; asking it to do so would cause another dirty event. After
        a late join or leave it may not have.
        """
        if kind == "contact":
            await self._assistant._reader.read_contact(id)
        elif kind == "news":
            await self._report_changes()
        elif kind == "late-room":
            await self._assistant._reader.read_room(id, fresh=True)
        elif kind == "room":
            if id in self._directory.rooms:  # otherwise the account has left it
                await self._assistant._reader.read_room(id)
        else:
            await self._assistant._sync.read_new()
            await self._report_changes()
