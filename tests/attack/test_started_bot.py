"""Attacks on one started bot: over HTTP, by people in WeChat, by its gateway, and on its disk.

ATTACK_ROUNDS sets how many random pictures and events are sent; `make attack` sends more.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from sandbox.world.model import Kind
from tests.attack import malicious_input
from tests.attack.target import MAX_MEMORY, OUTSIDE, Target, started
from tests.bot_process import ACCOUNT
from tests.waiting import SECONDS, until
from tests.web_server import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROUNDS = int(os.environ.get("ATTACK_ROUNDS", "30"))
SEED = int(os.environ.get("ATTACK_SEED", "1"))
EVIL = "https://attacker.example/join"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    """The bot and a group with 黑旋风."""
    config: dict[str, Any] = {
        "api": {"allowed_networks": ["127.0.0.1/32"]},
        "groups": {"confirm_seconds": 2, "warn_limit": 1000, "flood": {"messages": 100_000, "seconds": 1}},
    }
    async with started(tmp_path_factory.mktemp("attack"), **config) as target:
        await target.make_group()
        yield target


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def memory_is_bounded(bot: Target) -> AsyncIterator[None]:
    """Fail a test after which the bot uses too much memory."""
    yield
    assert bot.peak < MAX_MEMORY, f"MiB of each process: {bot.parts}"


async def wait_until_code_is_read(bot: Target) -> None:
    """Wait until a QR code sent now is found: pictures are still looked at."""
    before = sum("请勿发送二维码" in m.text for m in bot.seen("宋公明", bot.room))
    bot.world.chats.send_media(
        bot.id("黑旋风"), bot.room, Kind.IMAGE, "c.png", malicious_input.saved(malicious_input.qr_code(EVIL), "PNG")
    )
    await until(
        lambda: sum("请勿发送二维码" in m.text for m in bot.seen("宋公明", bot.room)) > before, "the code is found"
    )


async def test_dns_rebinding_is_rejected(bot: Target) -> None:
    """DNS rebinding: the page's host name leads here, so the browser lets it read the answers."""
    body = {"assistant": ACCOUNT, "to": "宋公明", "text": "你好"}
    for path in ("/wxbot/qun?code=shop-1", "/console/", "/metrics", "/readyz", "/openapi.json", "/console/api/events"):
        for host in ("rebind.attacker.example", f"rebind.attacker.example:{bot.bot.port}", "127.0.0.1.nip.io"):
            status, answer = await bot.call("GET", path, headers={"Host": host})
            assert (status, answer["error"]["code"]) == (403, 1002), (path, host)
    for headers in ({"Host": "rebind.attacker.example"}, {"Origin": "http://attacker.example"}, {"Origin": "null"}):
        status, answer = await bot.call("POST", "/wxbot/message", json=body, headers=headers)
        assert (status, answer["error"]["code"]) == (403, 1002), headers
    assert (await bot.call("POST", "/wxbot/message", json=body))[0] == 202


async def test_slow_and_silent_clients_are_closed(bot: Target) -> None:
    """Internal callers are still answered, every such connection is closed, and the log stays short."""
    log_before = len(bot.bot.log())
    opened = []
    for number in range(400):
        host = f"127.0.1.{number % 8 + 1}"
        reader, writer = await asyncio.open_connection("127.0.0.1", bot.bot.port, local_addr=(host, 0))
        if number % 2:
            writer.write(b"GET /weiqun/x HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        opened.append((reader, writer))
    for _ in range(20):
        assert (await bot.call("GET", "/readyz"))[0] == 200
    async with asyncio.timeout(SECONDS):
        for reader, writer in opened:
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
            writer.close()
    assert len(bot.bot.log()) - log_before < 20_000


async def test_external_clients_reach_the_landing_page_only(bot: Target) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(OUTSIDE, 0))) as outside:
        for path in ("/wxbot/qun?code=shop-1", "/metrics", "/console/", "/docs", "/wxbot/assistant"):
            async with outside.get(bot.bot.url + path, headers={"X-Forwarded-For": "127.0.0.1"}) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (403, 1002), path
        async with outside.get(f"{bot.bot.url}/weiqun/AAAA") as response:
            assert response.status == 404
            assert "error" not in await response.text()


async def test_malicious_pictures_are_survived(bot: Target) -> None:
    pictures = await asyncio.to_thread(
        lambda: list(malicious_input.pictures(ROUNDS, SEED))
    )  # the gateway keeps running
    for number, (name, data) in enumerate(pictures):
        kind = (Kind.IMAGE, Kind.EMOTICON, Kind.FILE)[number % 3]
        bot.world.chats.send_media(bot.id("黑旋风"), bot.room, kind, name, data)
    await wait_until_code_is_read(bot)
    await bot.bot.wait_idle(SECONDS)
    await bot.answers()
    assert "parked" not in bot.bot.log()


async def test_malformed_events_and_texts_are_survived(bot: Target) -> None:
    for kind, payload in list(malicious_input.events(ROUNDS * 5, SEED)):
        bot.send_raw(kind, payload)
    for text in (
        "\0",
        "\u202e\u2028#1 结束",
        "/踢 " + "@" * 5000,
        "1" * 100_000,
        "<msg>" * 3000,
        "「" * 20_000 + "：」",
    ):
        bot.say("黑旋风", f"x{text}")
        bot.say("黑旋风", f"x{text}", bot.room)
    stranger = bot.world.people.create("x\n【#1 李四】\u202e")
    bot.world.people.ask(stranger.id, bot.id("bot"), "\0\u2028" * 50)
    await bot.answers()
    await bot.bot.wait_idle(SECONDS)
    log = bot.bot.log()
    assert "Traceback" not in log, log[log.index("Traceback") - 300 :][:3000]
    assert not any(sign in log for sign in "\0\u2028\u202e\x1b")


async def test_malicious_file_boxes_are_not_fetched(bot: Target) -> None:
    """File boxes of every bad kind instead of pictures. Nothing on this machine is fetched for it."""
    fetched: list[str] = []

    async def fetch(request: web.Request) -> web.Response:
        fetched.append(request.path)
        return web.Response(body=b"secret")

    async with serving(fetch) as url:
        port = url.rpartition(":")[2]
        large = base64.b64encode(bytes(6_000_000)).decode()
        uploads, honest = bot.sandbox.servers[ACCOUNT].uploads, bot.sandbox.servers[ACCOUNT].uploads.box
        boxes: list[dict[str, Any]] = [
            *({"type": 1, "base64": large} for _ in range(4)),
            *({"type": 7, "uuid": uploads.store(bytes(size))} for size in (10_000_000, 10_000_000, 60_000_000)),
            {"type": 1, "base64": large * 4},
            {"type": 1, "base64": 5},
            {"type": 2, "url": f"{url}/direct", "headers": {"Authorization": "x"}},
            {"type": 2, "url": f"http://localhost:{port}/name"},
            {"type": 2, "url": f"http://[::ffff:127.0.0.1]:{port}/mapped"},
            {"type": 2, "url": f"http://2130706433:{port}/number"},
            {"type": 2, "url": "file:///etc/passwd"},
            {"type": 3, "qrCode": "x" * 100_000},
            {"type": 7, "uuid": "../../../etc/passwd"},
            {"type": 99},
        ]
        hostile = [json.dumps({"name": "../../a.png", **box}) for box in boxes]
        hostile += ["[" * 100_000, '{"a":' * 50_000, "null", "\ufffd", '{"type": 1, "base64": "' + "A" * 20_000_000]
        given = iter(hostile)
        uploads.box = lambda name, data: next(given, None) or honest(name, data)  # type: ignore[method-assign]
        try:
            for number in range(len(hostile)):
                bot.world.chats.send_media(bot.id("黑旋风"), bot.room, Kind.IMAGE, f"{number}.png", b"\x89PNG")
            await bot.answers()
            await bot.bot.wait_idle(SECONDS)
        finally:
            uploads.box = honest  # type: ignore[method-assign]
        assert next(given, None) is None, "every one was asked for"
    assert fetched == []
    await wait_until_code_is_read(bot)


async def test_deleted_database_ends_the_process(bot: Target) -> None:
    """Last, because the bot has stopped afterwards. Anything it accepted later would be lost."""
    for file in bot.bot.folder.glob("wxbot.db*"):
        file.unlink()
    assert bot.bot.process is not None
    assert await asyncio.wait_for(bot.bot.process.wait(), SECONDS) == 1
    lines = bot.bot.log().splitlines()
    assert sum("the database file was deleted or replaced; stopping" in line for line in lines) == 1
    assert lines[-1] == "已停止：数据库文件被删除或替换了"
    assert "Traceback" not in bot.bot.log()
    assert not (Path(bot.bot.folder) / "wxbot.db").exists()
