"""A bot on the official channel and its customers; and what stories need that run on both channels."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from app.lifecycle import Bot
from config import Config
from models.durable import OutboxItem, WorkState
from models.support import Ticket
from sandbox.wecom.service import KfService
from tests.bot_config import NO_JOBS
from tests.console.conftest import Person, log_in
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.service import MEMBER_FAQ, service, words
from tests.waiting import SECONDS, until
from tests.wecom.documented import CheckedServer

ACCOUNT, OPEN_KFID = "kefu1", "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"
FALLBACK = "抱歉，我没听懂。回复“人工”转人工客服。"
AWAY = "暂时联系不上人工客服，已记下您的请求，会尽快回复您。"
LONG_PARTS = [f"第{n}章" + "长" * 600 for n in range(1, 7)]  # no two of them fit into one message
RULES = [
    {"equals": "营业时间", "reply": "我们每天 9:00-18:00 营业。"},
    {"contains": "发票", "reply": "开发票请发抬头和税号。"},
    {"equals": "八条", "reply": [f"第{n}条" for n in range(1, 9)]},
    {"equals": "长文", "reply": LONG_PARTS},
]


class Shop:
    """A bot on the official channel, and its customers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ahead = 0.0
        self.assistant: dict[str, Any] = {}  # more settings of the assistant
        self.customer_service: dict[str, Any] = {}
        self.extra: dict[str, Any] = {}  # more sections of the config
        self.service = KfService(OPEN_KFID, self.clock)
        self.server = CheckedServer(self.service)
        self.bot: Bot

    def clock(self) -> float:
        return time.time() + self.ahead

    async def open(self, **customer_service: Any) -> Shop:
        self.customer_service = customer_service
        await self.server.start()
        await self.start_bot()
        return self

    async def close(self) -> None:
        await self.bot.stop()
        await self.server.stop()
        assert self.server.unknown == set(), "nobody else knows these fields"

    async def start_bot(self) -> None:
        corp = self.server.corp
        callback = {"token": corp.callback_token, "aes_key": corp.aes_key}
        assistant = {
            "account": ACCOUNT, "kind": "wecom", "corp_id": corp.corp_id, "secret": corp.secret, "agent": 1000002,
            "open_kfid": OPEN_KFID, "api_url": self.server.url, "callback": callback, **self.assistant,
        }  # fmt: skip
        config = {
            "assistants": [assistant],
            "database": f"sqlite:///{self.folder}/wxbot.db",
            "api": {"port": 0},
            "admins": ["wm_nobody"],
            "customer_service": self.customer_service,
            "limits": {"repeats": 1000},  # people in stories ask the same again and again
            "jobs": NO_JOBS,
        }
        self.bot = Bot(Config(**config | self.extra), clock=self.clock)
        await self.bot.start()

    async def online(self) -> None:
        await until(lambda: self.bot.container.accounts.is_online(ACCOUNT), "online")

    async def call_back(self) -> None:
        assert await self.server.call_back(f"http://127.0.0.1:{self.bot.port}/wecom/callback/{ACCOUNT}") == 200

    async def say(self, who: str, text: str) -> None:
        self.service.say(who, text)
        await self.call_back()

    async def send(self, who: str, kind: str, **content: Any) -> None:
        """Send a message of any kind to the assistant."""
        self.service.send(who, kind, content)
        await self.call_back()

    def file(self, name: str, data: bytes) -> str:
        """Store a file at the platform; return its media_id."""
        return self.service.media.store(name, data)

    async def at_the_console(self) -> Person:
        """Log 店长 in to the console, as its admin."""
        self.bot.container.accounts.bind_admin(self.service.customer("店长").id)
        await self.say("店长", "/登录")
        said = await until(lambda: "".join(self.seen("店长")), "a link")
        found = re.search(r"/console/login/[\w-]+", said)
        assert found, said
        return await log_in(self, found[0])

    async def tap(self, who: str, number: int) -> None:
        """Tap a choice of the last menu."""
        self.service.tap(who, number)
        await self.call_back()

    async def ticket(self, number: int = 1) -> Ticket:
        row = await self.bot.container.store.read(lambda s: s.get(Ticket, number))
        assert row is not None
        return row

    async def rows(self, *states: WorkState) -> list[OutboxItem]:
        """The rows of the outbox in these states, in order."""
        wanted = select(OutboxItem).where(col(OutboxItem.state).in_(states)).order_by(col(OutboxItem.id))
        return list(await self.bot.container.store.read(lambda s: s.exec(wanted).all()))

    async def failed(self) -> list[OutboxItem]:
        """Try what waits until something has failed; return the rows."""
        async with asyncio.timeout(SECONDS):
            while not (rows := await self.rows(WorkState.FAILED)):
                self.due()
                await asyncio.sleep(0.05)
        return rows

    async def all_sent(self, count: int) -> bool:
        """Whether this number of messages was sent and none waits."""
        return len(await self.rows(WorkState.SENT)) == count and not await self.rows(WorkState.QUEUED)

    async def until_quiet(self) -> None:
        """Wait until nothing waits to be sent or to be noted as sent."""
        async with asyncio.timeout(SECONDS):
            while await self.rows(WorkState.QUEUED, WorkState.SENDING):  # noqa: ASYNC110 - in the database
                await asyncio.sleep(0.05)

    def due(self) -> None:
        """Try what waits to be sent now."""
        self.bot.container.outbox.retry_now(f"wx:{ACCOUNT}")

    def seen(self, who: str) -> list[str]:
        return [text(message) for message in self.service.customer(who).seen]

    async def receives(self, who: str, *texts: str) -> None:
        try:
            await until(lambda: self.seen(who) == list(texts))
        except AssertionError:
            received = [text[:40] for text in self.seen(who)]
            raise AssertionError(f"{who} hears {received}, not {[text[:40] for text in texts]}") from None


def text(message: dict[str, Any]) -> str:
    """Return a message as the customer sees it."""
    content = message[message["msgtype"]]
    return str(content.get("content") or content.get("head_content") or f"<{message['msgtype']}>")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop with keywords and questions; its office is always open."""
    shop = await Shop(tmp_path).open(**rules(tmp_path))
    yield shop
    await shop.close()


def rules(folder: Path, **handoff: Any) -> dict[str, Any]:
    """Return the section customer_service."""
    faq = folder / "faq.yaml"
    faq.write_text(MEMBER_FAQ, encoding="utf-8")
    return {"keywords": RULES, "faq": str(faq), "handoff": {**service()["handoff"], **handoff}}


class GatewayChannel:
    """The channel over a Wechaty gateway."""

    def __init__(self, env: BotEnvironment) -> None:
        self.env = env

    async def say(self, who: str, text: str) -> None:
        self.env.say(who, text)

    def seen(self, who: str) -> list[str]:
        return words(self.env.seen(who))


@pytest.fixture(params=["puppet", "official"])
async def channel(
    request: pytest.FixtureRequest, make_env: MakeEnv, tmp_path: Path
) -> AsyncIterator[GatewayChannel | Shop]:
    """A bot on either channel."""
    if request.param == "puppet":
        yield GatewayChannel(await make_env(customer_service=rules(tmp_path)))
        return
    shop = await Shop(tmp_path).open(**rules(tmp_path))
    yield shop
    await shop.close()
