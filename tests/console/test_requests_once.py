"""What an agent writes at a ticket is sent once, and to whom it is meant for."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from playwright.async_api import FilePayload, Page, Request, Route, expect

from tests.browser_windows import Windows
from tests.console.browser import go, open_console, shop
from tests.stories.conftest import BotEnvironment
from tests.waiting import until

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Held:
    """Requests of a page that wait until they are released."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self._released = asyncio.Event()

    async def hold(self, route: Route) -> None:
        self.bodies.append(route.request.post_data_json)
        await self._released.wait()
        await route.continue_()

    def release(self) -> None:
        self._released.set()


async def open_ticket(windows: Windows, env: BotEnvironment, who: str = "店长") -> tuple[Page, int]:
    """Open the first ticket in the console."""
    _, page = await open_console(windows, env, who)
    ticket = min(ticket.id or 0 for ticket in env.bot.container.tickets)
    await go(page, f"tickets/{ticket}")
    await expect(page.get_by_role("log")).to_be_visible()
    return page, ticket


async def test_double_click_saves_a_note_once(windows: Windows, shop: BotEnvironment) -> None:
    page, _ = await open_ticket(windows, shop)
    held = Held()
    await page.route("**/note", held.hold)
    await page.get_by_label("写备注").check()
    await page.get_by_label("备注", exact=True).fill("常客")
    save = page.get_by_role("button", name="保存备注", exact=True)
    await save.dblclick()
    await page.get_by_label("备注", exact=True).press("Control+Enter")
    await until(lambda: held.bodies, "the note is sent")
    held.release()
    await expect(page.locator(".bubble.note")).to_have_count(1)
    await expect(save).to_be_disabled()
    assert held.bodies == [{"text": "常客"}]
    await expect(page.get_by_label("备注", exact=True)).to_be_focused()


async def test_picture_and_text_that_are_sent_at_once_both_arrive(windows: Windows, shop: BotEnvironment) -> None:
    page, _ = await open_ticket(windows, shop)
    held = Held()
    await page.route("**/reply", held.hold)
    await page.get_by_label("回复", exact=True).fill("请看图")
    await page.get_by_role("button", name="发送", exact=True).click()
    picture: FilePayload = {"name": "图.png", "mimeType": "image/png", "buffer": PIXEL}
    await page.locator("input[type=file]").set_input_files(picture)
    await until(lambda: len(held.bodies) == 2, "both are sent")
    held.release()
    log = page.get_by_role("log")
    await expect(log).to_contain_text("请看图")
    await expect(log.get_by_role("img")).to_have_count(1)


async def test_edited_text_is_sent_after_a_lost_response(windows: Windows, shop: BotEnvironment) -> None:
    page, _ = await open_ticket(windows, shop)
    windows.refused = "Failed to load resource"

    async def lose_response(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/reply", lose_response, times=1)
    field, send = page.get_by_label("回复", exact=True), page.get_by_role("button", name="发送", exact=True)
    await field.fill("九点开门")
    await send.click()
    await expect(page.get_by_text("连接断开了，请稍后再试。")).to_be_visible()
    await field.fill("十点开门")
    await send.click()
    await expect(field).to_have_value("")
    await shop.receives("黑旋风", "十点开门")


async def test_draft_of_a_note_stays_a_note(windows: Windows, shop: BotEnvironment) -> None:
    """It would be sent to the customer otherwise."""
    shop.say("智多星", "人工")
    await until(lambda: len(list(shop.bot.container.tickets)) == 2, "a second ticket")
    page, ticket = await open_ticket(windows, shop)
    await page.get_by_label("写备注").check()
    await page.get_by_label("备注", exact=True).fill("难缠的客户")
    await go(page, f"tickets/{ticket + 1}")
    await expect(page.get_by_role("heading", name=f"#{ticket + 1}")).to_be_visible()
    await expect(page.get_by_label("回复", exact=True)).to_have_value("")
    await go(page, f"tickets/{ticket}")
    await expect(page.get_by_label("备注", exact=True)).to_have_value("难缠的客户")


async def test_note_on_a_closed_ticket_stays_a_note_when_it_is_opened_again(
    windows: Windows, shop: BotEnvironment
) -> None:
    page, _ = await open_ticket(windows, shop)
    await page.get_by_role("button", name="结束", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="结束").click()
    note = page.get_by_label("备注", exact=True)
    await note.fill("难缠的客户")
    await page.get_by_role("button", name="重新打开").click()
    await expect(page.get_by_role("button", name="结束", exact=True)).to_be_visible()
    await expect(note).to_have_value("难缠的客户")
    await note.press("Control+Enter")
    await expect(page.locator(".bubble.note")).to_contain_text("难缠的客户")


async def test_agent_who_has_left_is_not_shown_as_a_viewer(windows: Windows, shop: BotEnvironment) -> None:
    page, ticket = await open_ticket(windows, shop)
    held = Held()
    await page.route("**/reply", held.hold)
    doing: list[Any] = []

    def record(request: Request) -> None:
        if request.url.endswith(f"/ticket/{ticket}/presence"):
            doing.append((request.post_data_json or {})["doing"])

    page.on("request", record)
    await page.get_by_label("回复", exact=True).fill("您好")
    await page.get_by_role("button", name="发送", exact=True).click()
    await go(page, "records")
    await until(lambda: doing and doing[-1] == "left", "the page reports that its user has left")
    async with page.expect_response("**/reply"):
        held.release()
    await shop.receives("黑旋风", "您好")
    await go(page, "overview")
    assert doing[-1] == "left"
