"""Answers of an authority: which are an address, and what the others mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.web_server import serving
from wechat import authority
from wechat.authority import MAX_ANSWER, AuthorityFailed, resolve
from wechat.problems import Problem, Reason

INVALID = "the response has no host and port"


class Server:
    """An authority with one answer."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.paths: list[str] = []
        self.url = ""
        self.hangs: asyncio.Event | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.raw_path)
        if self.hangs is not None:
            await self.hangs.wait()
        return web.Response(status=self.status, body=self.body, headers={"Location": "/elsewhere"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with serving(server.answer) as server.url:
        yield server
        if server.hangs is not None:
            server.hangs.set()


async def failed(server: Server, status: int, body: Any) -> Reason:
    server.status, server.body = status, body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(AuthorityFailed) as error:
        await resolve(server.url, "secret")
    assert str(error.value) == str(error.value.reason)
    assert "secret" not in str(error.value)
    return error.value.reason


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        ({"host": "10.0.0.1", "port": 8788}, "10.0.0.1:8788"),
        ({"host": "::1", "port": 1}, "[::1]:1"),
        ({"host": "gateway.example", "port": "65535", "more": 1}, "gateway.example:65535"),
    ],
)
async def test_address_of_a_gateway(server: Server, answer: Any, address: str) -> None:
    server.body = json.dumps(answer).encode()
    assert await resolve(f"{server.url}/", "a/b c") == address
    assert server.paths == ["/v0/hosties/a%2Fb%20c"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, Reason(Problem.TOKEN_UNKNOWN)),
        (401, Reason(Problem.TOKEN_REFUSED)),
        (403, Reason(Problem.TOKEN_REFUSED)),
        (201, Reason(Problem.AUTHORITY_DOWN, "HTTP 201")),
        (302, Reason(Problem.AUTHORITY_DOWN, "HTTP 302")),
        (500, Reason(Problem.AUTHORITY_DOWN, "HTTP 500")),
    ],
)
async def test_status_other_than_ok(server: Server, status: int, reason: Reason) -> None:
    assert await failed(server, status, {"host": "h", "port": 1}) == reason
    assert len(server.paths) == 1, "redirects are not followed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff",
        [],
        {},
        {"host": "h"},
        {"port": 1},
        {"host": "", "port": 1},
        {"host": 5, "port": 1},
        {"host": None, "port": 1},
        {"host": "h", "port": 0},
        {"host": "h", "port": -1},
        {"host": "h", "port": 65536},
        {"host": "h", "port": None},
        {"host": "h", "port": "x"},
        b" " * MAX_ANSWER + b'{"host": "h", "port": 1}',
    ],
)
async def test_answer_that_is_no_address(server: Server, body: Any) -> None:
    assert await failed(server, 200, body) == Reason(Problem.AUTHORITY_DOWN, INVALID)


async def test_token_without_a_gateway(server: Server) -> None:
    assert await failed(server, 200, {"host": "0.0.0.0", "port": 0}) == Reason(Problem.TOKEN_UNKNOWN)


async def test_unreachable_authority() -> None:
    with pytest.raises(AuthorityFailed) as error:
        await resolve("http://127.0.0.1:1", "secret")
    assert error.value.reason == Reason(Problem.AUTHORITY_DOWN, "ClientConnectorError")
    with pytest.raises(AuthorityFailed) as error:
        await resolve("no address", "secret")
    assert error.value.reason == Reason(Problem.AUTHORITY_DOWN, "InvalidUrlClientError")


async def test_slow_authority_times_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert authority.SECONDS == 10.0
    monkeypatch.setattr(authority, "SECONDS", 0.02)
    server.hangs = asyncio.Event()
    with pytest.raises(AuthorityFailed) as error:
        await resolve(server.url, "secret")
    assert error.value.reason == Reason(Problem.AUTHORITY_DOWN, "timeout")
