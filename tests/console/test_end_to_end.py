"""End-to-end: a new owner's first hour at the console; with WXBOT_PICTURES=1 it takes the screenshots."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, expect
from sqlmodel import Session

from models.statistics import DayTotal
from tests.browser.pictures import take
from tests.browser_windows import Windows
from tests.console.browser import PHONE, go, open_console
from tests.console.conftest import ACCOUNT, SETTINGS
from tests.ports import free_port
from tests.stories.conftest import BotEnvironment
from tests.stories.service import known, staff_room
from tests.waiting import until
from tests.web_server import serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SECRET = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


@pytest_asyncio.fixture(loop_scope="session")
async def env(tmp_path: Path, windows: Windows) -> AsyncIterator[BotEnvironment]:
    url = f"http://127.0.0.1:{free_port()}/hook"
    hook = {"name": "订单系统", "url": url, "secret": SECRET, "events": ["qun.created"]}
    env = await BotEnvironment(tmp_path, **{**SETTINGS, "webhooks": [hook]}).open()
    env.bot.container.webhooks.give_up_after = 0  # else it is tried for three days
    await env.bot.container.store.write(_put_days)
    await known(env, staff_room(env))
    yield env
    await windows.close()
    await env.close()


def _put_days(session: Session) -> None:
    """Some days before today."""
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    for back in range(1, 30):
        wave = 1 + (back * 7) % 5
        session.add(
            DayTotal(
                day=(today - timedelta(days=back)).isoformat(), messages=40 * wave, joins=3 * wave, leaves=wave // 2,
                sent=15 * wave, tickets=2 * wave, answered=2 * wave, first_answer=60.0 + 30 * wave,
            )
        )  # fmt: skip


async def test_first_hour_of_an_owner(windows: Windows, env: BotEnvironment) -> None:
    _, page = await open_console(windows, env)
    await log_account_in_by_code(env, page)
    await create_two_groups(env, page)
    await serve_customer(env, page)
    await add_question_to_faq(env, page)
    await send_broadcast(env, page)
    await resend_failed_webhook(env, page)
    await reload_config(env, page)
    await read_audit_log(page)
    await check_phone_layout(windows, env)


async def log_account_in_by_code(env: BotEnvironment, page: Page) -> None:
    """Log out on the settings page, and scan the code it shows in the sandbox."""
    await go(page, "settings")
    await page.get_by_role("button", name="退出微信").click()
    await page.get_by_role("dialog").get_by_role("button", name="退出微信").click()
    await go(page, "overview")
    code = page.get_by_role("img", name="登录二维码")
    await expect(code).not_to_have_js_property("naturalWidth", 0)  # once logged in there is no picture to load
    await expect(page.get_by_text("请用微信扫码登录")).to_be_visible()
    await take(page, "console-login-code")
    env.world.accounts.login(ACCOUNT)
    await expect(code).to_have_count(0)
    await expect(page.get_by_label(ACCOUNT).get_by_text("在线")).to_be_visible()
    await env.ready()


async def create_two_groups(env: BotEnvironment, page: Page) -> None:
    """Create them by REST; rename one and add a member."""
    first, _ = [await env.make_group(code) for code in ("shop-1", "shop-2")]
    await go(page, "groups")
    await page.get_by_role("link", name=first["topic"]).click()
    await expect(page.get_by_role("heading", name=first["topic"])).to_be_visible()  # the list has a field 群名, too
    await page.get_by_label("群名").fill("梁山一群")
    await page.get_by_role("button", name="保存", exact=True).click()
    await expect(page.get_by_role("heading", name="梁山一群")).to_be_visible()
    await until(lambda: env.room(first["room"]).topic == "梁山一群", "WeChat shows the new name")
    await page.get_by_role("button", name="添加群员").click()
    await page.get_by_label("查找好友").fill("黑旋风")
    await page.get_by_role("radio").check()
    await page.get_by_role("dialog").get_by_role("button", name="添加", exact=True).click()
    await expect(page.get_by_role("row", name="黑旋风")).to_be_visible()
    assert env.id("黑旋风") in env.room(first["room"]).members
    await take(page, "console-group")


async def serve_customer(env: BotEnvironment, page: Page) -> None:
    """From 人工 to the mark."""
    env.say("黑旋风", "你们周末营业吗")
    await env.receives("黑旋风", "抱歉")
    env.say("黑旋风", "人工")
    await env.receives("黑旋风", env.bot.config.texts.handoff[:4])
    await expect(page.get_by_label("1 个等待接待")).to_be_visible()
    await go(page, "tickets")
    await page.locator(".tickets a").first.click()
    await page.get_by_role("button", name="我来接待").click()
    await page.get_by_label("快捷回复").select_option("发票")
    reply = page.get_by_label("回复", exact=True)
    await expect(reply).to_have_value("请发抬头和税号。")
    await reply.fill("您好，周末 9 点到 18 点营业。")
    await page.keyboard.press("Control+Enter")
    await env.receives("黑旋风", "周末 9 点")
    bubble = page.locator(".bubble.ours", has_text="周末 9 点")
    await expect(bubble.locator(".state")).to_have_text("已发送")
    env.say("黑旋风", "谢谢！")
    await expect(page.locator(".bubble", has_text="谢谢！")).to_be_visible()
    await take(page, "console-ticket")
    await page.get_by_role("button", name="结束", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="结束").click()
    await env.receives("黑旋风", env.bot.config.texts.handoff_closed[:4])
    env.say("黑旋风", "5")
    await expect(page.locator(".ticket-header")).to_contain_text("评分 5")


async def add_question_to_faq(env: BotEnvironment, page: Page) -> None:
    """Add an unanswered question to the FAQ."""
    await go(page, "knowledge")
    await page.get_by_role("row", name="你们周末营业吗").get_by_role("button", name="回答").click()
    await page.get_by_label("回答", exact=True).fill("周末 9 点到 18 点。")
    await page.get_by_role("dialog").get_by_role("button", name="保存").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_label("客户可能发送的消息").fill("你们周末营业吗")
    await page.get_by_role("button", name="测试").click()
    await expect(page.locator(".answer")).to_have_text("周末 9 点到 18 点。")
    await take(page, "console-knowledge")
    env.say("宋公明", "你们周末营业吗")
    await env.receives("宋公明", "周末 9 点到 18 点。")


async def send_broadcast(env: BotEnvironment, page: Page) -> None:
    """Send to every group, after the preview."""
    await go(page, "outreach")
    await page.get_by_role("button", name="新的群发").click()
    await page.get_by_label("内容").fill("今晚八点活动")
    await page.get_by_role("button", name="预览").click()
    await expect(page.get_by_role("dialog")).to_contain_text("所有群")
    await page.get_by_role("button", name="确认发送").click()
    await page.get_by_role("button", name="结果").click()
    await expect(page.get_by_role("dialog")).to_contain_text("已发送 2，失败 0，共 2")
    await page.keyboard.press("Escape")


async def resend_failed_webhook(env: BotEnvironment, page: Page) -> None:
    """Resend it once the receiver is available."""
    received: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        received.append((await request.json())["type"])
        return web.Response()

    await go(page, "connections")
    rows = page.get_by_role("row", name="订单系统")
    await expect(rows).to_have_count(2)
    port = int(env.bot.config.webhooks[0].url.split(":")[2].split("/")[0])
    async with serving(receive, port):
        await rows.first.get_by_role("button", name="重发").click()
        await expect(rows).to_have_count(1)
        await until(lambda: received == ["qun.created"], "the event is received")
        await page.get_by_role("button", name="已发送").click()
        await expect(page.get_by_role("row", name="订单系统")).to_have_count(1)


async def reload_config(env: BotEnvironment, page: Page) -> None:
    """The preview lists the changes first."""
    env.extra = {**env.extra, "keep_days": 90}
    await go(page, "settings")
    await page.get_by_role("button", name="预览重新加载的更改").click()
    await expect(page.get_by_text("将更新：keep_days")).to_be_visible()
    await page.get_by_role("button", name="重新加载", exact=True).click()
    await expect(page.get_by_text("已重新加载：keep_days")).to_be_visible()
    assert env.bot.container.config.keep_days == 90


async def read_audit_log(page: Page) -> None:
    """The audit log shows texts with before and after."""
    await go(page, "records")
    row = page.get_by_role("row", name="改群名")
    await expect(row).to_contain_text("店长（后台）")
    await expect(row).to_contain_text("改后 梁山一群")
    await take(page, "console-records")
    await go(page, "overview")
    await expect(page.locator(".chart canvas").first).to_be_visible()
    await take(page, "console-overview")


async def check_phone_layout(windows: Windows, env: BotEnvironment) -> None:
    """The same pages on 360 pixels in dark mode."""
    options: dict[str, Any] = {"size": PHONE, "is_mobile": True, "has_touch": True, "color_scheme": "dark"}
    _, page = await open_console(windows, env, device_scale_factor=2, **options)
    await go(page, "groups")
    await expect(page.get_by_role("link", name="梁山一群")).to_be_visible()
    await take(page, "console-phone")
