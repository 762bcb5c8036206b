"""What a page loads: late, failed and cut off responses, changes that come meanwhile, and lists of several pages."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, Route, expect
from sqlmodel import Session

from models.rules import TimedMessage
from models.support import Ticket
from tests.browser_windows import Windows
from tests.console.browser import go, open_console, shop
from tests.console.conftest import ACCOUNT
from tests.stories.conftest import BotEnvironment

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROWS = 60  # on two pages of a list


async def show(page: Page, name: str) -> None:
    """Go to a page of the console without waiting for its data."""
    await page.evaluate("(name) => { location.hash = name; }", f"#/{name}")


async def test_response_is_shown_though_a_change_came_meanwhile(windows: Windows, shop: BotEnvironment) -> None:
    """Otherwise nothing would be shown while changes come faster than responses."""
    _, page = await open_console(windows, shop)
    may_end = [asyncio.Event(), asyncio.Event()]
    requests = 0

    async def hold(route: Route) -> None:
        nonlocal requests
        event = may_end[min(requests, 1)]
        requests += 1
        await event.wait()
        await route.continue_()

    await page.route("**/console/api/ticket?*", hold)
    async with page.expect_request("**/console/api/ticket?*"):
        await show(page, "tickets")
    shop.say("智多星", "人工")
    await expect(page).to_have_title(re.compile(r"^\(2\)"))  # the page has received the change
    may_end[0].set()
    await expect(page.locator(".tickets a").first).to_be_visible()
    may_end[1].set()
    await expect(page.locator(".tickets").get_by_text("智多星")).to_be_visible()


async def test_failed_reload_is_repeated(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, "tickets")
    windows.refused = "Failed to load resource"
    await page.route("**/console/api/ticket?*", lambda route: route.abort())
    async with page.expect_event("requestfailed"):
        shop.say("智多星", "人工")
    await shop.receives("智多星", shop.bot.config.texts.handoff[:4])
    await expect(page).to_have_title(re.compile(r"^\(2\)"))
    await page.unroute("**/console/api/ticket?*")
    await expect(page.locator(".tickets").get_by_text("智多星")).to_be_visible()


async def test_response_that_is_cut_off_is_an_error(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    half = '{"quns": [{"number": 1'
    await page.route("**/console/api/qun?*", lambda route: route.fulfill(content_type="application/json", body=half))
    await page.route("**/console/api/qun", lambda route: route.fulfill(content_type="application/json", body=half))
    await show(page, "groups")
    await expect(page.get_by_text("连接断开了，正在重试…")).to_be_visible()
    await page.unroute_all()
    await page.get_by_role("button", name="再试一次").click()
    await expect(page.get_by_role("region", name="群")).to_be_visible()


async def test_page_that_is_opened_while_the_bot_restarts(windows: Windows, shop: BotEnvironment) -> None:
    context, _ = await open_console(windows, shop)
    windows.refused = "Failed to load resource"
    await context.route("**/console/api/session", lambda route: route.fulfill(status=503, body="{}"))
    page = await windows.page(f"{shop.url}/console/", context)
    await expect(page.get_by_text("出错了（503）")).to_be_visible()
    await context.unroute("**/console/api/session")
    await expect(page.get_by_role("heading", name="概览")).to_be_visible()


async def test_retry_loads_all_that_failed(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    windows.refused = "Failed to load resource"
    await page.route("**/console/api/canned", lambda route: route.fulfill(status=404, body="{}"))
    await show(page, "knowledge")
    await expect(page.get_by_text("出错了（404）")).to_be_visible()
    await page.unroute("**/console/api/canned")
    await page.get_by_role("button", name="再试一次").click()
    await expect(page.get_by_role("button", name="快捷回复 1")).to_be_visible()


async def test_failed_reload_of_the_config_is_not_shown_as_no_change(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, "settings")
    preview = '{"preview": {"changed": ["texts"], "restart": []}}'
    json = "application/json"
    await page.route("**/settings/preview", lambda route: route.fulfill(content_type=json, body=preview))
    await page.route("**/settings/reload", lambda route: route.fulfill(status=503, body="{}"))
    windows.refused = "Failed to load resource"
    await page.get_by_role("button", name="预览重新加载的更改").click()
    await page.get_by_role("button", name="重新加载", exact=True).click()
    await expect(page.get_by_text("出错了（503）")).to_be_visible()
    await expect(page.get_by_text("将更新：texts")).to_be_visible()
    await expect(page.get_by_role("status").filter(has_text="没有变化。")).to_have_count(0)


def _put_timed(session: Session, number: int) -> None:
    for at in range(ROWS):
        text = f"第 {at} 条"
        session.add(TimedMessage(number=number, cron="0 9 * * *", text=text, by="person:x", next_at=4e9 + at))


async def test_deleted_row_of_a_later_page_disappears(windows: Windows, shop: BotEnvironment) -> None:
    number = next(iter(shop.bot.container.groups)).number
    await shop.bot.container.store.write(lambda s: _put_timed(s, number))
    _, page = await open_console(windows, shop)
    await go(page, "outreach")
    await page.get_by_role("button", name="定时", exact=True).click()
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(50)
    await page.get_by_role("button", name="显示更多").click()
    await expect(rows).to_have_count(ROWS)
    assert len(set(await rows.locator("td:nth-child(2)").all_inner_texts())) == ROWS
    deleted = await rows.last.locator("td:nth-child(2)").inner_text()
    await rows.last.get_by_role("button", name="删除").click()
    await page.get_by_role("dialog").get_by_role("button", name="删除").click()
    await expect(rows).to_have_count(ROWS - 1)
    await expect(page.get_by_text(deleted, exact=True)).to_have_count(0)
    assert await page.evaluate("document.activeElement.getAttribute('aria-label')") == "定时"  # the table


def _put_tickets(session: Session) -> None:
    for at in range(ROWS):
        name = f"第 {at} 位"
        session.add(Ticket(account=ACCOUNT, contact_id=f"x{at}", name=name, state="open", opened_at=at, last_at=at))


async def test_row_between_two_pages_stays_when_one_is_added(windows: Windows, shop: BotEnvironment) -> None:
    await shop.bot.container.store.write(_put_tickets)
    _, page = await open_console(windows, shop)
    await go(page, "tickets")
    numbers = page.locator(".tickets .number")
    await expect(numbers).to_have_count(50)
    await page.get_by_role("button", name="显示更多").click()
    await expect(numbers).to_have_count(ROWS + 1)
    before = await numbers.all_inner_texts()
    shop.say("智多星", "人工")
    await expect(page.locator(".tickets").get_by_text("智多星")).to_be_visible()
    after = await numbers.all_inner_texts()
    assert set(before) < set(after) and len(after) == len(before) + 1
