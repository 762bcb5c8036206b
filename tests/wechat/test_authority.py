"""A gateway whose address is resolved by an authority, as for workpro's tokens."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from sandbox.gateway.server import PuppetServer
from sandbox.world.world import World
from tests.waiting import until
from tests.web_server import serving
from tests.wechat.conftest import TOKEN, Connect
from wechat.interface import State
from wechat.problems import Problem


class Authority:
    """A stand-in for the authority server."""

    def __init__(self) -> None:
        self.answer: Any = {"host": "0.0.0.0", "port": 0}
        self.status = 200
        self.asked: list[str] = []
        self.url = ""

    async def reply(self, request: web.Request) -> web.Response:
        folder, _, token = request.path.rpartition("/")
        assert folder == "/v0/hosties"
        self.asked.append(token)
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)


@pytest_asyncio.fixture
async def authority() -> AsyncIterator[Authority]:
    stand_in = Authority()
    async with serving(stand_in.reply) as stand_in.url:
        yield stand_in


async def test_account_connects_to_the_resolved_address(
    server: PuppetServer, connect: Connect, authority: Authority
) -> None:
    authority.answer = {"host": "127.0.0.1", "port": server.port}
    recorded = await connect("", TOKEN, authority=authority.url, tls=False)
    await recorded.online()
    assert authority.asked == [TOKEN]


async def test_moved_gateway_is_resolved_at_the_next_connect(
    server: PuppetServer, world: World, connect: Connect, authority: Authority
) -> None:
    authority.answer = {"host": "127.0.0.1", "port": server.port}
    recorded = await connect("", TOKEN, authority=authority.url, tls=False)
    await recorded.online()
    await server.stop()
    await recorded.listener.state(State.CONNECTING)
    moved = PuppetServer(world, "weimi1001", TOKEN)
    await moved.start()
    try:
        authority.answer = {"host": "127.0.0.1", "port": moved.port}
        await recorded.online()
        assert len(authority.asked) > 1
        assert recorded.assistant.reason is None
    finally:
        await moved.stop()


@pytest.mark.parametrize(
    ("status", "answer", "problem", "state"),
    [
        (404, "", Problem.TOKEN_UNKNOWN, State.CONNECTING),
        (401, "", Problem.TOKEN_REFUSED, State.REFUSED),
    ],
)
async def test_invalid_response_is_reported_and_retried(
    connect: Connect, authority: Authority, status: int, answer: Any, problem: Problem, state: State
) -> None:
    authority.status, authority.answer = status, answer
    recorded = await connect("", TOKEN, authority=authority.url)
    await recorded.listener.state(state)
    reason = recorded.assistant.reason
    assert reason is not None
    assert reason.problem is problem
    await until(lambda: len(authority.asked) > 1)


async def test_unreachable_authority_is_reported_without_the_token(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    recorded = await connect("", TOKEN, authority="http://127.0.0.1:9")
    await recorded.listener.state(State.CONNECTING)
    reason = recorded.assistant.reason
    assert reason is not None
    assert reason.problem is Problem.AUTHORITY_DOWN
    assert not [r for r in caplog.records if r.name.startswith("wechat") and TOKEN in r.getMessage()]
