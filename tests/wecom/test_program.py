"""`python -m sandbox.wecom` and the bot as processes: the chat page's customer, and kill -9 of the bot."""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.bot_process import ROOT
from tests.ports import free_port

CUSTOMER, ACCOUNT = "wxid_heixuanfeng", "kefu1"
START = 120.0  # timeout of starts and of all answers, for slow machines
QUESTIONS = 6
KILLED_AT = (2, 4)


class Process:
    """A child process with its output in a file."""

    def __init__(self, log: Path, *command: str) -> None:
        self._log = log
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._command, cwd=ROOT, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def said(self, pattern: str) -> re.Match[str]:
        """Wait until the output has a match."""
        async with asyncio.timeout(START):
            while (found := re.search(pattern, self._log.read_text(encoding="utf-8"), re.DOTALL)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found


class ChatScenario:
    """The customer on the page of the stand-in, and the bot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.stand_in = Process(
            folder / "wecom.log", "-m", "sandbox.wecom", "--port", "0", "--api-port", "0",
            "--bot", f"http://127.0.0.1:{self.port}",
        )  # fmt: skip
        self.bot = Process(folder / "bot.log", "bot.py", "--config", str(folder / "config.yaml"))
        self.http: aiohttp.ClientSession
        self.page = self.api = ""

    async def start(self) -> None:
        await self.stand_in.start()
        told = await self.stand_in.said(r"page  (\S+)\napi   (\S+)\n(assistants:.*aes_key: \S+ \})")
        self.page, self.api = told[1], told[2]
        always = {"days": "mon-sun", "from": "00:00", "to": "24:00"}
        config = yaml.safe_load(told[3]) | {
            "database": f"sqlite:///{self.folder}/wxbot.db",
            "api": {"port": self.port},
            "admins": ["wm_nobody"],
            "limits": {"replies": 10_000, "repeats": 10_000},
            "customer_service": {
                "faq": "", "greeting": "您好！", "handoff": {"hours": always},
                "keywords": [{"regex": "^问(.*)$", "reply": "答{1}"}],
            },
        }  # fmt: skip
        config["assistants"][0]["handoff"] = "client"
        (self.folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        await self.bot.start()
        await self.bot.said("wxbot 已启动")

    async def say(self, text: str) -> None:
        url = f"{self.page}/api/people/{CUSTOMER}/chats/wxid_{ACCOUNT}/messages"
        async with self.http.post(url, json={"text": text}) as response:
            assert response.status == 201, await response.text()

    async def received(self) -> list[str]:
        """The messages to the customer, in order."""
        url = f"{self.page}/api/people/{CUSTOMER}/chats/wxid_{ACCOUNT}/messages?limit=200"
        async with self.http.get(url) as response:
            messages: list[dict[str, Any]] = (await response.json())["messages"]
        told = [message for message in messages if not message["mine"] and message["kind"] == "text"]
        return ["\n".join([message["text"], *message.get("data", {}).get("choices", ())]) for message in told]

    async def until_heard(self, text: str) -> None:
        async with asyncio.timeout(START):
            while not any(text in said for said in await self.received()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def staff(self, do: str, **more: str) -> None:
        async with self.http.post(
            f"{self.api}/staff/WuYong", json={"customer": "黑旋风", "do": do, **more}
        ) as response:
            assert response.status == 200


@pytest.fixture
async def scenario(tmp_path: Path) -> AsyncIterator[ChatScenario]:
    scenario = ChatScenario(tmp_path)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(scenario.stand_in.kill)
        stack.push_async_callback(scenario.bot.kill)
        scenario.http = await stack.enter_async_context(aiohttp.ClientSession())
        await scenario.start()
        yield scenario


async def test_kill_9_at_any_point_loses_and_repeats_nothing(scenario: ChatScenario) -> None:
    """The bot is killed twice right after a question, then staff take the customer over."""
    chance = random.Random(5)
    for number in range(QUESTIONS):
        await scenario.say(f"问{number}")
        if number in KILLED_AT:
            await asyncio.sleep(chance.uniform(0, 0.2))  # so that it dies at any place
            await scenario.bot.kill()
            await scenario.bot.start()
        await scenario.until_heard(f"答{number}")
    answers = [line for text in await scenario.received() for line in text.splitlines() if line.startswith("答")]
    assert answers == [f"答{number}" for number in range(QUESTIONS)]
    await scenario.say("人工")
    await scenario.until_heard("正在为您转接人工客服")
    await scenario.staff("take")
    await scenario.staff("answer", text="我是吴用。")
    await scenario.staff("finish")
    await scenario.until_heard("5分\n4分")
    assert (await scenario.received()).count("您好！") == 1
