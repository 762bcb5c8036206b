"""Memory after many messages and contacts compared to few, and a burst beside two busy processes."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.measured_processes import MeasuredProcess, folder, gateway, measured_process
from benchmarks.tables import table
from tests.bot_process import BotProcess
from tests.official import OfficialGateway

BATCH = 2000


async def run(first: int = 4000, last: int = 12000, contacts: int = 2000) -> str:
    """Measure memory. `--long`: after 10 000 and 100 000 messages, with 10 000 contacts."""
    async with gateway(contacts=contacts) as world, folder() as home:
        bot = BotProcess(home, world)
        await bot.start()
        try:
            await bot.ready(120)
            await _say(world, bot, contacts, first)
            early = await _settled(bot)
            await _say(world, bot, contacts, last - first)
            memory_after = await _settled(bot)
        finally:
            await bot.kill()
    lines = [
        (f"{first} messages", f"{early:.0f}", "1.00"),
        (f"{last} messages", f"{memory_after:.0f}", f"{memory_after / early:.3f}"),
    ]
    return table(f"wxbot's memory, {contacts} contacts", ("after", "MB", "x"), lines)


async def _say(world: OfficialGateway, bot: BotProcess, contacts: int, count: int) -> None:
    for begin in range(0, count, BATCH):
        people = [f"c{(begin + i) % contacts}" for i in range(BATCH)]
        await world.do("burst", count=BATCH, text=f"问{begin} ", **{"from": people})
        await bot.wait_idle(120)  # the gateway searches through all messages it has sent


async def _settled(bot: BotProcess) -> float:
    await asyncio.sleep(5)
    assert bot.process is not None
    return MeasuredProcess(bot.process.pid).memory()


async def run_beside_burners(count: int = 6000) -> str:
    """Count how many messages of a burst are answered while two processes use all CPUs."""
    burn = (sys.executable, "-c", "while True: pass")
    burners = [await asyncio.create_subprocess_exec(*burn) for _ in range(2)]
    try:
        async with gateway(contacts=100) as world, measured_process("wxbot", world):
            before = len(await world.sent())
            await world.do("burst", count=count, text="问", **{"from": [f"c{i}" for i in range(1, 100)]})
            await world.wait_sent(before + count, seconds=300)
            answered = len({row["text"] for row in await world.sent()}) - 1
    finally:
        for burner in burners:
            burner.kill()
            await burner.wait()
    return table("a burst beside two CPU burners", ("sent", "answered"), [(str(count), str(answered))])
