"""Stock clients, each in its own process, against the sandbox."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.gateway.server import PuppetServer
from sandbox.world.model import ChatMessage, Kind
from sandbox.world.world import SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.sandbox.client import TOKEN
from tests.sandbox.conftest import BOT
from tests.waiting import until

HERE = Path(__file__).parent
MODULES = HERE.parent / "gateway" / "node_modules"
PATIENCE = 90.0


class Bot:
    """A bot's process; its output is read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []

    async def wait(self, what: str) -> dict[str, Any]:
        """Return the next unread message of this kind; fail if the process ends."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while True:
                for thing in self.told:
                    if thing["what"] == what:
                        self.told.remove(thing)
                        return thing
                if not (line := await self._process.stdout.readline()):
                    pytest.fail(f"the bot ended before it told of {what}")
                if line.startswith(b"{"):
                    self.told.append(json.loads(line))


@asynccontextmanager
async def running(server: PuppetServer, home: Path, *command: str, **env: str) -> AsyncIterator[Bot]:
    """Context of a bot connected to a gateway, in its own directory."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ENDPOINT": f"127.0.0.1:{server.port}",
        "TOKEN": TOKEN,
        **env,
    }
    with (home / "stderr.txt").open("w") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=home, env=environment, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
        try:
            yield Bot(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.communicate(), 5)
            if process.returncode is None:
                process.kill()
                await process.communicate()


@pytest.fixture
def modules() -> Path:
    """Return the path of the npm packages; skip if they or node are missing."""
    if shutil.which("node") and (MODULES / "wechaty").exists():
        return MODULES
    if os.environ.get("CI"):
        pytest.fail("node or tests/gateway/node_modules is missing")
    pytest.skip("node or tests/gateway/node_modules is missing")


async def answered(world: World, text: str) -> None:
    """Wait until the bot has sent this text to 宋公明."""
    await until(lambda: any(said.text == text and said.sender == BOT for said in world.chats.history(SONG, BOT)))


async def sent_file(world: World) -> tuple[str, bytes]:
    """Wait until the bot has sent a file to 宋公明."""

    def files() -> list[ChatMessage]:
        return [said for said in world.chats.history(SONG, BOT) if said.sender == BOT and said.kind is Kind.FILE]

    await until(lambda: bool(files()))
    return files()[0].filename, world.state.media[files()[0].media].data


async def check_the_basics(world: World, bot: Bot) -> str:
    """Check login, ready, texts, lookup, a join, and a small picture; return the group's id."""
    assert (await bot.wait("login"))["id"] == BOT
    await bot.wait("ready")
    world.chats.say(SONG, BOT, "ding")
    await answered(world, "dong")
    room = world.rooms.create(SONG, [ZHIDUO, BOT], "梁山")
    await bot.wait("join")
    world.joins.add(SONG, room.id, XUANFENG)
    join = await bot.wait("join")
    assert (join["room"], join["topic"], join["who"]) == (room.id, "梁山", [XUANFENG])
    world.chats.say(SONG, BOT, "find")
    found = await bot.wait("found")
    assert (found["contact"], found["room"]) == (SONG, room.id)
    world.chats.send_media(SONG, BOT, Kind.IMAGE, "a.png", b"small picture")
    file = await bot.wait("file")
    assert (file["name"], base64.b64decode(file["base64"])) == ("a.png", b"small picture")
    world.chats.say(SONG, BOT, "file")
    return room.id


async def check_it_hears_its_own_removal(world: World, bot: Bot, room_id: str) -> None:
    """Clients read a group before reporting who left it, even if they left themselves."""
    world.rooms.remove(SONG, room_id, BOT)
    left = await bot.wait("leave")
    assert (left["room"], left["who"]) == (room_id, [BOT])


async def test_stock_python_client_works(world: World, server: PuppetServer, tmp_path: Path) -> None:
    async with running(server, tmp_path, sys.executable, str(HERE / "python_client.py")) as bot:
        room_id = await check_the_basics(world, bot)
        assert await sent_file(world) == ("hello.txt", b"hello")
        await check_it_hears_its_own_removal(world, bot, room_id)


@pytest.mark.gateway
async def test_official_node_client_works(world: World, server: PuppetServer, tmp_path: Path, modules: Path) -> None:
    insecure = {"MODULES": str(modules.parent), "WECHATY_PUPPET_SERVICE_NO_TLS_INSECURE_CLIENT": "true"}
    async with running(server, tmp_path, "node", str(HERE / "node_client.mjs"), **insecure) as bot:
        room_id = await check_the_basics(world, bot)
        assert await sent_file(world) == ("large.bin", b"\x07" * 300 * 1024)
        world.chats.send_media(SONG, BOT, Kind.FILE, "b.bin", b"x" * 5_000_000)
        assert (await bot.wait("file"))["size"] == 5_000_000
        world.chats.say(SONG, BOT, "rename")
        assert (await bot.wait("renamed"))["topic"] == "水泊"
        assert world.rooms.get(room_id).topic == "水泊"
        world.people.ask(WENLONG, BOT, "我是九纹龙")
        asked = await bot.wait("friendship")
        assert (asked["type"], asked["hello"], asked["id"]) == (2, "我是九纹龙", WENLONG)
        assert (await bot.wait("friendship"))["type"] == 1
        assert world.people.are_friends(WENLONG, BOT)
        await check_it_hears_its_own_removal(world, bot, room_id)
        assert [thing for thing in bot.told if thing["what"] == "error"] == []
