"""A started bot that is attacked from outside, and a gateway under the attacker's control."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil

import sandbox
from protocol import puppet_pb2 as pb
from sandbox.world.model import ChatMessage
from sandbox.world.world import World
from tests.bot_process import ACCOUNT, BotProcess
from tests.stories.conftest import NAMES
from tests.waiting import SECONDS, until

MAX_MEMORY: Final = 256 * 1024 * 1024  # bytes of the bot and its children together, at any time
OUTSIDE: Final = "127.0.0.3"  # an address that is not in api.allowed_networks
LOOK_EVERY: Final = 0.1  # seconds between two looks at the memory


@dataclass(frozen=True, slots=True)
class Gateway:
    """How the bot reaches its gateway."""

    endpoint: str
    token: str
    tls: bool = False


class Target:
    """The bot, its WeChat, and a group in it."""

    def __init__(self, bot: BotProcess, world: sandbox.Sandbox, http: aiohttp.ClientSession) -> None:
        self.bot = bot
        self.sandbox = world
        self.http = http
        self.peak = 0  # bytes
        self.parts: list[int] = []  # MiB of each process at the peak
        self.room = ""
        self._asked = 0

    @property
    def world(self) -> World:
        """The simulated WeChat."""
        return self.sandbox.world

    def id(self, who: str) -> str:
        """Return a person's WeChat id."""
        return self.world.accounts.person(ACCOUNT).id if who == "bot" else NAMES.get(who, who)

    def say(self, who: str, text: str, to: str = "bot") -> None:
        """Send a text as a person."""
        self.world.chats.say(self.id(who), self.id(to), text)

    def send_raw(self, kind: int, payload: str) -> None:
        """Send the bot an event as the gateway."""
        self.sandbox.servers[ACCOUNT].send_raw(pb.EventResponse(type=kind, payload=payload))

    def seen(self, who: str, chat: str = "bot") -> list[ChatMessage]:
        """Return what a person sees in a chat."""
        return self.world.chats.history(self.id(who), self.id(chat), limit=1000)

    async def receives(self, who: str, text: str, chat: str = "bot") -> None:
        """Wait until a person sees a text."""
        await until(lambda: any(text in m.text for m in self.seen(who, chat)), f"{who} hears {text}", SECONDS)

    async def answers(self) -> None:
        """Wait until the bot answers a question; it handles all earlier messages first."""
        self._asked += 1
        self.say("宋公明", f"问{self._asked}")
        await self.receives("宋公明", f"答{self._asked}")

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Send a request from inside the networks."""
        async with self.http.request(method, self.bot.url + path, **more) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else await response.text()

    async def make_group(self) -> None:
        """Make a group with 黑旋风."""
        body = {"code": "shop-1", "owner": "宋公明", "assistant": ACCOUNT}
        status, answer = await self.call("POST", "/wxbot/qun", json=body)
        assert status == 201, answer
        (room,) = self.world.rooms.of(self.id("bot"))
        self.room = room.id
        self.world.rooms.admit_members(room, [self.id("黑旋风")], self.id("bot"))
        await self.receives("宋公明", "欢迎 @黑旋风", self.room)

    async def watch_memory(self) -> None:
        """Keep the peak of the memory of the process and its children up to date."""
        assert self.bot.process is not None
        process = psutil.Process(self.bot.process.pid)
        while True:
            with contextlib.suppress(psutil.NoSuchProcess):
                tree = [process, *process.children(recursive=True)]
                sizes = [process.memory_info().rss for process in tree]
                if sum(sizes) > self.peak:
                    self.peak, self.parts = sum(sizes), [size // 2**20 for size in sizes]
            await asyncio.sleep(LOOK_EVERY)


@asynccontextmanager
async def started(folder: Path, environment: dict[str, str] | None = None, **config: Any) -> AsyncIterator[Target]:
    """Start WeChat and a bot process; yield when the bot is ready."""
    async with AsyncExitStack() as stack:
        world = await sandbox.start([ACCOUNT], port=0, world=World.default([ACCOUNT], seed=1))
        stack.push_async_callback(world.stop)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        bot = BotProcess(folder, Gateway(world.endpoints[ACCOUNT], world.token), environment=environment, **config)
        stack.push_async_callback(bot.kill)
        await bot.start()
        await bot.ready(SECONDS)
        target = Target(bot, world, http)
        watching = asyncio.create_task(target.watch_memory())
        stack.callback(watching.cancel)
        yield target
