"""The process with --check, --version and SIGHUP."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.bot_process import ROOT, free_port
from tests.waiting import SECONDS

FIRST, SECOND = "first-0123456789ab", "second-0123456789ab"


def bot(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "bot.py", *arguments), cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_version() -> None:
    done = bot("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"wxbot \d+\.\d+\.\d+\S*\n", done.stdout)


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
def test_check_says_so_in_one_line(tmp_path: Path, config: str, code: int, line: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(config)
    (tmp_path / "faq.yaml").write_text("- questions: [a]\n  reply: b\n")
    done = bot("--check", "--config", str(file))
    said = done.stdout + done.stderr
    assert (done.returncode, line in said, said.count("\n")) == (code, True, 1), said


async def test_sighup_reloads_and_never_ends_the_process(tmp_path: Path) -> None:
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
    """Whether a call with this key gets this status, within some seconds."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        for _ in range(400):
            try:
                async with http.get(f"http://127.0.0.1:{port}/wxbot/qun") as response:
                    if response.status == status:
                        return True
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    return False
