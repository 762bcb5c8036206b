"""Calls of the API while they are allowed, and after they no longer are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import web

from errors import WeChatOffline, WeChatUnknown
from tests.waiting import SECONDS
from tests.web_server import serving
from wecom.api import WecomApi
from wecom.storage import AccessToken, Storage


class Platform:
    """The platform's API: `slow` is answered when the test allows it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.called = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        name = request.path.rpartition("/")[2]
        self.calls.append(name)
        self.called.set()
        if name == "slow":
            await self.goes_on.wait()
        return web.json_response({"errcode": 0})


class Tokens:
    """A stored access token."""

    async def token(self) -> AccessToken:
        return AccessToken("t", float("inf"))


@pytest.fixture
async def platform() -> Platform:
    return Platform()


@pytest.fixture
async def url(platform: Platform) -> AsyncIterator[str]:
    async with serving(platform.handle) as url:
        yield url
        platform.goes_on.set()


async def test_no_call_while_calls_are_not_allowed(platform: Platform, url: str) -> None:
    allowed = [False]
    api = WecomApi(url, "corp", "secret", cast("Storage", Tokens()), may_call=lambda: allowed[0])
    for call in (api.call("kf/sync_msg", {}), api.download("m"), api.picture(url), api._fetch()):
        with pytest.raises(WeChatOffline):
            await cast("Any", call)
    assert platform.calls == []
    allowed[0] = True
    await api.call("kf/sync_msg", {})
    assert platform.calls == ["sync_msg"]
    await api.close()


async def test_disconnecting_ends_running_calls(platform: Platform, url: str) -> None:
    api = WecomApi(url, "corp", "secret", cast("Storage", Tokens()))
    running = asyncio.create_task(api.call("slow", {}))
    await asyncio.wait_for(platform.called.wait(), SECONDS)
    api.disconnect()
    with pytest.raises(WeChatUnknown):
        await asyncio.wait_for(running, SECONDS)
    await api.call("kf/sync_msg", {})
    assert platform.calls[-1] == "sync_msg", "later calls use new connections"
    await api.close()
