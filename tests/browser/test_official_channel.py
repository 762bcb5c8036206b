"""The chat page of `python -m sandbox.wecom`: a customer talks to 微信客服, and staff answer in their own client."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from PIL import Image
from playwright.async_api import FilePayload, Page, expect

from app.lifecycle import Bot
from config import Config
from sandbox.wecom.service import SessionState
from sandbox.wecom.stand_in import StandIn
from sandbox.world.world import WENLONG
from tests.browser.pictures import take
from tests.browser_windows import PHONE, Windows
from tests.ports import free_port
from tests.stories.official_shop import rules
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
ACCOUNT = "kefu1"


@dataclass
class Service:
    """A bot at the stand-in."""

    bot: Bot
    stand_in: StandIn
    windows: Windows

    async def customer(self, **options: Any) -> Page:
        """Open the page as 九纹龙, who does not know the service yet."""
        page = await self.windows.page(f"{self.stand_in.page}/?as={WENLONG}", **options)
        await page.locator(".frame[data-live=open]").wait_for()
        return page

    async def staff(self, do: str, **more: str) -> None:
        """Act as a member of staff in their own client."""
        body = {"customer": "九纹龙", "do": do, **more}
        url = f"{self.stand_in.server.url}/staff/WuYong"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
            assert response.status == 200


@pytest_asyncio.fixture(loop_scope="session")
async def service(windows: Windows, tmp_path: Path) -> AsyncIterator[Service]:
    port = free_port()
    stand_in = StandIn(ACCOUNT, f"http://127.0.0.1:{port}")
    await stand_in.start()
    settings: dict[str, Any] = yaml.safe_load(stand_in.settings)
    settings["assistants"][0]["handoff"] = "client"
    bot = Bot(
        Config(
            **settings,
            database=f"sqlite:///{tmp_path}/wxbot.db",
            api={"port": port},
            admins=["wm_nobody"],
            customer_service=rules(tmp_path),
        )
    )
    await bot.start()
    await until(lambda: bot.container.accounts.is_online(ACCOUNT), "online")
    yield Service(bot, stand_in, windows)
    await windows.close()
    await bot.stop()
    await stand_in.stop()


async def test_a_customer_is_served_on_a_phone(service: Service) -> None:
    """Welcome, keyword, picture, a menu that is tapped, 人工, and a mark."""
    page = await service.customer(size=PHONE, device_scale_factor=2)
    await add_service(page)
    log = page.get_by_role("log")
    await expect(log).to_contain_text(f"您好，我是{ACCOUNT}")
    await say(page, "营业时间")
    await expect(log).to_contain_text("我们每天 9:00-18:00 营业。")
    await say(page, "会员怎么弄呀")
    await expect(log).to_contain_text("您是不是想问：")
    await log.get_by_role("button", name="会员积分怎么查").click()
    await expect(log).to_contain_text("在“我的”里查。")
    await send_picture(page)
    await take(page, "official-channel")
    await say(page, "人工")
    await expect(log).to_contain_text("正在为您转接人工客服，请稍候。")
    customer = service.stand_in.server.service.customer("九纹龙")
    await until(lambda: customer.state is SessionState.QUEUED, "in the queue")
    await service.staff("take")
    await service.staff("answer", text="您好，我是吴用。")
    await expect(log).to_contain_text("您好，我是吴用。")
    await service.staff("finish")
    await expect(log).to_contain_text("本次人工服务已结束。")
    await log.get_by_role("button", name="5分").click()
    await expect(log).to_contain_text("感谢您的评价！")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    await until(lambda: is_picture_stored_once(service), "the picture is stored")


async def add_service(page: Page) -> None:
    """Scan the service's QR code, as far as the page knows that: by adding it."""
    await page.get_by_role("button", name="添加朋友或发起群聊").click()
    await page.get_by_label("微信号、微信 id 或二维码内容").fill(ACCOUNT)
    await page.get_by_role("button", name="查找").click()
    await page.get_by_role("button", name="添加到通讯录").click()
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("list").get_by_text(ACCOUNT, exact=True).click()


async def say(page: Page, text: str) -> None:
    await page.get_by_label("输入消息").fill(text)
    await page.get_by_role("button", name="发送", exact=True).click()


async def send_picture(page: Page) -> None:
    out = io.BytesIO()
    Image.new("RGB", (240, 140), "#8fbcd4").save(out, "PNG")
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="图片").click()
    await (await chooser.value).set_files(FilePayload(name="会员卡.png", mimeType="image/png", buffer=out.getvalue()))
    await page.get_by_role("button", name="发送", exact=True).click()
    await expect(page.get_by_role("button", name="看大图：会员卡.png")).to_be_visible()


async def is_picture_stored_once(service: Service) -> bool:
    container, customer = service.bot.container, service.stand_in.server.service.customer("九纹龙").id
    rows = await container.store.read(lambda s: container.conversations.last(s, ACCOUNT, customer, 50))
    return [row.kind for row in rows].count("image") == 1
