"""A frozen process before our own gateway, without a relay: another one serves its account within ten seconds."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp
import pytest

from tests.cluster.chaos_cluster import LEASE
from tests.cluster.processes import Member
from tests.deploy.test_gateway import TOKEN, Launch, account, launch
from tests.waiting import until

__all__ = ["account", "launch"]
pytestmark = [
    pytest.mark.gateway,
    pytest.mark.postgres,
    pytest.mark.parametrize("database", ["postgres"], indirect=True),
]
MAX_SECONDS = 13.0  # 10, and some for a busy machine


async def test_account_of_a_frozen_process_is_served(
    launch: Launch, account: Path, database: str, tmp_path: Path
) -> None:
    scanned = account.with_name("scanned")
    scanned.touch()
    gateway = await launch(WECHATY_PUPPET=str(account), SCANNED=str(scanned))
    await gateway.listens()
    assistants = [{"account": "a0", "endpoint": f"127.0.0.1:{gateway.port}", "token": TOKEN, "tls": "auto"}]
    members = [Member(tmp_path, number, assistants, database, LEASE, preloaded=True) for number in range(2)]
    async with aiohttp.ClientSession() as http:

        async def holder() -> Member | None:
            for member in members:
                if await member.online(http):
                    return member
            return None

        try:
            for member in members:
                await member.start()
            first = await until(holder, "the account is served")
            (second,) = (member for member in members if member is not first)
            await until(lambda: second.answers(http), "the other process is ready")
            first.freeze()
            began = time.monotonic()
            assert await until(holder, "the account is served again") is second
            seconds = time.monotonic() - began
            first.thaw()
            await until(lambda: first.answers(http), "the first process runs again")
            assert not await first.online(http)
            assert await second.online(http)
        finally:
            for member in members:
                await member.kill()
    assert seconds < MAX_SECONDS, "the gateway kept the event stream of the frozen process"
