"""An outbox on a real database; the test controls its deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from services.work.job import Cancelled, GiveUp, Job, Result, Retry
from services.work.outbox import Outbox
from tests.services.clock import Clock
from tests.services.harnesses import started
from tests.waiting import until

QUEUE = "wx:a"


class OutboxHarness:
    """An outbox with configurable deliveries; a body is {"n": NAME}."""

    def __init__(self, store: Store, clock: Clock, concurrency: int = 16) -> None:
        self.store = store
        self.done: list[str] = []
        self.began: list[str] = []
        self.answers: dict[str, list[Any]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.open = True
        self.failed: list[str] = []
        self.outbox = Outbox(store, clock)
        self.outbox.serve("wx", self.deliver, concurrency=concurrency, is_open=lambda _name: self.open)
        self.outbox.results.on_failed(lambda _session, work, gone: self.failed.append(f"{work.body['n']}: {gone.why}"))

    async def deliver(self, work: Job) -> Result:
        name = work.body["n"]
        self.began.append(name)
        if work.priority == Priority.BROADCAST and not await self.outbox.mark_sending(work):
            return Cancelled()
        if name in self.gates:
            await self.gates[name].wait()
        if self.answers.get(name):
            answer: str | Retry | GiveUp | Exception = self.answers[name].pop(0)
            if isinstance(answer, Exception):
                raise answer
            if not isinstance(answer, str):
                return answer
        self.done.append(name)
        return f"id of {name}"

    def add(self, session: Session, name: str, key: str = "k", **how: Any) -> Job:
        return self.outbox.add(session, QUEUE, key, {"n": name}, **how)

    async def add_jobs(self, *names: str, key: str = "k", **how: Any) -> None:
        for name in names:
            await self.store.write(partial(self.add, name=name, key=key, **how))

    async def start(self) -> None:
        await self.outbox.load()
        await self.outbox.start()

    async def stop(self) -> None:
        await self.outbox.stop(0)

    async def rows(self) -> dict[str, str]:
        items = await self.store.read(lambda s: s.exec(select(OutboxItem)).all())
        return {item.body.split('"')[3]: item.state for item in items}

    async def ended(self, count: int) -> None:
        await until(lambda: len(self.done) == count, f"{count} done, not {self.done}")


StartHarness = Callable[..., Awaitable[OutboxHarness]]


@pytest.fixture
async def start_harness(clock: Clock) -> AsyncIterator[StartHarness]:
    async with started(lambda store, **options: OutboxHarness(store, clock, **options)) as start:
        yield start


@pytest.fixture
async def harness(sqlite_store: Store, start_harness: StartHarness) -> OutboxHarness:
    return await start_harness(sqlite_store)


async def run_clock(clock: Clock) -> None:
    """Let the clock of the test follow the real time until cancelled."""
    while True:
        await asyncio.sleep(0.01)
        clock.now += 0.01
