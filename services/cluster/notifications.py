"""Notifications between processes: NOTIFY announces that something has changed, version numbers in the database
identify what.

Because a NOTIFY may be lost, the numbers are also polled every second.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from sqlalchemy.exc import SQLAlchemyError

from models.db import parse, with_keepalives
from services.changes import ChangeFeed, ChangeKind
from services.cluster.leases import CHANNEL
from services.cluster.parts import ClusterParts

log = logging.getLogger(__name__)
PAUSE: Final = 0.05  # seconds between two NOTIFYs of this process: PostgreSQL serialises the commits that notify
POLL_INTERVAL: Final = 1.0
MAX_CHANGES: Final = 40  # in one NOTIFY, which holds 8000 bytes
RETRY_SECONDS: Final = 2.0  # seconds until the connection is opened again

_KINDS: Final = frozenset(ChangeKind)

Reload = Callable[[str], Awaitable[None]]  # reads a kind again


class ClusterNotifications:
    """Sends and receives notifications. `changed` is awaited for each kind with a new version."""

    def __init__(self, url: str, parts: ClusterParts, feed: ChangeFeed, changed: Reload) -> None:
        self._url = parse(url)
        self._leases = parts.leases
        self._member = parts.member
        self._pending = parts.pending_notifications
        self._feed = feed
        self._changed = changed
        self._versions: dict[str, int] = {}
        self._poll_now = asyncio.Event()

    async def begin(self) -> None:
        """Record the versions, before the data is loaded."""
        self._versions = await self._member.call(self._leases.versions)

    # ---- sending ----

    async def publish_forever(self) -> None:
        """Send pending notifications, at most one NOTIFY per PAUSE."""
        while True:
            payload = await self._pending.next_payload(MAX_CHANGES)
            try:
                await self._member.call(self._leases.notify, payload)
                self._pending.sent += 1
            except SQLAlchemyError as error:  # the version numbers are polled anyway
                log.warning("could not notify the other processes: %s", type(error).__name__)
            await asyncio.sleep(PAUSE)

    # ---- receiving ----

    async def listen_forever(self) -> None:
        """Handle notifications of other processes."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                log.warning("could not listen for notifications: %s", type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        url = self._url.set(drivername="postgresql")
        address = url.render_as_string(hide_password=False)
        async with await AsyncConnection.connect(address, autocommit=True, **with_keepalives(url)) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._poll_now.set()
            async for notice in connection.notifies():
                self._received(notice.payload)

    def _received(self, payload: str) -> None:
        try:
            notification: Any = json.loads(payload)
        except (ValueError, RecursionError):
            return
        installation = self._leases.installation
        if (
            not isinstance(notification, dict) or notification.get("of", installation) != installation
        ):  # anybody in the database may notify the channel
            return
        self._poll_now.set()
        if notification.get("free"):
            self._member.wake()
        if notification.get("from") != self._member.id:
            for kind, facts in _changes_in(notification):
                self._feed.receive(kind, facts)

    async def poll_forever(self) -> None:
        """Poll the versions, on a notification and every second."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL):
                    await self._poll_now.wait()
            self._poll_now.clear()
            try:
                await self._poll()
            except SQLAlchemyError as error:
                log.warning("could not read the changes of other processes: %s", type(error).__name__)

    async def _poll(self) -> None:
        versions = await self._member.call(self._leases.versions)
        for kind, version in versions.items():
            if self._versions.get(kind) != version:
                await self._changed(kind)
                self._versions[kind] = version


def _changes_in(news: dict[str, Any]) -> Iterator[tuple[ChangeKind, dict[str, Any]]]:
    """Yield the changes of a notification. A newer process may send kinds that are unknown here."""
    changes = news.get("changes")
    for change in changes if isinstance(changes, list) else ():
        match change:
            case [str(kind), dict(facts)] if kind in _KINDS:
                yield ChangeKind(kind), facts
