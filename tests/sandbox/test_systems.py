"""The stand-ins for business systems: idempotency, and callbacks that survive a restart."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.systems import HIPOS, YUNMALL, Systems, call_back, ports_of, start_systems
from tests.ports import free_port
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
    assert [request.repeats for request in systems.request_log.requests] == [1]
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
    (owed,) = again.request_log.requests
    assert (owed.owed, owed.answer) == ("waiting", answer)
    assert not await call_back(again.request_log, owed, "success")
    assert owed.owed == "undelivered"
    await again.stop()


async def test_interrupted_callback_can_be_sent_again(tmp_path: Path) -> None:
    systems = await start_systems(ports=(0, 0), state=tmp_path / "systems")
    url = f"{systems.urls[HIPOS]}/devices/authorizations"
    await ask(url, {"store": "一店", "callback": "http://127.0.0.1:1/"})
    systems.request_log.requests[0].owed = "sending"
    systems.request_log.changed()
    await systems.stop()
    again = await start_systems(ports=(0, 0), state=tmp_path / "systems")
    assert [request.owed for request in again.request_log.requests] == ["undelivered"]
    await again.stop()


async def test_damaged_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "systems"
    path.write_text("{")
    with pytest.raises(OSError, match="systems is damaged"):
        await start_systems(ports=(0, 0), state=path)


@pytest.mark.parametrize(
    ("base_urls", "ports"),
    [
        ({}, [9101, 9102]),
        ({YUNMALL: "http://127.0.0.1:9201", HIPOS: "http://localhost:9202/api"}, [9201, 9202]),
        ({YUNMALL: "https://shop.example:9201", HIPOS: "http://127.0.0.1:9202"}, [9101, 9202]),
        ({HIPOS: "http://127.0.0.1", "erp": "http://127.0.0.1:9201"}, [9101, 80]),
    ],
)
def test_ports_are_those_that_flows_call(base_urls: dict[str, str], ports: list[int]) -> None:
    assert ports_of(base_urls) == ports


async def start_alone(*arguments: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.systems", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | variables,
    )


@pytest.mark.parametrize("by_argument", [False, True])
async def test_ports_are_taken_from_arguments_or_variables(by_argument: bool) -> None:
    """The arguments come first."""
    one, two, other = free_port(), free_port(), free_port()
    arguments = ("--ports", str(one), str(two)) if by_argument else ()
    variables = {"YUNMALL_PORT": str(other if by_argument else one), "HIPOS_PORT": str(two)}
    process = await start_alone(*arguments, **variables)
    assert process.stdout is not None
    lines = [(await asyncio.wait_for(process.stdout.readline(), SECONDS)).decode().strip() for _ in range(2)]
    process.terminate()
    assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    assert lines == [f"yunmall: http://127.0.0.1:{one}", f"hipos: http://127.0.0.1:{two}"]


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        (("--ports", "70000", "1"), {}, "argument --ports: '70000' is not a port: expected 0 to 65535"),
        ((), {"HIPOS_PORT": "x"}, "HIPOS_PORT: 'x' is not a port: expected 0 to 65535"),
    ],
)
async def test_invalid_port_is_named(arguments: tuple[str, ...], variables: dict[str, str], says: str) -> None:
    process = await start_alone(*arguments, **variables)
    _, said = await asyncio.wait_for(process.communicate(), SECONDS)
    assert (process.returncode, said.decode().strip().endswith(says)) == (2, True)


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
