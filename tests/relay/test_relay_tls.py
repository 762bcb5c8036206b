"""A relay's `tls: auto` sends the token in plaintext no sooner than the bot's own does."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from protocol.supervision import TlsChoice, end
from protocol.tls import GatewayAddress
from relay.tls_mark import TlsMark
from relay.upstream import Timing, Upstream
from tests.wechat.test_tls_fallback import PLAINTEXT, ResettingServer

QUICK = Timing(backoff_first=0.02, backoff_most=0.05)


@pytest.fixture(autouse=True)
async def every_name_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_host: str, port: int, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)


async def _nothing(_body: bytes) -> None:
    return


@pytest.mark.parametrize(
    ("host", "seen", "plain"), [("gateway.test", True, False), ("gateway.test", False, True), ("127.0.0.1", True, True)]
)
async def test_not_where_tls_was_seen(tmp_path: Path, host: str, seen: bool, plain: bool) -> None:
    server = ResettingServer()
    endpoint = f"{host}:{await server.start()}"
    TlsMark(tmp_path / "mark", "other.test:1").set()
    if seen:
        TlsMark(tmp_path / "mark", endpoint).set()
    mark = TlsMark(tmp_path / "mark", endpoint)
    upstream = Upstream(GatewayAddress(endpoint, "insecure_token"), TlsChoice("auto"), mark, _nothing, QUICK)
    running = asyncio.create_task(upstream.run())
    try:
        heard = [await asyncio.wait_for(server.heard.get(), 5) for _ in range(4)]
    finally:
        await end([running])
        server.server.close()
    assert any(data.startswith(PLAINTEXT) for data in heard) is plain
