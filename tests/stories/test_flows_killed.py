"""kill -9 between all steps of both shipped flows and during each call: the flows continue."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import aiohttp
import pytest
import yaml

import sandbox
from config.texts import Texts
from sandbox.systems import Systems, call_back
from sandbox.world.model import Kind
from sandbox.world.world import ADMIN, World
from tests.ports import free_port
from tests.preloaded import PreloadedProcess, start_bot
from tests.stories.business import Receiver, receiving, shipped_config, stand_ins
from tests.stories.conftest import ACCOUNT
from tests.waiting import SECONDS, until

STILL_CALLING = Texts().flow_still_calling  # sent for calls longer than 5 s, which may be all of them on a slow machine


class Process:
    """The bot as a child process; WeChat and the business systems run in the test."""

    def __init__(self, config: Path, port: int) -> None:
        self._config = config
        self._url = f"http://127.0.0.1:{port}"
        self._process: PreloadedProcess | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WXBOT_")}
        self._process = await start_bot(self._config, self._config.with_suffix(".log"), environment)
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as http:
            while not await self._is_ready(http):
                assert self._process.returncode is None, self._config.with_suffix(".log").read_text()
                await asyncio.sleep(0.05)

    async def _is_ready(self, http: aiohttp.ClientSession) -> bool:
        with suppress(aiohttp.ClientError):
            async with http.get(f"{self._url}/readyz") as response:
                return response.status == 200
        return False

    async def kill(self) -> None:
        """Kill the process with SIGKILL."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def kill_and_restart(self) -> None:
        """Kill the process and start a new one."""
        await self.kill()
        await self.start()


class FlowScenario:
    """店长 talking to a bot that is killed repeatedly."""

    def __init__(self, world: World, systems: Systems, receiver: Receiver, bot: Process, database: Path) -> None:
        self.world, self.systems, self.receiver, self.bot = world, systems, receiver, bot
        self.database = database
        self.me = world.accounts.person(ACCOUNT).id

    def say(self, text: str) -> None:
        self.world.chats.say(ADMIN, self.me, text)

    def told(self) -> list[str]:
        """Return the messages to 店长, without duplicates after a crash and without notices of slow calls."""
        lines = [m for m in self.world.chats.history(ADMIN, self.me, limit=1000) if m.sender == self.me]
        texts = dict.fromkeys(m.text for m in lines if m.kind is Kind.TEXT)
        return [text for text in texts if text != STILL_CALLING]

    async def receives(self, text: str) -> None:
        await until(lambda: any(text in line for line in self.told()), f"店长 hears {text!r}")

    def release(self) -> None:
        """Let the systems answer the requests that have arrived, and no others."""
        self.systems.request_log.open.set()
        self.systems.request_log.open.clear()

    async def killed_in_call(self, number: int) -> None:
        """Kill and restart the bot while its `number`th call has arrived but is not answered."""
        request_log = self.systems.request_log
        await until(lambda: len(request_log.requests) == number, f"call {number} arrives")
        await self.bot.kill()
        self.release()
        await until(lambda: request_log.requests[-1].status, "the answer nobody hears")
        await self.bot.start()
        await until(lambda: request_log.requests[-1].repeats == 1, f"call {number} comes again")
        self.release()

    async def stored(self, messages: int) -> None:
        """Wait until the bot has stored this many messages."""

        def count() -> bool:
            with closing(sqlite3.connect(self.database)) as db:
                query = "select count(*) from inboxevent where kind = 'message'"
                return bool(db.execute(query).fetchone()[0] >= messages)

        await until(count, f"{messages} messages are stored")


@pytest.fixture
async def scenario(tmp_path: Path) -> AsyncIterator[FlowScenario]:
    async with stand_ins() as systems, receiving() as receiver:
        world = World.default([ACCOUNT], seed=1)
        wechat = await sandbox.start([ACCOUNT], port=0, world=world)
        port = free_port()
        gateway = {"account": ACCOUNT, "endpoint": wechat.endpoints[ACCOUNT], "token": wechat.token, "tls": False}
        config = {
            **shipped_config(systems, port),
            "assistants": [gateway],
            "database": f"sqlite:///{tmp_path}/wxbot.db",
            "admins": [ADMIN],
            "pacing": {"enabled": False},
            "customer_service": {"faq": ""},
            "webhooks": [{**receiver.config, "events": ["flow.finished"]}],
        }
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        bot = Process(file, port)
        try:
            await bot.start()
            yield FlowScenario(world, systems, receiver, bot, tmp_path / "wxbot.db")
        finally:
            systems.request_log.open.set()
            await bot.kill()
            await wechat.stop()


async def test_merchant_flow_survives_kill_9_at_every_step(scenario: FlowScenario) -> None:
    scenario.say("商户设置")
    await scenario.receives("请问商户名称？")
    await scenario.bot.kill_and_restart()
    scenario.say("梁山酒店")
    await scenario.receives("请发送支付设置")
    await scenario.bot.kill_and_restart()
    scenario.systems.request_log.open.clear()
    scenario.say("微信支付 1900000001")
    await scenario.receives("请核对商户设置")
    await scenario.bot.kill_and_restart()
    scenario.say("确认")
    for number in (1, 2, 3):
        await scenario.killed_in_call(number)
    await scenario.receives("商户设置完成：梁山酒店")
    await scenario.bot.kill_and_restart()
    await until(lambda: scenario.receiver.events, "told")
    paths = [(request.system, request.method, request.path) for request in scenario.systems.request_log.requests]
    assert paths == [
        ("yunmall", "POST", "/payments"),
        ("hipos", "PUT", "/merchants/梁山酒店"),
        ("hipos", "PUT", "/merchants/梁山酒店/payment"),
    ]
    assert len(scenario.told()) == 4
    assert {event["id"] for event in scenario.receiver.events} == {scenario.receiver.events[0]["id"]}
    assert scenario.receiver.of("flow.finished")[0]["state"] == "finished"


async def test_device_flow_survives_kill_9_at_every_step(scenario: FlowScenario) -> None:
    scenario.say("增加POS机")
    await scenario.stored(1)
    await scenario.bot.kill()  # probably before it has replied: the message is stored first
    await scenario.bot.start()
    await scenario.receives("请问哪家门店？")
    await scenario.bot.kill_and_restart()
    scenario.systems.request_log.open.clear()
    scenario.say("忠义堂")
    await scenario.killed_in_call(1)
    await scenario.receives("正在等待授权结果")
    scenario.systems.request_log.open.set()
    (asked,) = scenario.systems.request_log.requests
    await scenario.bot.kill()
    assert not await call_back(scenario.systems.request_log, asked, "success")  # the bot is down
    await scenario.bot.start()
    assert await call_back(scenario.systems.request_log, asked, "success")
    await scenario.bot.kill()  # after the 200, the flow must continue
    await scenario.bot.start()
    await scenario.receives("增加POS机成功：忠义堂")
    assert await call_back(scenario.systems.request_log, asked, "failed")  # a repeat after all that
    await until(lambda: scenario.receiver.events, "told")
    assert [line.split("：")[0] for line in scenario.told()] == ["请问哪家门店？", "设备授权码", "增加POS机成功"]
