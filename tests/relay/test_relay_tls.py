"""`tls: auto` towards the gateway: the token is not sent in plaintext once TLS was seen there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from protocol.certificates import WECHATY_CA
from relay.config import RelaySettings
from relay.journal import Journal
from relay.journal_tables import Fact
from relay.relay import Relay
from relay.upstream import RelayTiming
from tests.ports import free_port
from tests.waiting import SECONDS
from tests.wechat.test_tls_fallback import PLAINTEXT, ResettingServer, every_name_is_this_machine

__all__ = ["every_name_is_this_machine"]

QUICK = RelayTiming(connect=2.0, first_event=0.5, start=2.0, backoff_first=0.01, backoff_most=0.05)


@asynccontextmanager
async def _resetting() -> AsyncIterator[tuple[ResettingServer, int]]:
    server = ResettingServer()
    port = await server.start()
    yield server, port
    server.server.close()


async def _first_bytes(folder: Path, host: str, *, seen: str = "", **more: str) -> list[bytes]:
    """Return what a resetting gateway receives in four connections. `seen`: where the journal records TLS."""
    async with _resetting() as (server, port):
        settings = RelaySettings(listen=f"127.0.0.1:{free_port()}", endpoint=f"{host}:{port}", token="t", **more)
        journal = Journal(folder / f"{settings.title}.db")
        await journal.open()
        await journal.remember(Fact.TLS_SEEN, seen.format(port=port))
        await journal.close()
        relay = Relay(settings, folder, QUICK)
        await relay.start()
        try:
            return [await asyncio.wait_for(server.received.get(), SECONDS) for _ in range(4)]
        finally:
            await relay.stop()


async def test_no_plaintext_once_tls_was_seen(tmp_path: Path) -> None:
    received = await _first_bytes(tmp_path, "gateway.test", seen="gateway.test:{port}")
    assert not [data for data in received if data.startswith(PLAINTEXT)]


async def test_no_plaintext_with_a_ca(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(WECHATY_CA)
    received = await _first_bytes(tmp_path, "127.0.0.1", tls_ca=str(ca))
    assert not [data for data in received if data.startswith(PLAINTEXT)]


@pytest.mark.parametrize(("host", "seen"), [("127.0.0.1", "127.0.0.1:{port}"), ("gateway.test", "other.test:{port}")])
async def test_plaintext_on_loopback_or_where_tls_was_never_seen(tmp_path: Path, host: str, seen: str) -> None:
    assert [data for data in await _first_bytes(tmp_path, host, seen=seen) if data.startswith(PLAINTEXT)]
