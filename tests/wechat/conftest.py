"""Fixtures: assistants with the sandbox and with the official gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
import stamina

from sandbox.gateway.server import PuppetServer
from sandbox.world.world import World
from tests.official import official
from tests.wechat.recording_listener import QUICK, RecordedAccount, RecordingListener, settings
from tests.wechat.scripted_wire import ScriptedAccount
from wechat.assistant import Assistant
from wechat.connecting_accounts import ConnectingAccounts
from wechat.connection import Timing

__all__ = ["official"]

Connect = Callable[..., Awaitable[RecordedAccount]]
TOKEN = "insecure_sandbox-token"


@pytest.fixture(autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run every test in an empty directory, and check that it stays empty."""
    empty = tmp_path_factory.mktemp("cwd")
    monkeypatch.chdir(empty)
    yield
    assert {path.name for path in empty.iterdir()} <= {".hypothesis"}


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Connect]:
    """Return a function that starts an assistant; it is stopped after the test."""
    running: list[Assistant] = []

    async def start(
        endpoint: str,
        token: str = "",
        timing: Timing = QUICK,
        rows: Any = None,
        may_call: Callable[[], bool] = lambda: True,
        connecting: ConnectingAccounts | None = None,
        **more: Any,
    ) -> RecordedAccount:
        listener = RecordingListener()
        assistant = Assistant(
            settings(endpoint, token, **more), listener, timing, may_call=may_call, connecting=connecting
        )
        if rows is not None:
            assistant.directory.load(rows)
        running.append(assistant)
        await assistant.start()
        return RecordedAccount(assistant, listener)

    yield start
    for assistant in running:
        await assistant.stop()


@pytest_asyncio.fixture
async def world() -> World:
    """The sandbox's world, with one assistant."""
    return World.default(["weimi1001"], seed=1)


@pytest_asyncio.fixture
async def server(world: World) -> AsyncIterator[PuppetServer]:
    """The sandbox's gateway, in plaintext."""
    server = PuppetServer(world, "weimi1001", TOKEN)
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def recorded(server: PuppetServer, connect: Connect) -> RecordedAccount:
    """An assistant that is online in the sandbox."""
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await recorded.online()
    return recorded


@pytest_asyncio.fixture
async def account() -> AsyncIterator[ScriptedAccount]:
    """An account whose gateway's answers are scripted; failed reads are retried without waiting."""
    with stamina.set_testing(True, attempts=100, cap=True):
        scripted = ScriptedAccount()
        yield scripted
        await scripted.assistant.stop()
