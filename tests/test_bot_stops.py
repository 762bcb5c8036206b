"""Stopping `python bot.py` by a signal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import bot
from tests.bot_config import write
from tests.bot_process import ROOT
from tests.command_line import run_bot
from tests.waiting import SECONDS, until

__all__ = ["run_bot"]


HANGS = """
import asyncio, sys, time
import bot
from config import load
async def stop(self):
    time.sleep(300)  # as for a database that does not answer
bot.Bot.stop, bot.LIMIT = stop, 0.5
asyncio.run(bot.run(load(sys.argv[1])))
"""


@pytest.mark.parametrize(
    "how",
    [("bot.py", "--config"), ("-c", HANGS), ("-c", HANGS.replace("time.sleep(300)", "raise OSError"))],
    ids=["as usual", "something hangs", "something fails"],
)
async def test_sigterm_stops_the_bot(tmp_path: Path, how: tuple[str, ...]) -> None:
    assert bot.LIMIT < 10, "seconds that SIGTERM allows"
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, *how, str(write(tmp_path))), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert running.stdout is not None
        assert b"wxbot is running" in await asyncio.wait_for(running.stdout.readline(), SECONDS)
        running.terminate()
        assert await asyncio.wait_for(running.wait(), SECONDS) == 0
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only /proc tells how far the imports are")
async def test_sigterm_during_imports_stops_the_bot(tmp_path: Path) -> None:
    command = (sys.executable, "bot.py", "--config", str(write(tmp_path)))
    running = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    try:
        await until(lambda: "pydantic_core" in files_of(running.pid), "the imports have begun")
        running.terminate()
        _, said = await asyncio.wait_for(running.communicate(), SECONDS)
        assert (running.returncode, said) == (0, b"")
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


def files_of(pid: int) -> str:
    """Return the libraries loaded by a process."""
    return Path(f"/proc/{pid}/maps").read_text()
