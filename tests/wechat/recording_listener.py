"""A listener that records its calls, and assistants that are stopped after the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from config.settings import AssistantSettings
from tests.waiting import SECONDS
from wechat.assistant import Assistant
from wechat.connection import Timing
from wechat.events import RawEvent
from wechat.interface import State

QUICK = Timing(
    first_event=2.0,
    login_grace=0.2,
    watch_every=0.5,
    watch_limit=2.0,
    backoff_first=0.05,
    backoff_most=0.4,
    refused_first=0.1,
    refused_max=0.4,
    read_back=0.6,
    reread_pause=0.0,
    confirm_interval=0.4,
)


@dataclass
class RecordingListener:
    """Records the calls of an account, and waits for them."""

    raws: list[RawEvent] = field(default_factory=list)
    states: list[tuple[State, str]] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    syncs: list[tuple[datetime | None, set[str]]] = field(default_factory=list)
    on_taken: Callable[[RawEvent], Any] | None = None
    on_synced: Callable[[], Any] | None = None
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def store_event(self, raw: RawEvent) -> None:
        if self.on_taken is not None:
            await self.on_taken(raw)
        self.raws.append(raw)
        await self._notify()

    async def state_changed(self, account: str, state: State, reason: str) -> None:
        self.states.append((state, reason))
        await self._notify()

    async def scanned(self, account: str, qr_code: str) -> None:
        self.codes.append(qr_code)
        await self._notify()

    async def synced(self, account: str, since: datetime | None, changed: Iterable[str]) -> None:
        if self.on_synced is not None:
            self.on_synced()
        self.syncs.append((since, set(changed)))
        await self._notify()

    async def _notify(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def until(self, is_done: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """Wait until a record makes `is_done` true; return its value."""

        async def wait() -> Any:
            async with self.news:
                while not (value := is_done()):
                    await self.news.wait()
                return value

        return await asyncio.wait_for(wait(), seconds)

    async def state(self, state: State, seconds: float = SECONDS) -> str:
        """Wait until this is the last state; return its reason."""
        await self.until(lambda: self.states and self.states[-1][0] is state, seconds)
        return self.states[-1][1]

    async def raw(self, kind: str, number: int = 1, seconds: float = SECONDS) -> RawEvent:
        """Wait for the n-th event of a kind."""
        await self.until(lambda: len(self.of(kind)) >= number, seconds)
        return self.of(kind)[number - 1]

    def of(self, kind: str) -> list[RawEvent]:
        """Return the events of a kind so far."""
        return [raw for raw in self.raws if raw.kind == kind]


@dataclass
class RecordedAccount:
    """An assistant and its listener."""

    assistant: Assistant
    listener: RecordingListener

    async def online(self, seconds: float = SECONDS) -> None:
        await self.listener.state(State.ONLINE, seconds)

    async def resolved(self, kind: str, number: int = 1) -> Any:
        """The n-th event of a kind, resolved."""
        return await self.assistant.resolve(await self.listener.raw(kind, number))


def settings(endpoint: str, token: str = "", account: str = "weimi1001", **more: Any) -> AssistantSettings:
    return AssistantSettings(account=account, endpoint=endpoint, token=token, **more)
