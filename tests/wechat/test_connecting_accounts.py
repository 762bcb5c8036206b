"""Accounts that are connected at once: what can wait follows once all of them are online."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.gateway.server import PuppetServer
from tests.waiting import SECONDS, until
from tests.wechat.conftest import TOKEN, Connect
from wechat import connecting_accounts
from wechat.connecting_accounts import ConnectingAccounts


async def test_waits_for_all_accounts() -> None:
    together = ConnectingAccounts()
    await together.wait()
    together.begin("a")
    together.begin("b")
    waiting = asyncio.create_task(together.wait())
    for _ in range(2):  # reported twice: online, then disconnected
        together.end("a")
        await asyncio.sleep(0)
        assert not waiting.done()
    together.end("b")
    await waiting


async def test_account_that_never_connects_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting_accounts, "MAX_WAIT", 0.01)
    together = ConnectingAccounts()
    together.begin("a")
    await together.wait()


async def test_account_that_is_online_is_read_again_after_the_others_are(
    server: PuppetServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting_accounts, "MAX_WAIT", SECONDS)
    together = ConnectingAccounts()
    together.begin("other")
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False, connecting=together)
    await recorded.online()
    assert together._accounts == {"other"}
    await asyncio.sleep(0.01)
    assert recorded.listener.syncs == []
    together.end("other")
    await until(lambda: recorded.listener.syncs, "what changed is reported")


async def test_account_whose_gateway_is_away_is_not_waited_for(connect: Connect) -> None:
    together = ConnectingAccounts()
    recorded = await connect("127.0.0.1:1", TOKEN, tls=False, connecting=together)
    await recorded.listener.until(lambda: recorded.listener.states)
    assert together._accounts == set()
