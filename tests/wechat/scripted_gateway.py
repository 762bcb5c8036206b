"""A gateway whose event stream and answers are scripted, with a fixture that puts it behind a connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from errors import WeChatError
from protocol import puppet_pb2 as pb
from wechat import connection as module
from wechat.interface import State
from wechat.problems import Reason

HEARTBEAT = pb.EventResponse(type=pb.EVENT_HEARTBEAT, payload="{}", relay_number=3)


@dataclass
class Gateway:
    """A wire with its event stream, and the owner of the connection; `steps` has all their calls in order."""

    steps: list[str] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)  # messages, and exceptions that end the stream
    more: asyncio.Event = field(default_factory=asyncio.Event)  # set: the stream goes on after `events`, to its end
    alive_answers: list[bool] = field(default_factory=list)
    start_error: WeChatError | None = None
    connect_error: Exception | None = None
    trailing_error: Exception | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    limits: list[float] = field(default_factory=list)
    started_now: asyncio.Event = field(default_factory=asyncio.Event)

    # ---- wire ----

    async def connect(self, timeout: float) -> None:
        self.steps.append("connect")
        self.limits.append(timeout)
        if self.connect_error is not None:
            raise self.connect_error

    def close(self) -> None:
        self.steps.append("close")

    async def call(self, name: str, request: Any, timeout: float) -> None:
        self.steps.append(name)
        self.limits.append(timeout)
        if self.start_error is not None:
            raise self.start_error

    async def is_alive(self, timeout: float) -> bool:
        self.limits.append(timeout)
        self.steps.append("alive")
        if not self.alive_answers:
            await asyncio.Event().wait()
        return self.alive_answers.pop(0)

    @contextlib.asynccontextmanager
    async def _stream(self) -> AsyncIterator[Any]:
        yield Stream(self)

    def __call__(self) -> Any:
        return self._stream()

    # ---- owner ----

    def opened(self, wire: object) -> None:
        assert getattr(wire, "gateway", None) is self
        self.steps.append("opened")

    async def received(self, number: int, payload: str, relay_number: int) -> None:
        self.steps.append(f"received {number} {payload} {relay_number}")

    async def started(self) -> None:
        self.steps.append("started")
        self.started_now.set()

    async def closed(self, state: State, reason: Reason) -> None:
        self.steps.append(f"closed {state.value} {reason.problem.value}")


@dataclass
class Stream:
    """The event stream of a gateway."""

    gateway: Gateway

    @property
    def initial_metadata(self) -> dict[str, str]:
        return self.gateway.metadata

    async def send_message(self, request: Any, *, end: bool) -> None:
        assert request == pb.Empty()
        assert end
        self.gateway.steps.append("ask")

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self.gateway.events:
            if isinstance(event, Exception):
                raise event
            yield event
            await asyncio.sleep(0)
        await self.gateway.more.wait()

    async def recv_trailing_metadata(self) -> None:
        self.gateway.steps.append("trailing")
        if self.gateway.trailing_error is not None:
            raise self.gateway.trailing_error


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    gateway = Gateway(events=[HEARTBEAT])
    wire = SimpleNamespace(
        connect=gateway.connect,
        close=gateway.close,
        call=gateway.call,
        is_alive=gateway.is_alive,
        events=gateway,
        gateway=gateway,
    )
    monkeypatch.setattr(module, "Wire", lambda *_args, **_more: wire)
    monkeypatch.setattr(module, "make_channel", lambda *_args, **_more: None)
    return gateway
