"""The stand-ins for business systems: idempotency, and callbacks that survive a restart."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.systems import HIPOS, YUNMALL, Systems, call_back, start_systems
from tests.waiting import SECONDS


async def ask(url: str, body: Any, key: str = "k", method: str = "POST") -> tuple[int, Any]:
    """Send a request like the bot does."""
    headers = {"Idempotency-Key": key}
    async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as response:
        return response.status, await response.json()


async def test_same_key_gets_same_response() -> None:
    systems = await start_systems(ports=(0, 0))
    url = f"{systems.urls[HIPOS]}/devices/authorizations"
    first = await ask(url, {"store": "一店", "callback": "http://127.0.0.1:1/"})
    assert first[0] == 202
    assert await ask(url, {"store": "一店", "callback": "http://127.0.0.1:1/"}) == first
    assert [request.repeats for request in systems.request_log.asked] == [1]
    other = await ask(url, {"store": "一店", "callback": "http://127.0.0.1:1/"}, "another")
    assert other != first
    await systems.stop()


@pytest.mark.parametrize(
    ("system", "method", "path", "body", "answer"),
    [
        (YUNMALL, "POST", "/payments", {"merchant": "a"}, (400, {"message": "缺少 payment"})),
        (YUNMALL, "POST", "/payments", [], (400, {"message": "缺少 merchant"})),
        (HIPOS, "PUT", "/merchants/a", {"name": " "}, (400, {"message": "缺少 name"})),
        (HIPOS, "PUT", "/merchants/a/payment", {"merchant": "a", "payment": "b"}, (404, {"message": "没有这个商户"})),
        (HIPOS, "POST", "/devices/authorizations", {"store": "a"}, (400, {"message": "缺少 callback"})),
    ],
)
async def test_incomplete_request_is_rejected(system: str, method: str, path: str, body: Any, answer: Any) -> None:
    systems = await start_systems(ports=(0, 0))
    assert await ask(systems.urls[system] + path, body, method=method) == answer
    await systems.stop()


async def test_pending_callbacks_survive_restart(tmp_path: Path) -> None:
    systems = await start_systems(ports=(0, 0), state=tmp_path / "systems")
    url = f"{systems.urls[HIPOS]}/devices/authorizations"
    _, answer = await ask(url, {"store": "一店", "callback": "http://127.0.0.1:1/"})
    await systems.stop()
    again: Systems = await start_systems(ports=(0, 0), state=tmp_path / "systems")
    (owed,) = again.request_log.asked
    assert (owed.owed, owed.answer) == ("waiting", answer)
    assert not await call_back(again.request_log, owed, "success")
    assert owed.owed == "undelivered"
    await again.stop()


async def test_interrupted_callback_can_be_sent_again(tmp_path: Path) -> None:
    systems = await start_systems(ports=(0, 0), state=tmp_path / "systems")
    url = f"{systems.urls[HIPOS]}/devices/authorizations"
    await ask(url, {"store": "一店", "callback": "http://127.0.0.1:1/"})
    systems.request_log.asked[0].owed = "sending"
    systems.request_log.changed()
    await systems.stop()
    again = await start_systems(ports=(0, 0), state=tmp_path / "systems")
    assert [request.owed for request in again.request_log.asked] == ["undelivered"]
    await again.stop()


async def test_damaged_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "systems"
    path.write_text("{")
    with pytest.raises(OSError, match="systems is damaged"):
        await start_systems(ports=(0, 0), state=path)


async def test_taken_port_is_reported_and_the_other_server_starts() -> None:
    first = await start_systems(ports=(0, 0))
    taken = int(first.urls[YUNMALL].rpartition(":")[2])
    second = await start_systems(ports=(taken, 0))
    assert list(second.urls) == [HIPOS]
    assert second.problems == [f"the stub of 云商城 cannot listen on 127.0.0.1:{taken}: Address already in use"]
    await second.stop()
    command = (sys.executable, "-m", "sandbox.systems", "--ports", str(taken), "0")
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 1
    assert said.count(b"Address already in use") == 1
    await first.stop()
