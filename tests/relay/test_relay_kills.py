"""kill -9 of bot and relay under load: all messages of the gateway are in the inbox, once and in order.

CHAOS_RELAY_KILLS sets the number of each (`make chaos-relay`: 100); CHAOS_SEED repeats the random choices, but not the
timing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from protocol import puppet_pb2 as pb
from tests.bot_process import BotProcess
from tests.official import OfficialGateway, Start
from tests.relay.conftest import Relays
from tests.relay.process import RelayProcess
from tests.waiting import SECONDS

KILLS = int(os.environ.get("CHAOS_RELAY_KILLS", "3"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
PEOPLE = 6
pytestmark = [pytest.mark.gateway, pytest.mark.timeout(300 + 60 * KILLS)]


class MessageLoad:
    """People who write continuously."""

    def __init__(self, gateway: OfficialGateway) -> None:
        self._gateway = gateway
        self._going = True
        self.said: list[str] = []
        self._task = asyncio.create_task(self._send_messages())

    async def _send_messages(self) -> None:
        while self._going:
            number = len(self.said)
            self.said.append(await self._gateway.say(f"c{number % PEOPLE}", f"问{number}"))
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop writing."""
        self._going = False
        await self._task


def _inbox(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select event_id from inboxevent where kind = 'message' order by id").fetchall()
    connection.close()
    return [str(row[0]) for row in rows]


def _journal(relay: RelayProcess) -> set[str]:
    """The messages that the relay has on disk; it deletes those that the bot has stored."""
    (file,) = (relay.folder / "relay").glob("*.db")
    with sqlite3.connect(file) as connection:
        bodies = [pb.EventResponse.FromString(row[0]) for row in connection.execute("select body from event")]
    connection.close()
    return {json.loads(body.payload)["messageId"] for body in bodies if body.type == pb.EVENT_MESSAGE}


async def _until_stored(database: Path, said: list[str]) -> list[str]:
    async with asyncio.timeout(SECONDS):
        # the file belongs to another process
        while set(said) - set(rows := _inbox(database)):  # noqa: ASYNC110 - the file of a process
            await asyncio.sleep(0.2)
    return rows


async def test_kill_9_of_bot_and_relay_loses_nothing(official: Start, relays: Relays, tmp_path: Path) -> None:
    gateway = await official(state=tmp_path / "journal")
    await gateway.setup(contacts=PEOPLE)
    relay = await relays(gateway)
    bot = BotProcess(tmp_path, cast("Any", SimpleNamespace(endpoint=relay.endpoint, token=relay.token, tls="auto")))
    choice = random.Random(SEED)
    try:
        await bot.start()
        await bot.ready()
        talk = MessageLoad(gateway)
        for _ in range(KILLS):
            await asyncio.sleep(choice.uniform(0.1, 1.0))
            await bot.kill()
            await asyncio.sleep(choice.uniform(0.0, 0.5))
            await bot.start()
            await asyncio.sleep(choice.uniform(0.5, 3.0))
            # While the relay is down the gateway has no client, so messages sent then are lost.
            await talk.stop()
            async with asyncio.timeout(SECONDS):
                # the files of two processes
                while set(talk.said) - _journal(relay) - set(_inbox(bot.database)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await relay.restart()
            talk_before, talk = talk.said, MessageLoad(gateway)
            talk.said[:0] = talk_before
        await bot.ready()
        await talk.stop()
        rows = await _until_stored(bot.database, talk.said)
    finally:
        await bot.kill()
    said = talk.said
    people = set(said)
    rows = [id for id in rows if id in people]  # own messages before a kill are reported to the next process
    print(f"\n{KILLS} kills of each: {len(said)} said, {len(rows)} stored")  # noqa: T201
    assert len(said) > 50 * KILLS, "the load was too small to prove anything"
    assert sorted(rows) == sorted(said), "each once"
    person = {id: index for index, id in enumerate(said)}
    by_person: dict[int, list[int]] = defaultdict(list)
    for id in rows:
        by_person[person[id] % PEOPLE].append(person[id])
    assert all(order == sorted(order) for order in by_person.values())
