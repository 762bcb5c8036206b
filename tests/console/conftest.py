"""Fixtures: a bot with users logged in to the console by links from WeChat."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest

from app.lifecycle import Bot
from tests.stories.conftest import ACCOUNT, BotEnvironment
from tests.stories.service import known, staff_room
from tests.waiting import until

SETTINGS: dict[str, Any] = {
    "customer_service": {
        "handoff": {"hours": {"from": "00:00", "to": "24:00"}, "canned": {"发票": "请发抬头和税号。"}}
    },
    "api": {"allowed_networks": ["127.0.0.0/8"], "trusted_proxies": ["127.0.0.2/32"]},
}


@dataclass
class Person:
    """A user of the console."""

    http: aiohttp.ClientSession
    url: str
    csrf: str

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Call the console's API; return status and JSON."""
        headers = {"X-CSRF-Token": self.csrf, **more.pop("headers", {})}
        async with self.http.request(method, f"{self.url}/console/api{path}", headers=headers, **more) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else await response.text()


async def login_link(env: BotEnvironment, who: str) -> str:
    """Request a login link in WeChat and return its path."""
    before = len(env.seen(who))
    env.say(who, "/登录")
    said = await until(lambda: "".join(m.text for m in env.seen(who)[before:]), f"{who} is answered")
    found = re.search(r"/console/login/[\w-]+", said)
    assert found, said
    return found[0]


class HasBot(Protocol):
    """Whatever runs a bot."""

    bot: Bot


async def log_in(env: HasBot, path: str) -> Person:
    """Open a login link like a browser."""
    url = f"http://127.0.0.1:{env.bot.port}"
    http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
    async with http.get(url + path) as response:
        assert response.status == 200, await response.text()
    async with http.get(f"{url}/console/api/session") as response:
        assert response.status == 200, await response.text()
        session = (await response.json())["session"]
    return Person(http, url, session["csrf"])


@pytest.fixture
async def env(tmp_path: Path) -> AsyncIterator[BotEnvironment]:
    """A bot with one assistant; 店长 is its admin."""
    env = await BotEnvironment(tmp_path, **SETTINGS).open()
    await known(env, staff_room(env))
    yield env
    await env.close()


@pytest.fixture
async def admin(env: BotEnvironment) -> AsyncIterator[Person]:
    """店长, logged in as admin."""
    person = await log_in(env, await login_link(env, "店长"))
    yield person
    await person.http.close()


@pytest.fixture
async def agent(env: BotEnvironment) -> AsyncIterator[Person]:
    """宋公明, a member of the staff room, logged in as agent."""
    person = await log_in(env, await login_link(env, "宋公明"))
    yield person
    await person.http.close()


__all__ = ["ACCOUNT"]
