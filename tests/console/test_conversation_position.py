"""The conversation of a ticket stays where the user reads, and follows new messages at its end."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import expect
from sqlmodel import Session

from models.conversations import StoredMessage
from tests.browser_windows import Windows
from tests.console.browser import go, open_console, shop
from tests.console.conftest import ACCOUNT
from tests.stories.conftest import BotEnvironment
from tests.waiting import until

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MESSAGES = 120
DISTANCE_TO_END = "(log) => log.scrollHeight - log.clientHeight - log.scrollTop"
TOP = "(element) => element.getBoundingClientRect().top"


def _put_messages(session: Session, contact_id: str, ticket: int) -> None:
    begin = time.time() - MESSAGES
    for at in range(MESSAGES):
        session.add(
            StoredMessage(
                account=ACCOUNT, conversation=contact_id, by=contact_id, at=begin + at, kind="text",
                text=f"第 {at} 句", ticket=ticket,
            )
        )  # fmt: skip


async def test_conversation_stays_where_the_user_reads(windows: Windows, shop: BotEnvironment) -> None:
    ticket = next(iter(shop.bot.container.tickets))
    await shop.bot.container.store.write(lambda s: _put_messages(s, ticket.contact_id, ticket.id or 0))
    _, page = await open_console(windows, shop)
    await go(page, f"tickets/{ticket.id}")
    log = page.get_by_role("log")
    await until(lambda: log.evaluate(DISTANCE_TO_END + " < 2"), "the end of the conversation is shown")
    await log.evaluate("(log) => { log.scrollTop = 0; }")
    message = log.get_by_text("第 80 句", exact=True)
    before = await message.evaluate(TOP)
    await page.get_by_role("button", name="显示更早的消息").click()
    await expect(log.get_by_text("第 0 句", exact=True)).to_be_attached()
    assert abs(await message.evaluate(TOP) - before) < 2
    shop.say("黑旋风", "还在吗")
    await expect(log.get_by_text("还在吗", exact=True)).to_be_attached()
    assert abs(await message.evaluate(TOP) - before) < 2
    await page.get_by_label("回复", exact=True).fill("在的")
    await page.keyboard.press("Control+Enter")
    await expect(log.get_by_text("在的", exact=True)).to_be_in_viewport()
    await until(lambda: log.evaluate(DISTANCE_TO_END + " < 2"), "what was sent is shown")
    shop.say("黑旋风", "太好了")
    await expect(log.get_by_text("太好了", exact=True)).to_be_in_viewport()
