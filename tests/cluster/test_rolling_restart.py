"""Rolling restarts of a cluster whose accounts are behind relays, before official gateways, while people write.

CHAOS_RELAY_ROLLS sets how often each process is restarted (`make chaos-relay`: 5), CHAOS_RELAY_ACCOUNTS and
CHAOS_RELAY_MEMBERS the size.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import create_engine, text

from models.db import parse
from tests.cluster.chaos_cluster import LEASE, ChaosCluster
from tests.cluster.processes import Member
from tests.official import OfficialGateway, Start
from tests.relay.load import MessageLoad, check_inbox, check_replies
from tests.relay.process import RelayProcess

ROLLS = int(os.environ.get("CHAOS_RELAY_ROLLS", "1"))
ACCOUNTS = int(os.environ.get("CHAOS_RELAY_ACCOUNTS", "3"))
MEMBERS = int(os.environ.get("CHAOS_RELAY_MEMBERS", "3"))
PEOPLE = 5
PAUSE = 0.03  # seconds between two messages to an account
STORED = text("SELECT account, event_id FROM inboxevent WHERE kind = 'message' ORDER BY id")
pytestmark = [
    pytest.mark.gateway,
    pytest.mark.postgres,
    pytest.mark.parametrize("database", ["postgres"], indirect=True),
    pytest.mark.timeout(300 + 120 * ROLLS * MEMBERS),
]


class RelayedCluster(ChaosCluster):
    """Processes that share accounts on official gateways, each with a relay before it."""

    def __init__(self, folder: Path, database: str, gateways: list[OfficialGateway], members: int) -> None:
        super().__init__(folder, database, len(gateways), members)
        self.gateways = dict(zip(self.accounts, gateways, strict=True))

    async def _open(self) -> None:
        self.http = await self._stack.enter_async_context(aiohttp.ClientSession())
        assistants: list[dict[str, Any]] = []
        for account, gateway in self.gateways.items():
            folder = self.folder / account
            folder.mkdir()
            relay = RelayProcess(folder, gateway)
            self._stack.push_async_callback(relay.kill)
            await relay.start()
            assistants.append({"account": account, "endpoint": relay.endpoint, "token": relay.token, "tls": "auto"})
        for number in range(self._count):
            self.members.append(Member(self.folder, number, assistants, self.database, LEASE, preloaded=True))
            await self.members[-1].start()
        await self._stack.enter_async_context(self.times)
        await self.times.settled()

    def stored(self) -> dict[str, list[str]]:
        """Return the ids of the messages in the inbox of each account."""
        engine = create_engine(parse(self.database))
        with engine.connect() as connection:
            rows = connection.execute(STORED).all()
        engine.dispose()
        stored: dict[str, list[str]] = defaultdict(list)
        for account, id in rows:
            stored[account].append(id)
        return stored


@pytest.mark.skipif("CHAOS_RELAY_ROLLS" not in os.environ, reason="takes a minute: make chaos-relay")
async def test_rolling_restart_loses_nothing(official: Start, database: str, tmp_path: Path) -> None:
    """By the gateways' record every message is in the inbox once and in order, and answered once and in order."""
    gateways = [await official(account={"id": f"wxid_bot{number}"}) for number in range(ACCOUNTS)]
    for gateway in gateways:
        await gateway.setup(contacts=PEOPLE)
    env = RelayedCluster(tmp_path, database, gateways, MEMBERS)
    async with env:
        loads = {account: MessageLoad(gateway, PEOPLE, PAUSE) for account, gateway in env.gateways.items()}
        took: list[float] = []
        for _ in range(ROLLS):
            for member in env.members:
                code, seconds = await member.terminate()
                assert code == 0
                took.append(seconds)
                await member.start()
                await env.times.settled()
        said = {account: await load.stop() for account, load in loads.items()}
        with suppress(TimeoutError):  # what is missing is compared below
            for account, gateway in env.gateways.items():
                await gateway.wait_sent(len(said[account]))
        await env.wait_idle()
        stored = env.stored()
        sent = {account: await gateway.sent() for account, gateway in env.gateways.items()}
    total, replies = (sum(map(len, each.values())) for each in (said, sent))
    print(  # noqa: T201
        f"\n{ROLLS * MEMBERS} restarts in turn: {total} said, {replies} replies; "
        f"SIGTERM to exit at most {max(took):.1f} s"
    )
    assert total > 20 * ROLLS * MEMBERS, "the load was too small to prove anything"
    for account in env.accounts:
        check_inbox(said[account], stored[account])
        check_replies(said[account], [(str(row["conversation"]), str(row["text"])) for row in sent[account]])
