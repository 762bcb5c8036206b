"""Several bots that share accounts on one real PostgreSQL, each with its own REST API."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

import sandbox
from app.lifecycle import Bot
from config import Config
from sandbox.world.model import ChatMessage
from sandbox.world.world import World
from services.clock import Clock
from tests.databases import database, postgres
from tests.official import official
from tests.ports import free_port
from tests.stories.conftest import NAMES
from tests.waiting import SECONDS, until
from wechat.connection import Timing

__all__ = ["database", "official", "postgres"]
LEASE = 10.0  # seconds; all bots share one event loop here, which a busy machine may hold up

Answer = tuple[int, Any, dict[str, str]]


class ClusterEnvironment:
    """The bots of a cluster in this process, the WeChat of their accounts, and people in it."""

    def __init__(self, database: str, accounts: int, config: dict[str, Any]) -> None:
        self.database = database
        self.accounts = [f"bot{number}" for number in range(accounts)]
        self.extra = config
        self.bots: list[Bot] = []
        self.sandbox: sandbox.Sandbox
        self.http: aiohttp.ClientSession
        self._stack = AsyncExitStack()

    async def open(self, bots: int) -> ClusterEnvironment:
        """Start WeChat, then the bots, one after the other."""
        self.sandbox = await sandbox.start(self.accounts, port=0, world=World.default(self.accounts, seed=1))
        self._stack.push_async_callback(self.sandbox.stop)
        self.http = await self._stack.enter_async_context(aiohttp.ClientSession())
        for _ in range(bots):
            await self.start_bot()
        await self.served()
        return self

    async def close(self) -> None:
        """Stop the bots, then WeChat."""
        for bot in list(self.bots):
            await self.stop_bot(bot)
        await self._stack.aclose()

    async def start_bot(self, clock: Clock = time.time) -> Bot:
        """One bot more."""
        bot = Bot(self.config(free_port()), Timing(create=3.0), clock)
        await bot.start()
        self.bots.append(bot)
        return bot

    async def stop_bot(self, bot: Bot) -> None:
        """Stop one as SIGTERM would."""
        self.bots.remove(bot)
        await bot.stop()

    async def served(self, within: float = SECONDS) -> None:
        """Wait until every account is online at exactly one bot, and no bot has two more than another."""
        await until(self._is_served, "every account is served once", within)

    def _is_served(self) -> bool:
        held = [{a for a in self.accounts if bot.container.accounts.is_online(a)} for bot in self.bots]
        sizes, share = [len(some) for some in held], -(-len(self.accounts) // len(self.bots))
        return sum(sizes) == len(self.accounts) == len(set().union(*held)) and max(sizes) <= share

    def config(self, port: int) -> Config:
        """Fast settings, the same for all but the address."""
        assistants = [
            {"account": a, "endpoint": self.sandbox.endpoints[a], "token": self.sandbox.token, "tls": False}
            for a in self.accounts
        ]
        address = f"http://127.0.0.1:{port}"
        data: dict[str, Any] = {
            "assistants": assistants,
            "database": self.database,
            "api": {"port": port, "public_url": "http://bot.example.com", "hosts": ["bot.example.com"]},
            "admins": ["wxid_admin"],
            "groups": {"confirm_seconds": 2},
            "customer_service": {"accept": {"delay_seconds": [0, 0]}, "faq": ""},
            "pacing": {"enabled": False},
            "cluster": {"enabled": True, "advertise": address, "lease_seconds": LEASE},
        }
        return Config(**(data | self.extra))

    # ---- who holds what ----

    def holder(self, account: str) -> Bot:
        """The bot that serves an account."""
        return next(bot for bot in self.bots if account in bot.accounts.accounts)

    def other(self, account: str) -> Bot:
        """A bot that does not."""
        return next(bot for bot in self.bots if account not in bot.accounts.accounts)

    async def call(self, bot: Bot, method: str, path: str, json: Any = None, **more: Any) -> Answer:
        """Status, JSON body (None when there is none) and headers of a request to one bot."""
        url = f"http://127.0.0.1:{bot.port}{path}"
        async with self.http.request(method, url, json=json, **more) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else None, dict(response.headers)

    # ---- people ----

    def id(self, who: str, account: str) -> str:
        """A WeChat id."""
        return self.bot_id(account) if who == "bot" else NAMES.get(who, who)

    def say(self, who: str, text: str, account: str, to: str = "bot") -> ChatMessage:
        """Send a message of a person to an assistant or a room."""
        return self.sandbox.world.chats.say(NAMES.get(who, who), self._chat(to, account), text, [])

    def seen(self, who: str, account: str, chat: str = "bot") -> list[str]:
        """Return the messages a person received in the chat with an assistant, oldest first."""
        me, where = NAMES.get(who, who), self._chat(chat, account)
        return [m.text for m in self.sandbox.world.chats.history(me, where, limit=1000) if m.sender != me]

    async def receives(self, who: str, text: str, account: str, chat: str = "bot", within: float = SECONDS) -> None:
        """Wait until the person sees a text holding `text`."""
        await until(
            lambda: any(text in message for message in self.seen(who, account, chat)), f"{who} hears {text!r}", within
        )

    def _chat(self, to: str, account: str) -> str:
        return self.bot_id(account) if to == "bot" else NAMES.get(to, to)

    def bot_id(self, account: str) -> str:
        """An assistant's own WeChat id."""
        return self.sandbox.world.accounts.person(account).id


MakeCluster = Callable[..., Awaitable[ClusterEnvironment]]


@pytest.fixture
async def make_cluster(database: str) -> AsyncIterator[MakeCluster]:
    """Build a cluster: `await make_cluster(accounts=4, bots=2)`."""
    envs: list[ClusterEnvironment] = []

    async def make(accounts: int = 4, bots: int = 2, **config: Any) -> ClusterEnvironment:
        env = ClusterEnvironment(database, accounts, config)
        envs.append(env)
        return await env.open(bots)

    yield make
    for env in envs:
        await env.close()


def now() -> float:
    """A clock for how long something took."""
    return time.monotonic()
