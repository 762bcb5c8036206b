"""The services over a real database, with one in-memory account and a clock set by the test. Nothing is sent: queued
jobs stay in the outbox, where the test reads them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from sqlmodel import Session, col, select

from app.container import Container
from config import Config
from models.durable import OutboxItem
from models.groups import Membership, Qun
from services.groups.membership_rows import membership_of
from tests.databases import make_sqlite
from tests.doubles import InMemoryWeChat
from tests.services.clock import Clock

ACCOUNT = "weimi1001"
SONG, ZHI, XUAN, STAFF = "wxid_song", "wxid_zhi", "wxid_xuan", "wxid_staff"
PEOPLE = {SONG: "宋公明", ZHI: "智多星", XUAN: "黑旋风", STAFF: "店长"}
T = TypeVar("T")


class QueuedJob(NamedTuple):
    """A row of the outbox."""

    queue: str
    key: str
    body: dict[str, Any]
    run_at: float


@dataclass
class Parts:
    """The container with its account and clock."""

    container: Container
    wechat: InMemoryWeChat
    clock: Clock

    async def read(self, fn: Callable[[Session], T]) -> T:
        return await self.container.store.read(fn)

    async def write(self, fn: Callable[[Session], T]) -> T:
        return await self.container.store.write(fn)

    async def queued(self, queue: str = "wx") -> list[QueuedJob]:
        """The jobs of the queues with this prefix, in order."""
        items = await self.read(lambda s: s.exec(select(OutboxItem).order_by(col(OutboxItem.id))).all())
        return [
            QueuedJob(item.queue, item.key, json.loads(item.body), item.run_at)
            for item in items
            if item.queue.partition(":")[0] == queue
        ]

    async def queued_texts(self, to: str) -> list[str]:
        """The texts queued for a person or a group, in order."""
        return [job.body["text"] for job in await self.queued() if job.key == to and job.body["type"] == "text"]

    async def group(self, code: str = "1") -> Qun:
        """A group of 宋公明's, with 智多星."""
        qun, made = await self.container.group_lifecycle.create(code, "宋公明", ACCOUNT, "test")
        assert made
        return qun

    def room_id(self, qun: Qun) -> str:
        """The group's first room."""
        return self.container.groups.rooms(qun)[0].room_id or ""

    def members(self, qun: Qun) -> set[str]:
        """Who is in the group's first room."""
        members: set[str] = self.wechat.directory.rooms[self.room_id(qun)].member_ids
        return members

    async def membership(self, qun: Qun, who: str) -> Membership | None:
        """The row of a person."""
        return await self.read(lambda s: membership_of(s, qun.number, who))


OpenParts = Callable[..., Awaitable[Parts]]


@pytest.fixture
async def open_parts(tmp_path: Path, clock: Clock) -> AsyncIterator[OpenParts]:
    """Return a function that opens the services with a config; a second call is a restart on the same database."""
    opened: list[Container] = []
    if not (tmp_path / "wxbot.db").exists():
        make_sqlite(tmp_path / "wxbot.db")

    async def open_them(wechat: InMemoryWeChat | None = None, **config: Any) -> Parts:
        data: dict[str, Any] = {
            "database": f"sqlite:///{tmp_path}/wxbot.db",
            "pacing": {"enabled": False},
            "customer_service": {"faq": ""},
            **config,
        }
        container = Container(Config(**data), clock=clock)
        wechat = wechat or InMemoryWeChat(ACCOUNT)
        for contact_id, name in PEOPLE.items():
            wechat.knows(contact_id, name)
        container.accounts.add(wechat.whole())
        await container.store.open()
        opened.append(container)
        await container.groups.load()
        await container.tickets.load()
        await container.question_menus.load()
        await container.fallbacks.load()
        return Parts(container, wechat, clock)

    yield open_them
    for container in opened:
        await container.token_joins.stop()
        await container.daily_stats.drain()
        await container.store.close()


@pytest.fixture
async def parts(open_parts: OpenParts) -> Parts:
    """The services with the usual config."""
    return await open_parts()
