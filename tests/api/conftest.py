"""Fixtures: the REST API on a real server with real services and database, over an in-memory WeChat account."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from api import Runner, make_app
from app.assistants import Assistants
from app.container import Container
from config import Config
from config.settings import AssistantSettings
from tests.databases import make_sqlite
from tests.doubles import InMemoryWeChat
from wechat.events import Event

QUN = {"code": "shop-1", "owner": "宋公明", "assistant": "weimi1001"}


class Clock:
    """A clock that tests can set."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class ApiServer:
    """A running application and its container."""

    container: Container
    wechat: InMemoryWeChat
    clock: Clock
    app: web.Application
    http: aiohttp.ClientSession
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
        """Send a request; return status, body (parsed if JSON) and headers."""
        async with self.http.request(method, self.url + path, **more) as response:
            body = await response.json() if response.content_type == "application/json" else await response.text()
            return response.status, body, response.headers

    async def make_group(self, code: str = "shop-1") -> Any:
        status, body, _ = await self.call("POST", "/wxbot/qun", json={**QUN, "code": code})
        assert status in (200, 201), body
        return (await self.call("GET", "/wxbot/qun", params={"code": code}))[1]["qun"]


class IdleAssistants(Assistants):
    """Assistants that add in-memory accounts."""

    async def start(self, settings: AssistantSettings, epoch: int | None = None) -> None:
        self._container.accounts.add(InMemoryWeChat(settings.account).whole())

    async def stop(self, account: str, grace: float | None = None) -> None:
        self._container.accounts.remove(account)


async def _handle_nothing(_event: Event, _row: int) -> str:
    return "(no value)"


async def start_api_server(stack: AsyncExitStack, folder: Path, **config: Any) -> ApiServer:
    """Build everything up to the listening socket; the stack closes it."""
    if not (folder / "wxbot.db").exists():
        make_sqlite(folder / "wxbot.db")
    data = {"database": f"sqlite:///{folder}/wxbot.db", "pacing": {"enabled": False}, **config}
    clock = Clock()
    container = Container(Config(**data), clock=clock, source=lambda: Config(**data))
    wechat = InMemoryWeChat()
    for id, name in (("wxid_song", "宋公明"), ("wxid_zhi", "智多星"), ("wxid_hei", "黑旋风")):
        wechat.knows(id, name)
    container.accounts.add(wechat.whole())
    await container.store.open()
    stack.push_async_callback(container.store.close)
    await container.groups.load()
    await container.outbox.start()
    stack.push_async_callback(container.outbox.stop, 5.0)
    assistants = IdleAssistants(container, _handle_nothing, lambda: 1.0)
    app = make_app(container, assistants)
    runner = Runner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    http = await stack.enter_async_context(aiohttp.ClientSession())
    return ApiServer(container, wechat, clock, app, http, runner.addresses[0][1])


StartServer = Callable[..., Awaitable[ApiServer]]


@asynccontextmanager
async def api_servers(folder: Path) -> AsyncIterator[StartServer]:
    """Context of a function that starts APIs with the given config."""
    async with AsyncExitStack() as stack:
        yield partial(start_api_server, stack, folder)


@pytest.fixture
async def start_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    """Start APIs with the given config."""
    async with api_servers(tmp_path) as start:
        yield start


@pytest.fixture
async def server(start_server: StartServer) -> ApiServer:
    """The API with the default config."""
    return await start_server()


def error(code: int) -> Any:
    """Return the complete body of an error."""
    from api.openapi import all_errors

    kind = next(kind for kind in all_errors() if kind.code == code)
    return {"error": {"code": code, "message": kind.message}}
