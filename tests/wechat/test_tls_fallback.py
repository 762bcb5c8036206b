"""`tls: auto` never sends the token in plaintext because of one reset handshake."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from protocol.certificates import WECHATY_CA
from tests.waiting import SECONDS
from tests.wechat.conftest import TOKEN
from tests.wechat.recording_listener import QUICK, RecordingListener, settings
from wechat.assistant import Assistant

PLAINTEXT = b"PRI * HTTP/2.0"  # the beginning of an HTTP/2 connection


class ResettingServer:
    """Resets every connection and records what the client had sent, like an attacker."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.server: asyncio.Server

    async def start(self) -> int:
        self.server = await asyncio.start_server(self._reset, "127.0.0.1", 0)
        return int(self.server.sockets[0].getsockname()[1])

    async def _reset(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received.put_nowait(await reader.read(4096))
        writer.transport.abort()


async def first_bytes(host: str, tls_seen: Collection[str] = (), **more: Any) -> list[bytes]:
    """Return what a resetting server with this name receives in four connections; {port} in `tls_seen` is its port."""
    server = ResettingServer()
    port = await server.start()
    known = {endpoint.format(port=port) for endpoint in tls_seen}
    assistant = Assistant(settings(f"{host}:{port}", TOKEN, **more), RecordingListener(), QUICK, known)
    await assistant.start()
    try:
        return [await asyncio.wait_for(server.received.get(), SECONDS) for _ in range(4)]
    finally:
        await assistant.stop()
        server.server.close()


@pytest.fixture(autouse=True)
async def every_name_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_host: str, port: int, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)


async def test_no_plaintext_with_a_ca(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(WECHATY_CA)
    received = await first_bytes("127.0.0.1", tls_ca=str(ca))
    assert not [data for data in received if data.startswith(PLAINTEXT)]


async def test_no_plaintext_with_a_server_name() -> None:
    received = await first_bytes("127.0.0.1", tls_server_name="gateway.example")
    assert not [data for data in received if data.startswith(PLAINTEXT)]


async def test_no_plaintext_once_tls_was_seen() -> None:
    received = await first_bytes("gateway.test", {"gateway.test:{port}"})
    assert not [data for data in received if data.startswith(PLAINTEXT)]


@pytest.mark.parametrize("seen", ["127.0.0.1:{port}", "other.test:{port}"])
async def test_plaintext_on_loopback_or_where_tls_was_never_seen(seen: str) -> None:
    host = "127.0.0.1" if seen.startswith("127") else "gateway.test"
    assert [data for data in await first_bytes(host, {seen}) if data.startswith(PLAINTEXT)]
