"""A gateway that announces the end of its connection with GOAWAY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from h2.errors import ErrorCodes

from errors import WeChatOffline, WeChatUnknown
from protocol import going_away
from protocol.supervision import end
from relay import frames
from tests.relay.leaving_gateway import Gateway
from tests.waiting import until
from tests.wechat.conftest import Connect
from tests.wechat.recording_listener import RecordedAccount
from tests.wechat.test_wire import _text
from wechat.wire import Wire

Call = Callable[[], Awaitable[asyncio.Task[Any]]]


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    one = Gateway()
    server = await asyncio.get_running_loop().create_server(one.connection, "127.0.0.1", one.port)
    yield one
    server.close()


@pytest.fixture
async def account(gateway: Gateway, connect: Connect) -> RecordedAccount:
    """An account that is connected."""
    recorded = await connect(gateway.endpoint, gateway.token, tls=False)
    await until(lambda: recorded.assistant._puppet_client.wire, "it is connected")
    return recorded


@pytest.fixture
def wire(account: RecordedAccount) -> Wire:
    assert account.assistant._puppet_client.wire is not None
    return account.assistant._puppet_client.wire


@pytest.fixture
async def call(gateway: Gateway, wire: Wire) -> AsyncIterator[Call]:
    """Begin a call that the gateway does not answer yet."""
    tasks: list[asyncio.Task[Any]] = []

    async def begin() -> asyncio.Task[Any]:
        before = len(gateway.waiting)
        tasks.append(asyncio.create_task(wire.call("MessageSendText", _text("好"))))
        await until(lambda: len(gateway.waiting) > before, "it is under way")
        return tasks[-1]

    yield begin
    await end(tasks)


async def test_calls_under_way_end_before_the_connection(gateway: Gateway, wire: Wire, call: Call) -> None:
    begun, other = await call(), await call()
    gateway.leaves(gateway.waiting[0].stream.id)
    with pytest.raises(WeChatOffline):  # not WeChatUnknown: it was not sent
        await other
    with pytest.raises(WeChatOffline):
        await wire.call("MessageSendText", _text("好"))
    assert await wire.is_alive(0.1), "it is not given up meanwhile"
    gateway.waiting[0].finish()
    assert (await begun).id == ""
    await until(lambda: len(gateway.connections) == 2, "it connects again")
    assert len(gateway.waiting) == 2


async def test_connection_without_calls_ends_at_once(gateway: Gateway, account: RecordedAccount) -> None:
    gateway.leaves(frames.LAST_STREAM)
    await until(lambda: len(gateway.connections) == 2, "it connects again")


async def test_gateway_that_ends_with_an_error_is_left_at_once(gateway: Gateway, call: Call) -> None:
    begun, other = await call(), await call()
    gateway.leaves(gateway.waiting[0].stream.id, ErrorCodes.INTERNAL_ERROR)
    with pytest.raises(WeChatUnknown):
        await begun
    with pytest.raises(WeChatOffline):
        await other


async def test_call_that_does_not_end_delays_the_end_for_some_seconds(
    gateway: Gateway, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(going_away, "LEAVE_SECONDS", 0.1)
    begun = await call()
    gateway.leaves(frames.LAST_STREAM)
    gateway.leaves(frames.LAST_STREAM)
    with pytest.raises(WeChatUnknown):
        await begun


async def test_refused_call_was_not_sent(gateway: Gateway, call: Call) -> None:
    refused, other = await call(), await call()
    gateway.waiting[0].stream.reset(ErrorCodes.REFUSED_STREAM)
    gateway.waiting[1].stream.reset(ErrorCodes.CANCEL)
    with pytest.raises(WeChatOffline):
        await refused
    with pytest.raises(WeChatUnknown):
        await other
