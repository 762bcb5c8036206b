"""Customer service over both channels, and features of the official one: welcome codes, allowances, unique
message ids.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlmodel import select

from app.lifecycle import Bot
from config import Config
from models.durable import OutboxItem, WorkState
from models.wecom import WecomAccountRow
from sandbox.wecom.server import WecomServer
from sandbox.wecom.service import KfService
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.service import service, words
from wechat.interface import State

ACCOUNT, OPEN_KFID = "kefu1", "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"
FALLBACK = "抱歉，我没听懂。回复“人工”转人工客服。"
WAITING = "暂时联系不上人工客服，已记下您的请求，会尽快回复您。"
RULES = [
    {"equals": "营业时间", "reply": "我们每天 9:00-18:00 营业。"},
    {"contains": "发票", "reply": "开发票请发抬头和税号。"},
    {"equals": "六条", "reply": [f"第{n}条" for n in range(1, 7)]},
]
FAQ = """
- questions: [怎么开通会员, 会员怎么办理]
  answer: 绑定手机号即可。
- questions: [会员积分怎么查]
  answer: 在“我的”里查。
- questions: [会员卡丢了怎么办]
  answer: 不用实体卡。
"""


class Shop:
    """A bot on the official channel, and its customers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ahead = 0.0
        self.service = KfService(OPEN_KFID, self.clock)
        self.server = WecomServer(self.service)
        self.bot: Bot

    def clock(self) -> float:
        return time.time() + self.ahead

    async def open(self, **customer_service: Any) -> Shop:
        self.customer_service = customer_service
        await self.server.start()
        await self.start_bot()
        return self

    async def start_bot(self) -> None:
        corp = self.server.corp
        callback = {"token": corp.callback_token, "aes_key": corp.aes_key}
        assistant = {
            "account": ACCOUNT, "kind": "wecom", "corp_id": corp.corp_id, "secret": corp.secret, "agent": 1000002,
            "open_kfid": OPEN_KFID, "api_url": self.server.url, "callback": callback,
        }  # fmt: skip
        config = Config(
            assistants=[assistant],
            database=f"sqlite:///{self.folder}/wxbot.db",
            api={"port": 0},
            admins=["wm_nobody"],
            customer_service=self.customer_service,
        )
        self.bot = Bot(config, clock=self.clock)
        await self.bot.start()

    async def online(self) -> None:
        await until(lambda: self.bot.container.accounts.is_online(ACCOUNT), "online")

    async def call_back(self) -> None:
        assert await self.server.call_back(f"http://127.0.0.1:{self.bot.port}/wecom/callback/{ACCOUNT}") == 200

    async def say(self, who: str, text: str) -> None:
        self.service.say(who, text)
        await self.call_back()

    def seen(self, who: str) -> list[str]:
        return [text(one) for one in self.service.customer(who).seen]

    async def hears(self, who: str, *texts: str) -> None:
        await until(lambda: self.seen(who) == list(texts), f"{who} hears {texts}, not {self.seen(who)}")


def text(message: dict[str, Any]) -> str:
    """Return a message as the customer sees it."""
    content = message[message["msgtype"]]
    return str(content.get("content") or content.get("head_content") or f"<{message['msgtype']}>")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    faq = tmp_path / "faq.yaml"
    faq.write_text(FAQ, encoding="utf-8")
    shop = await Shop(tmp_path).open(keywords=RULES, faq=str(faq), handoff=service()["handoff"])
    yield shop
    await shop.bot.stop()
    await shop.server.stop()


# ---- common to both channels ----


class Puppet:
    """The channel over a Wechaty gateway."""

    def __init__(self, town: Town) -> None:
        self.town = town

    async def say(self, who: str, text: str) -> None:
        self.town.say(who, text)

    def seen(self, who: str) -> list[str]:
        return words(self.town.seen(who))


@pytest.fixture(params=["puppet", "official"])
async def road(request: pytest.FixtureRequest, make_town: MakeTown, tmp_path: Path) -> AsyncIterator[Puppet | Shop]:
    faq = tmp_path / "faq.yaml"
    faq.write_text(FAQ, encoding="utf-8")
    rules = {"keywords": RULES, "faq": str(faq), "handoff": service()["handoff"]}
    if request.param == "puppet":
        yield Puppet(await make_town(customer_service=rules))
        return
    shop = await Shop(tmp_path).open(**rules)
    yield shop
    await shop.bot.stop()
    await shop.server.stop()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("营业时间", "我们每天 9:00-18:00 营业。"),
        ("请问发票怎么开", "开发票请发抬头和税号。"),
        ("会员，怎么办理？", "绑定手机号即可。"),
        ("今天天气真好", FALLBACK),
        ("转人工", WAITING),
    ],
)
async def test_a_customer_is_answered(road: Puppet | Shop, said: str, answer: str) -> None:
    await road.say("黑旋风", said)
    await until(lambda: answer in road.seen("黑旋风"), f"{said} is answered")


# ---- the official channel ----


async def test_the_address_is_checked_and_forgeries_are_refused(shop: Shop) -> None:
    url = f"http://127.0.0.1:{shop.bot.port}/wecom/callback/{ACCOUNT}"
    echo, signature = shop.server.crypto.seal(b"4711", "1", "n")
    query = {"msg_signature": signature, "timestamp": "1", "nonce": "n", "echostr": echo}
    outside = {"X-Forwarded-For": "8.8.8.8"}
    async with aiohttp.ClientSession() as http:
        async with http.get(url, params=query, headers=outside) as response:
            assert (response.status, await response.read()) == (200, b"4711")
        async with http.get(url, params=query | {"nonce": "m"}) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (403, 1002)
        async with http.post(url, params=query, data=b"<xml><Encrypt>x</Encrypt></xml>") as response:
            assert response.status == 403
        async with http.post(url, params=query, data=b"no xml at all") as response:
            assert response.status == 403
        async with http.get(url.replace(ACCOUNT, "nobody"), params=query) as response:
            assert response.status == 404


async def test_six_messages_wait_for_the_customer_to_speak_again(shop: Shop) -> None:
    await shop.say("黑旋风", "六条")
    await shop.hears("黑旋风", *(f"第{n}条" for n in range(1, 6)))
    await asyncio.sleep(0.3)
    assert len(shop.seen("黑旋风")) == 5
    await shop.say("黑旋风", "营业时间")
    await shop.hears("黑旋风", *(f"第{n}条" for n in range(1, 7)), "我们每天 9:00-18:00 营业。")


async def test_what_waits_over_48_hours_has_failed_with_its_reason(shop: Shop) -> None:
    await shop.say("黑旋风", "六条")
    await shop.hears("黑旋风", *(f"第{n}条" for n in range(1, 6)))
    shop.ahead = 48 * 3600 + 1
    item = await failed(shop)
    assert "48 hours" in item.error


async def failed(shop: Shop) -> OutboxItem:
    wanted = select(OutboxItem).where(OutboxItem.state == WorkState.FAILED)
    for _ in range(200):
        item = await shop.bot.container.store.read(lambda s: s.exec(wanted).first())
        if item is not None:
            return item
        shop.bot.container.outbox.retry_now(f"wx:{ACCOUNT}")
        await asyncio.sleep(0.05)
    raise AssertionError("nothing failed")


async def test_a_lost_answer_is_asked_again_and_said_once(shop: Shop) -> None:
    shop.server.corp.lose = 1
    await shop.say("黑旋风", "营业时间")
    await shop.say("黑旋风", "发票")
    await shop.hears("黑旋风", "我们每天 9:00-18:00 营业。", "开发票请发抬头和税号。")
    assert shop.server.corp.calls.count("kf/send_msg") == 3


async def test_what_was_said_while_away_is_answered_once(shop: Shop) -> None:
    await shop.say("黑旋风", "营业时间")
    await shop.hears("黑旋风", "我们每天 9:00-18:00 营业。")
    await shop.bot.stop()
    shop.service.say("黑旋风", "发票")
    shop.service.empty_pages = 2
    await shop.start_bot()
    await shop.hears("黑旋风", "我们每天 9:00-18:00 营业。", "开发票请发抬头和税号。")
    row = await shop.bot.container.store.read(lambda s: s.get(WecomAccountRow, ACCOUNT))
    assert row is not None
    assert row.cursor == "c2"


async def test_who_comes_in_is_welcomed_with_the_code(shop: Shop) -> None:
    shop.service.enter("黑旋风")
    await shop.call_back()
    await until(lambda: shop.seen("黑旋风"), "the welcome")
    assert "请问有什么可以帮您" in shop.seen("黑旋风")[0]
    assert shop.service.customer("黑旋风").sent == 0
    assert "kf/send_msg_on_event" in shop.server.corp.calls


async def test_near_questions_are_a_menu_that_is_tapped(shop: Shop) -> None:
    await shop.say("黑旋风", "会员怎么弄呀")
    await until(lambda: shop.seen("黑旋风"), "the menu")
    (menu,) = shop.service.customer("黑旋风").seen
    offered = [item["click"]["content"] for item in menu["msgmenu"]["list"]]
    assert (menu["msgtype"], menu["msgmenu"]["head_content"], len(offered)) == ("msgmenu", "您是不是想问：", 3)
    await shop.say("黑旋风", offered[offered.index("会员积分怎么查")])
    await until(lambda: "在“我的”里查。" in shop.seen("黑旋风"), "the answer")


async def test_a_message_that_did_not_arrive_has_failed(shop: Shop) -> None:
    await shop.say("黑旋风", "营业时间")
    await shop.hears("黑旋风", "我们每天 9:00-18:00 营业。")
    await until(lambda: not any(shop.bot.container.outbox.waiting().values()), "sent")
    await shop.bot.container.outbox._ends.drain()
    shop.service.fail(shop.service.customer("黑旋风").seen[0]["msgid"], "黑旋风", 10)
    await shop.call_back()
    assert (await failed(shop)).error == "the customer refuses messages"


async def test_a_token_that_dies_early_is_replaced_and_rates_are_heeded(shop: Shop) -> None:
    await shop.online()
    shop.server.kill_tokens()
    await shop.say("黑旋风", "营业时间")
    await shop.hears("黑旋风", "我们每天 9:00-18:00 营业。")
    assert shop.server.corp.calls.count("gettoken") == 2


async def test_an_address_that_is_not_trusted_is_told(shop: Shop) -> None:
    await shop.online()
    shop.server.corp.trusted = False
    await shop.call_back()
    wechat = shop.bot.container.accounts.get(ACCOUNT)
    await until(lambda: wechat.state is State.REFUSED, "refused")
    assert wechat.reason is not None
    assert "可信IP" in wechat.reason.text("zh")
    shop.server.corp.trusted = True
    await shop.say("黑旋风", "营业时间")
    await shop.hears("黑旋风", "我们每天 9:00-18:00 营业。")


async def test_what_the_channel_cannot_do_is_501(shop: Shop) -> None:
    await shop.online()
    base = f"http://127.0.0.1:{shop.bot.port}"
    async with aiohttp.ClientSession() as http:
        body = {"code": "c1", "owner": "宋公明", "assistant": ACCOUNT}
        async with http.post(f"{base}/wxbot/qun", json=body) as response:
            assert response.status == 501
            assert await response.json() == {"error": {"code": 2007, "message": "该渠道不支持此操作！"}}
        async with http.get(f"{base}/wxbot/assistant") as response:
            (listed,) = (await response.json())["assistants"]
    assert "send_once" in listed["capabilities"]
    assert "create_room" not in listed["capabilities"]
