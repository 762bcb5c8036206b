"""A gRPC channel whose calls are scripted, with fixtures for it and for a wire over it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpclib.utils import DeadlineWrapper

from errors import WeChatError
from protocol import puppet_pb2 as pb
from tests.waiting import SECONDS
from wechat.wire import Wire

ANSWER = pb.Id(id="answer")


class ScriptedStream:
    """One call. `fails` maps a step to the exception that it raises."""

    def __init__(self, answers: list[Any], fails: dict[str, BaseException], hangs: asyncio.Event | None) -> None:
        self._wrapper = DeadlineWrapper()
        self.initial_metadata = {"date": "Sat, 01 Jan 2028 00:00:00 GMT"}
        self.answers, self.fails, self.hangs = answers, fails, hangs
        self.sent: list[Any] = []
        self.ended = False

    async def __aenter__(self) -> ScriptedStream:
        self._step("open")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._step("exit")

    def _step(self, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]

    async def send_request(self) -> None:
        self._step("send_request")

    async def send_message(self, message: Any, *, end: bool = False) -> None:
        self._step("send_message")
        self.sent.append(message)
        self.ended = self.ended or end

    async def end(self) -> None:
        self.ended = True

    async def recv_message(self) -> Any:
        if self.hangs is not None:
            await self.hangs.wait()
        self._step("recv_message")
        return self.answers.pop(0) if self.answers else None

    async def __aiter__(self) -> Any:
        for answer in self.answers:
            yield answer
        self._step("iterate")


class ScriptedChannel:
    """Records the calls. Each call has the same answers."""

    def __init__(self) -> None:
        self.answers: list[Any] = [ANSWER]
        self.fails: dict[str, BaseException] = {}
        self.hangs: asyncio.Event | None = None
        self.streams: list[ScriptedStream] = []
        self.asked: list[tuple[Any, ...]] = []
        self.metadata: list[dict[str, str]] = []
        self.connects: asyncio.Event | None = None
        self.closed = 0

    def request(self, path: str, cardinality: Any, request: Any, response: Any, *, timeout: Any, metadata: Any) -> Any:
        self.asked.append((path, cardinality, request, response, timeout))
        self.metadata.append(metadata)
        self.streams.append(ScriptedStream(list(self.answers), self.fails, self.hangs))
        return self.streams[-1]

    async def __connect__(self) -> None:
        if self.connects is not None:
            await self.connects.wait()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def wire(channel: ScriptedChannel) -> Wire:
    return Wire(channel, "token")  # type: ignore[arg-type]


async def failure(call: Any) -> WeChatError:
    """Await a call that must fail; return its error."""
    with pytest.raises(WeChatError) as raised:
        await asyncio.wait_for(call, SECONDS)
    return raised.value


async def ignore(_data: bytes) -> None:
    """Take a chunk of a download, and drop it."""
