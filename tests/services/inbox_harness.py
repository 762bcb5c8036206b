"""An inbox on a real database; the test controls gateway and handlers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from models.db import Store
from models.durable import InboxEvent
from services.work.inbox import Inbox
from services.work.inbox_table import end_event
from tests.services.harnesses import started
from tests.waiting import SECONDS, until
from wechat.events import Event, PrivateMessage, RawEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class InboxHarness:
    """A simulated gateway and handler with configurable delays and failures. Event ids are PERSON-NUMBER."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.handled: list[str] = []
        self.rows_seen: list[str] = []
        self.read: list[str] = []
        self.slow_message: dict[str, asyncio.Event] = {}  # messages that cannot be read yet
        self.slow_contact: dict[str, asyncio.Event] = {}  # people who cannot be read yet
        self.slow_handler: dict[str, asyncio.Event] = {}
        self.fails: dict[str, list[Exception]] = {}
        self.handler_fails: dict[str, list[Exception]] = {}
        self.parked: list[str] = []
        self.acknowledged: list[str] = []
        self.inbox = Inbox(
            "a",
            store,
            self.resolve,
            self.handle,
            lambda _session, raw: self.parked.append(raw.id),
            self.acknowledged.append,
        )

    async def resolve(self, raw: RawEvent, placed: Callable[[str], None]) -> Event | None:
        person = raw.id.partition("-")[0]
        self.read.append(raw.id)
        if raw.id in self.slow_message:
            await self.slow_message[raw.id].wait()
        if self.fails.get(raw.id):
            raise self.fails[raw.id].pop(0)
        if person == "echo":
            return None
        placed(person)
        if person in self.slow_contact:
            await self.slow_contact[person].wait()
        return PrivateMessage("a", raw.id, NOW, person, "name", raw.data["text"])

    async def handle(self, event: Event, row: int) -> str:
        stored = await self.store.read(lambda s: s.get(InboxEvent, row))
        self.rows_seen.append(stored.event_id if stored else "")
        if event.id in self.slow_handler:
            await self.slow_handler[event.id].wait()
        if self.handler_fails.get(event.id):
            raise self.handler_fails[event.id].pop(0)
        self.handled.append(event.id)
        await self.store.write(lambda s: end_event(s, "a", row, "test"))
        return "test"

    async def start(self) -> None:
        await self.inbox.start()

    async def stop(self) -> None:
        await self.inbox.stop(0)

    async def say(self, *ids: str) -> None:
        for id in ids:
            await self.inbox.take(RawEvent("a", id, "message", {"text": f"words of {id}"}, NOW))

    def by(self, person: str) -> list[str]:
        return [id for id in self.handled if id.startswith(f"{person}-")]

    async def states(self) -> dict[str, str]:
        rows = await self.store.read(lambda s: s.exec(select(InboxEvent)).all())
        return {row.event_id: f"{row.state} {row.handler}".strip() for row in rows}


StartHarness = Callable[[Store], Awaitable[InboxHarness]]


@pytest.fixture
async def start_harness() -> AsyncIterator[StartHarness]:
    async with started(InboxHarness) as start:
        yield start


@pytest.fixture
async def harness(sqlite_store: Store, start_harness: StartHarness) -> InboxHarness:
    return await start_harness(sqlite_store)


async def wait_idle(harness: InboxHarness) -> None:
    await until(lambda: len(harness.inbox) == 0, "nothing in memory")


async def wait_until_stored(harness: InboxHarness) -> None:
    """Wait until received events and read payloads are stored."""
    await harness.inbox._rows.drain()
    await harness.inbox._progress.drain(SECONDS)
