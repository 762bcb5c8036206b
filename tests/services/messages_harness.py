"""Messages of one account over a database, and what was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlmodel import Session

from config.settings import PacingSettings
from models.db import Store
from models.durable import OutboxItem
from services.accounts.registry import Accounts
from services.messaging.messages import Messages
from services.work.job import Job
from services.work.outbox import Outbox
from tests.doubles import InMemoryWeChat
from tests.services.clock import Clock
from wechat.entities import Link, MiniProgram
from wechat.rate_limiter import RateLimiter

A, ROOM = "weimi1001", "r@chatroom"


class Sender(InMemoryWeChat):
    """Records every kind of message."""

    def __init__(self) -> None:
        super().__init__(A)
        self.did: list[tuple[Any, ...]] = []
        self.left: int | None = 2

    async def send_text(self, to: str, text: str, mentions: Any = (), **more: Any) -> str:
        self.did.append(("text", to, text, tuple(mentions), more))
        return await super().send_text(to, text, mentions)

    async def send_media(self, to: str, media: Any, **more: Any) -> str:
        self.did.append(("media", to, media.name, media.data, more))
        return await super().send_media(to, media)

    async def send_link(self, to: str, link: Link, **more: Any) -> str:
        self.did.append(("link", to, link, more))
        return await super().send_link(to, link)

    async def send_contact(self, to: str, contact_id: str, **more: Any) -> str:
        self.did.append(("contact", to, contact_id, more))
        return "c-1"

    async def send_mini_program(self, to: str, program: MiniProgram, **more: Any) -> str:
        self.did.append(("program", to, program, more))
        return "p-1"

    async def hand_over(self, contact_id: str) -> None:
        self.did.append(("hand over", contact_id))

    async def end_session(self, contact_id: str) -> None:
        self.did.append(("end session", contact_id))

    async def messages_left(self, to: str, key: str) -> int | None:
        self.did.append(("left", to, key))
        return self.left


class Desk:
    """Messages of one account over a database; the outbox does not deliver unless it is started."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.wechat = Sender()
        self.rate_limiter = RateLimiter(PacingSettings(), clock)
        self.accounts = Accounts({A: self.rate_limiter}, [], [])
        self.accounts.add(self.wechat.whole())
        self.outbox = Outbox(store, clock)
        self.recorded: list[tuple[str, str, dict[str, Any]]] = []
        self.messages = Messages(self.outbox, self.accounts, self._record)

    def _record(self, _session: Session, account: str, to: str, body: dict[str, Any]) -> None:
        self.recorded.append((account, to, body))

    async def say(self, to: str, body: Any, **how: Any) -> Job:
        return await self.store.write(lambda s: self.messages.queue(s, A, to, body, **how))

    async def rows(self) -> list[OutboxItem]:
        from sqlmodel import select

        return list(await self.store.read(lambda s: s.exec(select(OutboxItem)).all()))

    async def deliver(self, body: dict[str, Any], **values: Any) -> Any:
        return await self.messages._deliver(Job(7, f"wx:{A}", "x", body, **values))


@pytest.fixture
async def desk(sqlite_store: Store, clock: Clock) -> AsyncIterator[Desk]:
    desk = Desk(sqlite_store, clock)
    yield desk
    await desk.outbox.stop(0)
