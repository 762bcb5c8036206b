"""kill -9 of bot and relay under load: what the gateway said is in the inbox, once and in order.

CHAOS_RELAY_KILLS sets the number of each (`make chaos-relay`: 100); CHAOS_SEED repeats the random choices, but not the
timing.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.bot_process import BotProcess
from tests.official import Start
from tests.relay.conftest import Relays
from tests.relay.load import MessageLoad, Said, check_inbox, inbox, journal
from tests.relay.process import RelayProcess
from tests.waiting import until

KILLS = int(os.environ.get("CHAOS_RELAY_KILLS", "3"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
PEOPLE = 6
COMMIT_SECONDS = 10.0  # that a relay may take at most, on a very busy machine; milliseconds are usual
pytestmark = [pytest.mark.gateway, pytest.mark.timeout(300 + 60 * KILLS)]


def _bot(folder: Path, relay: RelayProcess) -> BotProcess:
    relayed: Any = SimpleNamespace(endpoint=relay.endpoint, token=relay.token, tls="auto")
    return BotProcess(folder, relayed, preloaded=True)


async def _until_stored(database: Path, ids: set[str]) -> list[str]:
    await until(lambda: ids <= set(inbox(database)), "all messages are in the inbox")
    return inbox(database)


async def test_kill_9_of_bot_and_relay_loses_nothing(official: Start, relays: Relays, tmp_path: Path) -> None:
    """The relay is killed when everything that was said is on a disk: while it is away the gateway has no client."""
    gateway = await official(state=tmp_path / "journal")
    await gateway.setup(contacts=PEOPLE)
    relay = await relays(gateway)
    bot = _bot(tmp_path, relay)
    choice = random.Random(SEED)
    try:
        await bot.start()
        await bot.ready()
        talk = MessageLoad(gateway, PEOPLE)
        for number in range(KILLS):
            await asyncio.sleep(choice.uniform(0.1, 1.0))
            await bot.kill()
            await asyncio.sleep(choice.uniform(0.0, 0.5))
            await bot.start()
            await asyncio.sleep(choice.uniform(0.5, 3.0))
            await until(lambda least=50 * (number + 1): len(talk.said) > least, "enough is said to prove anything")
            await talk.pause()
            await until(lambda: {message.id for message in talk.said} <= journal(relay) | set(inbox(bot.database)))
            await relay.restart()
            talk.resume()
        await bot.ready()
        said = await talk.stop()
        rows = await _until_stored(bot.database, {message.id for message in said})
    finally:
        await bot.kill()
    print(f"\n{KILLS} kills of each: {len(said)} said, {len(rows)} stored")  # noqa: T201
    check_inbox(said, rows)


class Kill(NamedTuple):
    """A kill of the relay."""

    at: float  # monotonic
    on_disk: set[str]  # ids in the relay's journal and in the inbox, after the kill
    said: int  # number of messages when the next relay was connected to the gateway


async def test_kill_9_of_the_relay_in_mid_talk(official: Start, relays: Relays, tmp_path: Path) -> None:
    """What can be lost is what the gateway says while no relay is connected, since it drops that, and the last of what
    it said before, if the relay died before the commit. Nothing else is lost, and nothing arrives twice.
    """
    gateway = await official(state=tmp_path / "journal")
    await gateway.setup(contacts=PEOPLE)
    relay = await relays(gateway)
    bot = _bot(tmp_path, relay)
    choice = random.Random(SEED)
    kills: list[Kill] = []
    try:
        await bot.start()
        await bot.ready()
        talk = MessageLoad(gateway, PEOPLE)
        for number in range(KILLS):
            await asyncio.sleep(choice.uniform(0.3, 2.0))
            await until(lambda least=30 * (number + 1): len(talk.said) > least, "enough is said to prove anything")
            at = time.monotonic()
            await relay.kill()
            # The journal first: an event that the bot stores in the meantime is in it, if not in the inbox.
            on_disk = journal(relay) | set(inbox(bot.database))
            await relay.start()
            kills.append(Kill(at, on_disk, len(talk.said)))
        await until(lambda: len(talk.said) > kills[-1].said + 20)
        said = await talk.stop()
        dropped, uncommitted = _may_be_lost(said, kills)
        rows = await _until_stored(bot.database, {message.id for message in said} - dropped - uncommitted)
    finally:
        await bot.kill()
    print(  # noqa: T201
        f"\n{KILLS} kills of the relay: {len(said)} said, {len(set(rows) & {message.id for message in said})} stored; "
        f"{len(dropped)} said while no relay was connected, {len(uncommitted)} not committed"
    )
    check_inbox(said, rows, (dropped | uncommitted) - set(rows))


def _may_be_lost(said: list[Said], kills: list[Kill]) -> tuple[set[str], set[str]]:
    """Return what the gateway dropped, by its own record, and what it had sent and no relay had committed."""
    dropped, uncommitted = set[str](), set[str]()
    for kill in kills:
        on_disk = [message.id in kill.on_disk for message in said[: kill.said]]
        # up to here everything must be on a disk
        stored = max((place for place, is_there in enumerate(on_disk, 1) if is_there), default=0)
        missing = {message.id for message in said[:stored]} - kill.on_disk - dropped - uncommitted
        assert not missing, "not on a disk, although later messages are"
        sent = list(takewhile(lambda message: message.connected, said[stored : kill.said]))
        assert all(kill.at - message.at < COMMIT_SECONDS for message in sent)
        uncommitted |= {message.id for message in sent}
        dropped |= {message.id for message in said[stored : kill.said] if not message.connected}
    return dropped, uncommitted
