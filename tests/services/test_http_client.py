"""The HTTP client of business systems: limits, and what is known of a broken response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from services.messaging import http_client
from services.messaging.http_client import HttpClient, TooLong, describe, discard, read_bounded
from services.messaging.status_line import StatusKeeper, forget_status, status_begun
from tests.ports import free_port
from tests.web_server import serving
from version import VERSION

ANSWER_LIMIT = 256 * 1024
MAX_STATUS_LINE = 1024


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


async def test_session_is_opened_once_and_again_after_closing() -> None:
    client = HttpClient()
    await client.close()
    first = client.session
    assert client.session is first
    assert first.headers["User-Agent"] == f"wxbot/{VERSION}"
    assert isinstance(first.cookie_jar, aiohttp.DummyCookieJar)
    assert first.connector is not None and first.connector.limit == 0
    await client.close()
    assert first.closed
    second = client.session
    assert second is not first and not second.closed
    await client.close()


async def test_body_is_read_up_to_the_limit(client: HttpClient) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * int(request.path[1:]))

    async with serving(answer) as url:
        async with client.session.get(f"{url}/{ANSWER_LIMIT}") as response:
            assert await read_bounded(response) == b"x" * ANSWER_LIMIT
        async with client.session.get(f"{url}/{ANSWER_LIMIT + 1}") as response:
            with pytest.raises(TooLong, match=f"more than {ANSWER_LIMIT} bytes"):
                await read_bounded(response)
        async with client.session.get(f"{url}/11") as response:
            with pytest.raises(TooLong):
                await read_bounded(response, 10)
        async with client.session.get(f"{url}/{ANSWER_LIMIT + 1}") as response:
            await discard(response)  # no error


async def test_slow_rest_of_a_response_is_not_awaited(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MAX_DISCARDED", 0.01)
    end = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await end.wait()
        return response

    async with serving(answer) as url, client.session.get(url) as response:
        await discard(response)
        assert not end.is_set()
        end.set()


async def test_errors_are_described_without_the_url(client: HttpClient) -> None:
    assert describe(TimeoutError()) == "timeout"
    assert describe(ValueError("http://secret")) == "ValueError"
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        await client.session.get(f"http://127.0.0.1:{free_port()}/secret")
    assert describe(caught.value).startswith("cannot connect: Connect")
    nameless = aiohttp.ClientConnectorError(cast("Any", SimpleNamespace(ssl=True, host="h", port=1)), OSError())
    assert describe(nameless) == "cannot connect: OSError"


# ---- the status line ----


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.0 503 Service Unavailable\nX", 503),
        (b"HTTP/1.1 204\r\n", 204),
        (b"HTTP/1.1 204\n", 204),
        (b"HTTP/1.1 200 OK", None),
        (b"HTTP/2 200 OK\r\n", None),
        (b"HTTP/1.1 2000 OK\r\n", None),
        (b"SMTP ready\r\n", None),
        (b"", None),
    ],
)
async def test_status_is_known_once_its_line_is_complete(client: HttpClient, sent: bytes, status: int | None) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        writer.close()

    forget_status()
    assert status_begun() is None
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(aiohttp.ClientError):
        await client.session.get(f"http://127.0.0.1:{port}/")
    assert status_begun() == status
    forget_status()
    assert status_begun() is None
    server.close()


async def test_only_the_first_bytes_of_the_latest_response_are_kept(client: HttpClient) -> None:
    async def answer(request: web.Request) -> web.Response:
        status = int(request.path[1:])
        return web.Response(status=status, body=b"x" * 5000)

    async with serving(answer) as url:
        for status in (200, 404):
            async with client.session.get(f"{url}/{status}") as response:
                await response.read()
            assert status_begun() == status


async def test_beginning_of_a_response_is_bounded() -> None:
    keeper = StatusKeeper(asyncio.get_running_loop())
    for piece in (b"a" * 1000, b"b" * 1000, b"c"):
        keeper.data_received(piece)
    assert keeper.begun == b"a" * 1000 + b"b" * (MAX_STATUS_LINE - 1000)
