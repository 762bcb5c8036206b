"""Connections that send nothing or half a request are closed in time; complete requests are answered."""

from __future__ import annotations

import asyncio

import pytest

from tests.api.conftest import ApiServer, StartServer
from tests.waiting import SECONDS

WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.server.HEAD_SECONDS", 0.3)
    monkeypatch.setattr("api.server.IDLE_SECONDS", 2.0)


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "])
async def test_incomplete_request_is_closed_after_timeout(start_server: StartServer, begun: bytes) -> None:
    server = await start_server()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(begun)
    assert await asyncio.wait_for(reader.read(), SECONDS) == b""
    writer.close()
    assert (await server.call("GET", "/healthz"))[0] == 200


async def test_connection_is_kept_alive_and_closed_when_idle(start_server: StartServer) -> None:
    server: ApiServer = await start_server()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(2):
        writer.write(WHOLE)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        assert head.startswith(b"HTTP/1.1 200 ")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
        await reader.readexactly(length)
        await asyncio.sleep(0.4)  # longer than the timeout of the first request
    assert await asyncio.wait_for(reader.read(), SECONDS) == b""
    writer.close()
