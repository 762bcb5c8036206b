"""Fixtures of the stories: the real bot over the sandbox's WeChat, in which tests act as people."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlmodel import col, select

import sandbox
from app.lifecycle import Bot
from config import Config
from models.durable import InboxEvent
from protocol import puppet_pb2 as pb
from sandbox.world.model import ChatMessage, Kind, WorldRoom
from sandbox.world.world import World
from tests.bot_config import NO_JOBS
from tests.databases import database, make_sqlite, postgres
from tests.waiting import SECONDS, until
from wechat.connection import Timing

__all__ = ["database", "postgres", "until"]

ACCOUNT = "weimi1001"

NAMES = {
    "宋公明": "wxid_songgongming",
    "黑旋风": "wxid_heixuanfeng",
    "智多星": "wxid_zhiduoxing",
    "店长": "wxid_admin",
    "九纹龙": "wxid_jiuwenlong",
}


class BotEnvironment:
    """A bot, its WeChat and its people, who are named by nickname or id."""

    def __init__(self, folder: Path, accounts: Iterable[str] = (ACCOUNT,), **config: Any) -> None:
        self.folder = folder
        self.accounts = list(accounts)
        self.extra = config
        self.timing = Timing(create=3.0, confirm_interval=0.5)  # shorter than in production
        self._words = 0
        self.ahead = 0.0  # seconds by which the bot's clock is ahead of the world's
        self.bot: Bot
        self.sandbox: sandbox.Sandbox
        self.http: aiohttp.ClientSession
        self._stack = AsyncExitStack()

    # ---- start and stop ----

    async def open(self) -> BotEnvironment:
        """Start WeChat and the bot, and wait until it is ready."""
        if not (self.folder / "wxbot.db").exists():
            await asyncio.to_thread(make_sqlite, self.folder / "wxbot.db")
        world = World.default(self.accounts, seed=1)
        self.sandbox = await sandbox.start(self.accounts, port=0, world=world)
        self._stack.push_async_callback(self.sandbox.stop)
        self.http = await self._stack.enter_async_context(aiohttp.ClientSession())
        await self.start_bot()
        return self

    async def close(self) -> None:
        """Stop the bot and WeChat."""
        await self.stop_bot()
        await self._stack.aclose()

    async def start_bot(self) -> None:
        """Start the bot on the same database and wait until it is ready."""
        self.bot = Bot(self.config(), self.timing, clock=lambda: time.time() + self.ahead, source=self.config)
        await self.bot.start()
        await self.ready()

    async def stop_bot(self) -> None:
        """Stop the bot as on SIGTERM."""
        await self.bot.stop()

    async def restart_bot(self) -> None:
        """Restart the bot."""
        await self.stop_bot()
        await self.start_bot()

    async def ready(self) -> None:
        """Wait until every assistant is online."""
        await until(lambda: all(self.bot.container.accounts.is_online(a) for a in self.accounts), "online")

    def config(self) -> Config:
        """Return the config: no rate limits and delays by default; `extra` settings are merged by section.

        The scheduler runs no job: one that runs at a full minute of the real clock changes what a story counts.
        """
        assistants = [
            {"account": a, "endpoint": self.sandbox.endpoints[a], "token": self.sandbox.token, "tls": False}
            for a in self.accounts
        ]
        data: dict[str, Any] = {
            "assistants": assistants,
            "database": f"sqlite:///{self.folder}/wxbot.db",
            "api": {"port": 0},
            "admins": ["wxid_admin"],
            "groups": {"confirm_seconds": 2},
            "customer_service": {"accept": {"delay_seconds": [0, 0]}, "faq": ""},
            "pacing": {"enabled": False},
            "limits": {"repeats": 1000},  # stories repeat the same questions
            "jobs": NO_JOBS,
        }
        return Config(**_merge(data, self.extra))

    # ---- REST ----

    @property
    def url(self) -> str:
        """Base URL of the REST API."""
        return f"http://127.0.0.1:{self.bot.port}"

    async def call(self, method: str, path: str, json: Any = None, **more: Any) -> tuple[int, Any, dict[str, str]]:
        """Send a request; return status, JSON body (or None) and headers."""
        async with self.http.request(method, self.url + path, json=json, **more) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else None, dict(response.headers)

    async def make_group(self, code: str = "code-1", owner: str = "宋公明") -> Any:
        """Create a group by REST; return the qun of GET, with its WeChat room id as `room`."""
        body = {"code": code, "owner": owner, "assistant": self.accounts[0]}
        status, answer, _ = await self.call("POST", "/wxbot/qun", body)
        assert status in (200, 201), answer
        _, answer, _ = await self.call("GET", "/wxbot/qun", params={"code": code})
        qun = answer["qun"]
        kept = self.bot.container.groups.by_number(qun["number"])
        assert kept is not None
        qun["room"] = self.bot.container.groups.rooms(kept)[0].room_id
        return qun

    async def join(self, token: str, member: str) -> tuple[int, Any, dict[str, str]]:
        """Request a membership by REST."""
        return await self.call("POST", "/wxbot/qun/membership", {"token": token, "member": member})

    # ---- people ----

    @property
    def world(self) -> World:
        """The simulated WeChat."""
        return self.sandbox.world

    def id(self, who: str) -> str:
        """Return a person's WeChat id; "bot" is the first assistant, other assistants by name."""
        if who == "bot":
            return self.world.accounts.person(self.accounts[0]).id
        if who in self.accounts:
            return self.world.accounts.person(who).id
        return NAMES.get(who, who)

    def add_person(self, name: str, *, friend: bool = True, account: str = "") -> str:
        """Create a person; return their WeChat id."""
        person = self.world.people.create(name)
        if friend:
            self.world.people.befriend(person.id, self.id(account or "bot"))
        return person.id

    def room(self, room_id: str) -> WorldRoom:
        """Return a group of the world."""
        return self.world.rooms.get(room_id)

    def say(self, who: str, text: str, to: str = "bot", mentions: Iterable[str] = ()) -> ChatMessage:
        """Send a text as a person, to the assistant unless `to` is another person or a room id."""
        return self.world.chats.say(self.id(who), self.id(to), text, [self.id(m) for m in mentions])

    def send_file(self, who: str, kind: Kind, name: str, data: bytes) -> None:
        """Send a picture, voice message, video or file to the assistant as a person."""
        self.world.chats.send_media(self.id(who), self.id("bot"), kind, name, data)

    def file_of(self, message: ChatMessage) -> bytes:
        """Return the file of a message."""
        return self.world.state.media[message.media].data

    def seen(self, who: str, chat: str = "bot") -> list[ChatMessage]:
        """Return the messages of others in a person's chat, oldest first."""
        me, where = self.id(who), self.id(chat)
        return [m for m in self.world.chats.history(me, where, limit=1000) if m.sender != me]

    async def receives(self, who: str, text: str, chat: str = "bot", within: float = SECONDS) -> ChatMessage:
        """Wait until the person sees a text with `text` in a chat; return the message."""
        found: ChatMessage = await until(
            lambda: next((m for m in self.seen(who, chat) if text in m.text), None),
            lambda: f"{who} hears {text!r}, but only {[m.text for m in self.seen(who, chat)][-3:]}",
            within,
        )
        return found

    async def wait_idle(self) -> None:
        """Wait until the bot has handled all messages: no unhandled events, no unsent messages."""
        for account in self.accounts:
            await self._flush_events(account)
        await until(self._is_idle, "the bot is quiet")

    async def _flush_events(self, account: str) -> None:
        """Send the bot an event without effect and wait until it is stored; then all earlier ones are stored."""
        self._words += 1
        topic = f"last word {self._words}"
        data = {"roomId": "nowhere@chatroom", "newTopic": topic, "oldTopic": "", "changerId": "nobody"}
        payload = json.dumps(data | {"timestamp": int(time.time() * 1000)})
        self.sandbox.servers[account].send_raw(pb.EventResponse(type=pb.EVENT_ROOM_TOPIC, payload=payload))
        stored = select(InboxEvent).where(InboxEvent.account == account, col(InboxEvent.data).contains(f'"{topic}"'))
        deadline = time.monotonic() + SECONDS
        while await self.bot.container.store.read(lambda s: s.exec(stored).first()) is None:
            assert time.monotonic() < deadline, "the bot does not hear"
            await asyncio.sleep(0.01)

    def _is_idle(self) -> bool:
        idle = all(len(listener.inbox) == 0 for listener in self.bot.listeners)
        return idle and not any(self.bot.container.outbox.waiting().values())


def _merge(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


MakeEnv = Callable[..., Awaitable[BotEnvironment]]


@pytest.fixture(autouse=True)
def quick_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the message about a call that takes over 5 seconds out of stories on a slow machine."""
    monkeypatch.setattr("services.flows.running_calls.SLOW_SECONDS", 600.0)


@pytest.fixture
async def make_env(tmp_path: Path) -> AsyncIterator[MakeEnv]:
    """Return a function that builds a bot with other settings: `await make_town(groups={"overflow": True})`."""
    envs: list[BotEnvironment] = []

    async def make(accounts: Iterable[str] = (ACCOUNT,), **config: Any) -> BotEnvironment:
        folder = tmp_path / f"env{len(envs)}"
        folder.mkdir()
        env = BotEnvironment(folder, accounts, **config)
        envs.append(env)
        return await env.open()

    yield make
    for env in envs:
        await env.close()


@pytest.fixture
async def env(make_env: MakeEnv) -> BotEnvironment:
    """A bot with the default settings."""
    return await make_env()
