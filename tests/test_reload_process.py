"""bot.py with --check and SIGHUP."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.bot_process import ROOT
from tests.command_line import RunBot, run_bot
from tests.ports import free_port
from tests.waiting import SECONDS

__all__ = ["run_bot"]
FIRST, SECOND = "first-0123456789ab", "second-0123456789ab"


@pytest.mark.parametrize(
    ("config", "code", "line"),
    [
        ("texts: {}\n", 0, "没有问题"),
        ("api: {port: x}\n", 2, "api.port"),
        ("jobs: [{name: nothing}]\n", 2, "jobs.1.name"),
        ("customer_service: {keywords: [{equals: a, reply: [{file: nowhere.pdf}]}]}\n", 2, "nowhere.pdf"),
        ("customer_service: {faq: faq.yaml}\n", 2, "faq.yaml"),
        ("admins: [店长]\n", 2, "admins.1"),
    ],
)
def test_check_prints_one_line(run_bot: RunBot, tmp_path: Path, config: str, code: int, line: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(config)
    (tmp_path / "faq.yaml").write_text("- questions: [a]\n  reply: b\n")
    done = run_bot("--check", "--config", file)
    said = done.stdout + done.stderr
    assert (done.code, line in said, said.count("\n")) == (code, True, 1), said


async def test_sighup_reloads_without_ending_the_process(tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "config.yaml"
    config = (
        f"database: sqlite:///{tmp_path}/wxbot.db\napi: {{port: {port}, keys: [KEY]}}\n"
        "sandbox: {port: 0}\nsystems: {}\nflows: []\ncustomer_service: {faq: ''}\n"
    )
    file.write_text(config.replace("KEY", FIRST))
    command = (sys.executable, "bot.py", "--config", str(file))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert await _answers(port, FIRST, 200)
        file.write_text("api: [broken\n")
        process.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.5)
        assert await _answers(port, FIRST, 200)
        file.write_text(config.replace("KEY", f"{FIRST}, {SECOND}"))
        process.send_signal(signal.SIGHUP)
        assert await _answers(port, SECOND, 200)
        assert await _answers(port, FIRST, 200)
        file.write_text(config.replace("KEY", SECOND))
        process.send_signal(signal.SIGHUP)
        assert await _answers(port, FIRST, 401)
        ended = process.returncode
        assert ended is None
    finally:
        process.terminate()
        said, _ = await process.communicate()
    assert process.returncode == 0
    assert re.search(r"config was not reloaded: .*line \d", said.decode())


async def _answers(port: int, key: str, status: int) -> bool:
    """Wait until a call with this key gets this status; False if it never does."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                async with http.get(f"http://127.0.0.1:{port}/wxbot/qun") as response:
                    if response.status == status:
                        return True
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    return False
