"""kill -9 of bot and gateway at random times under load: nothing accepted is lost.

CHAOS_KILLS sets the number (`make chaos`: 120); CHAOS_SEED repeats the random choices, but not the timing.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from app.lifecycle import GRACE
from tests.bot_process import BotProcess
from tests.chaos.load import OWNER, PEOPLE, Load
from tests.chaos.verification import compare
from tests.official import OfficialGateway, Start, official

__all__ = ["official"]

KILLS = int(os.environ.get("CHAOS_KILLS", "5"))
HELD = "another client holds the gateway's event stream"
SEED = int(os.environ.get("CHAOS_SEED", "0"))
pytestmark = [pytest.mark.gateway, pytest.mark.timeout(300 + 60 * KILLS)]


async def _start_bot(official: Start, folder: Path) -> tuple[OfficialGateway, BotProcess]:
    gateway = await official(state=folder / "journal")
    await gateway.setup(contacts=PEOPLE)
    await gateway.contact("wxid_zdx", "智多星")
    return gateway, BotProcess(folder, gateway, preloaded=True)


async def _kill_one(choice: random.Random, bot: BotProcess, gateway: OfficialGateway) -> None:
    if choice.random() < 0.6:
        await bot.kill()
        await asyncio.sleep(choice.choice((0.0, 0.3)))
        await bot.start()
    else:
        await gateway.restart()


async def _wait_until_ready(bot: BotProcess, gateway: OfficialGateway) -> int:
    """Wait until the bot is ready; return the number of gateway restarts needed.

    A client killed while its stream opens can leave the official gateway holding that stream forever. Then the gateway
    must be restarted, as the log tells operators.
    """
    try:
        await bot.ready(150)
    except RuntimeError:
        if HELD not in bot.log():
            raise
        await gateway.restart()
        await bot.ready(150)
        return 1
    return 0


async def test_kill_9_under_load_loses_nothing(official: Start, tmp_path: Path) -> None:
    gateway, bot = await _start_bot(official, tmp_path)
    choice = random.Random(SEED)
    load, by_hand = Load(bot, gateway), 0
    try:
        await bot.start()
        await bot.ready(150)
        load.start()
        for kill in range(KILLS):
            await asyncio.sleep(choice.uniform(0.1, 2.5))
            await _kill_one(choice, bot, gateway)
            if kill % 3 == 2:  # otherwise the next kill may hit it while it starts
                by_hand += await _wait_until_ready(bot, gateway)
        by_hand += await _wait_until_ready(bot, gateway)
        await load.stop()
        await bot.wait_idle()
        code, _ = await bot.terminate()
        assert code == 0
        result = compare(bot.database, await gateway.sent(), await gateway.rooms())
    finally:
        await bot.kill()
    print(  # noqa: T201
        f"\n{KILLS} kills: {load.number} messages said, {result.stored} events stored, {len(load.accepted)} promised "
        f"by REST, {len(load.groups)} groups, {len(load.joined)} joins; {result.doubles} doubles "
        f"({result.doubles / KILLS:.1f} a kill); gateway restarted by hand {by_hand} times; "
        f"answers {dict(load.statuses)}"
    )
    assert result.stored > 10 * KILLS, "the load was too small to prove anything"
    assert result.not_acted_on == []
    assert result.not_answered == []
    assert result.not_sent == []
    assert result.out_of_order == []
    assert result.duplicates == []
    got = {row["text"] for row in await gateway.sent()}
    assert [text for text in load.accepted if text not in got] == []
    rooms = await gateway.rooms()
    made = [room for room in rooms if OWNER in room["memberIdList"]]
    assert len(made) == len(load.groups), "each code is one group"
    assert len(load.groups) > 0
    assert sum({"c5", "c6"} <= set(room["memberIdList"]) for room in made) >= len(load.joined) // 2


async def test_sigterm_under_load_loses_nothing(official: Start, tmp_path: Path) -> None:
    gateway, bot = await _start_bot(official, tmp_path)
    load, in_time = Load(bot, gateway), True
    try:
        await bot.start()
        await bot.ready(150)
        load.start()
        for turn in range(2):
            await gateway.do("burst", count=400, text=f"问{turn} ", **{"from": [f"c{i}" for i in range(PEOPLE)]})
            await asyncio.sleep(0.7)
            code, seconds = await bot.terminate()
            assert code == 0, f"exit {code} after {seconds:.1f} s\n{bot.log()[-2000:]}"
            in_time = in_time and seconds < GRACE
            await bot.start()
            await bot.ready(150)
        await load.stop()
        await bot.wait_idle()
        result = compare(bot.database, await gateway.sent(), await gateway.rooms())
    finally:
        await bot.kill()
    assert result.stored > 100
    problems = (result.not_acted_on, result.not_answered, result.not_sent, result.out_of_order, result.duplicates)
    assert problems == ([], [], [], [], [])
    if in_time:  # on a slow machine, work may take longer than a process has after SIGTERM
        assert result.doubles == 0, "nothing was cut off"
