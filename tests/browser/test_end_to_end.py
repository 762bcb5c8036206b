"""End-to-end in the browser: from creating a group by REST to a customer served by staff."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from app.lifecycle import Bot
from config import Config
from sandbox.world.world import ADMIN, SONG, WENLONG
from tests.browser.conftest import ACCOUNT
from tests.browser.pictures import take
from tests.browser_windows import PHONE, Windows
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
GROUP = "宋公明的群100001"
STAFF_ROOM = "客服值班群"


@dataclass
class Shop:
    """A running bot with its sandbox and browser windows."""

    bot: Bot
    windows: Windows

    async def post(self, path: str, body: Any) -> Any:
        """Send a POST request and return the response."""
        url = f"http://127.0.0.1:{self.bot.port}{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            assert answer.status == 201
            return await answer.json()

    async def open_as(self, person: str, **options: Any) -> Page:
        """Open the sandbox's page as a person."""
        assert self.bot.sandbox is not None
        page = await self.windows.page(f"{self.bot.sandbox.url}/?as={person}", **options)
        await page.locator(".frame[data-live=open]").wait_for()
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def shop(windows: Windows, tmp_path: Path) -> AsyncIterator[Shop]:
    always = {"days": "mon-sun", "from": "00:00", "to": "24:00"}
    settings: dict[str, Any] = {
        "database": f"sqlite:///{tmp_path}/wxbot.db",
        "api": {"port": 0},
        "sandbox": {"port": 0},
        "admins": [ADMIN],
        "customer_service": {
            "accept": {"delay_seconds": [0, 0]},
            "keywords": [{"equals": "营业时间", "reply": "我们每天 9:00-18:00 营业。"}],
            "handoff": {"hours": always},
        },
        "pacing": {"enabled": False},
    }
    bot = Bot(Config(**settings))
    await bot.start()
    await until(lambda: bot.container.accounts.is_online(ACCOUNT), "online")
    yield Shop(bot, windows)
    await windows.close()
    await bot.stop()


async def test_create_join_and_support_in_the_browser(shop: Shop) -> None:
    url = await create_group_by_rest(shop)
    token = await open_landing_page(shop, url)
    guest = await shop.open_as(WENLONG, size=PHONE, device_scale_factor=2)
    await add_assistant(guest, token)
    await check_group_joined(shop, guest)
    await check_question_answered(guest)
    keeper = await shop.open_as(ADMIN)
    await check_staff_room(keeper)
    await request_person(guest, keeper)
    await answer_as_staff(guest, keeper)
    await close_and_rate(guest, keeper)


async def create_group_by_rest(shop: Shop) -> str:
    """Create a group by REST; its owner sees it."""
    answer = await shop.post("/wxbot/qun", {"code": "1001", "owner": "宋公明", "assistant": ACCOUNT})
    url = str(answer["qun_create_response"]["url"])
    owner = await shop.open_as(SONG)
    await expect(owner.get_by_role("button", name=GROUP)).to_be_visible()
    await owner.close()
    return url


async def open_landing_page(shop: Shop, url: str) -> str:
    """Open the landing page on a phone and copy the token."""
    here = f"http://127.0.0.1:{shop.bot.port}/weiqun/{url.rpartition('/')[2]}"
    grants = ["clipboard-read", "clipboard-write"]
    page = await shop.windows.page(here, size=PHONE, device_scale_factor=2, permissions=grants)
    await expect(page.get_by_role("heading", name=GROUP)).to_be_visible()
    await take(page, "landing-page")
    await page.get_by_role("button", name="复制").click()
    await expect(page.get_by_role("button", name="已复制")).to_be_visible()
    token = str(await page.evaluate("navigator.clipboard.readText()"))
    assert re.fullmatch(r"[A-Za-z0-9+/]{16}", token)
    return token


async def add_assistant(guest: Page, token: str) -> None:
    """Add the assistant by 微信号, with the token as the verification text."""
    await guest.get_by_role("button", name="添加朋友或发起群聊").click()
    await guest.get_by_label("微信号、微信 id 或二维码内容").fill(ACCOUNT)
    await guest.get_by_role("button", name="查找").click()
    await guest.get_by_role("button", name="添加到通讯录").click()
    await guest.get_by_label("发送添加朋友申请").fill(token)
    await take(guest, "add-with-token")
    await guest.get_by_role("button", name="发送").click()
    await expect(guest.get_by_role("dialog")).to_have_count(0)


async def check_group_joined(shop: Shop, guest: Page) -> None:
    """The friend request is accepted, the person added and welcomed once with an @."""
    await guest.get_by_role("button", name=GROUP).click()
    log = guest.get_by_role("log")
    await expect(log).to_contain_text(f"欢迎 @九纹龙\u2005加入{GROUP}！")
    await expect(log.get_by_role("article").filter(has_text="欢迎 @九纹龙")).to_have_count(1)
    assert shop.bot.sandbox is not None
    world = shop.bot.sandbox.world
    group = next(room for room in world.state.rooms.values() if room.topic == GROUP)
    assert WENLONG in group.members
    assert next(m for m in world.chats.history(WENLONG, group.id) if "欢迎" in m.text).mentions == [WENLONG]
    await take(guest, "welcome-in-group")
    await guest.get_by_role("button", name="返回", exact=True).click()


async def say(page: Page, text: str) -> None:
    await page.get_by_label("输入消息").fill(text)
    await page.get_by_role("button", name="发送", exact=True).click()


async def check_question_answered(guest: Page) -> None:
    """A keyword of the config is answered in private."""
    await guest.get_by_role("list").get_by_text(ACCOUNT, exact=True).click()
    await expect(guest.get_by_role("log")).to_contain_text(f"您好，我是{ACCOUNT}")
    await say(guest, "营业时间")
    await expect(guest.get_by_role("log")).to_contain_text("我们每天 9:00-18:00 营业。")


async def check_staff_room(keeper: Page) -> None:
    """The sandbox has the configured staff room, so 人工 works at once."""
    await keeper.get_by_role("button", name=STAFF_ROOM).click()
    await expect(keeper.get_by_role("heading", name=f"{STAFF_ROOM}（3）")).to_be_visible()


async def request_person(guest: Page, keeper: Page) -> None:
    """“人工” opens ticket #1; staff see the customer and the last messages."""
    await say(guest, "人工")
    await expect(guest.get_by_role("log")).to_contain_text("正在为您转接人工客服，请稍候。")
    await expect(keeper.get_by_role("log")).to_contain_text("【#1 九纹龙】")
    await say(guest, "我的订单 88 还没有收到")
    await expect(keeper.get_by_role("log")).to_contain_text("我的订单 88 还没有收到")


async def answer_as_staff(guest: Page, keeper: Page) -> None:
    """`#1 …` in the staff room reaches the customer as a message of the assistant."""
    await keeper.get_by_role("button", name="机器人", exact=True).click()
    await say(keeper, "#1 您好，我是店长。马上帮您查，请稍等 😊")
    answer = guest.get_by_role("article", name=f"{ACCOUNT}说").filter(has_text="马上帮您查，请稍等 😊")
    await expect(answer).to_be_visible()
    await expect(answer).not_to_contain_text("#1")
    calls = keeper.get_by_role("list", name="经过").get_by_role("listitem")
    await expect(calls.filter(has_text="发文字").filter(has_text="马上帮您查")).to_have_count(1)
    await take(keeper, "staff-room")
    await take(guest, "customer-service")


async def close_and_rate(guest: Page, keeper: Page) -> None:
    """`#1 结束` closes the ticket; the customer gives a rating, and automatic replies resume."""
    await say(keeper, "#1 结束")
    await expect(guest.get_by_role("log")).to_contain_text("请回复 1–5 为本次服务打分")
    await say(guest, "5")
    await expect(guest.get_by_role("log")).to_contain_text("感谢您的评价！")
    await say(guest, "营业时间")
    hours = guest.get_by_role("article", name=f"{ACCOUNT}说").filter(has_text="9:00-18:00")
    await expect(hours).to_have_count(2)
