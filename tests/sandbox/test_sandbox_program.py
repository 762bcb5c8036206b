"""`python -m sandbox` as a process."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.sandbox.client import Client
from tests.sandbox.conftest import BOT
from tests.waiting import SECONDS

ROOT = Path(__file__).parents[2]


async def start(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start the program and return its output once it is up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "--port", "0", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        lines = [await process.stdout.readline() for _ in range(4)]
    return process, b"".join(lines).decode()


async def test_program_prints_addresses_and_saves_state(tmp_path: Path) -> None:
    state = tmp_path / "world.json"
    process, told = await start("--token", "insecure_t", "--state", str(state))
    found = re.search(r"(http://\S+)/api/state\ntoken +insecure_t\ngateway +127\.0\.0\.1:(\d+)  \(weimi1001", told)
    assert found
    client = Client(int(found[2]), token="insecure_t")
    async with client.events() as events:
        await events.ready()
        async with aiohttp.ClientSession() as session:
            url = f"{found[1]}/api/people/wxid_songgongming/chats/{BOT}/messages"
            async with session.post(url, json={"text": "重启也记得"}) as answer:
                assert answer.status == 201
        message = await events.payload("message")
    client.close()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0

    process, told = await start("--token", "insecure_t", "--state", str(state))
    again = re.search(r"127\.0\.0\.1:(\d+)  \(weimi1001", told)
    assert again
    client = Client(int(again[1]), token="insecure_t")
    assert (await client("MessagePayload", id=message["messageId"])).text == "重启也记得"
    client.close()
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--state", "pyproject.toml"), "pyproject.toml is damaged"),
        (("--account", " "), "昵称不能为空"),
        (("--grpc-port", "0", "--grpc-port", "0"), "more --grpc-port than --account"),
        (("--host", "192.0.2.1"), "192.0.2.1"),
        (("--port", "99999"), "port must be 0-65535"),
    ],
)
async def test_start_error_is_one_line(arguments: tuple[str, ...], why: str) -> None:
    command = (sys.executable, "-m", "sandbox", "--port", "0", *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode
    assert why in said.decode().splitlines()[-1]
    assert b"Traceback" not in said
