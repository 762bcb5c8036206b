"""人工 on the official channel: staff answer in the console, or in their own 企业微信 by the session's state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from models.support import TicketState
from sandbox.wecom.service import SessionState
from services.messaging.messages import text
from services.support.agent_actions import Agent
from tests.stories.official_shop import Shop, rules, shop
from tests.waiting import until

__all__ = ["shop"]
CONNECTING = "正在为您转接人工客服，请稍候。"
AWAY = "暂时联系不上人工客服，已记下您的请求，会尽快回复您。"
MARK = "本次人工服务已结束。请回复 1–5 为本次服务打分，5 分为非常满意。"
AGENT = Agent("wm_nobody", "店长", "person:wm_nobody")


@pytest.fixture
async def client_shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop with staff who answer in their own client."""
    shop = Shop(tmp_path)
    shop.assistant = {"handoff": "client"}
    await shop.open(**rules(tmp_path))
    yield shop
    await shop.close()


async def until_ticket(shop: Shop, **wanted: Any) -> None:
    async def is_so() -> bool:
        row = await shop.ticket()
        return all(getattr(row, name) == value for name, value in wanted.items())

    await until(is_so, f"ticket 1 is {wanted}")


async def queued(shop: Shop) -> None:
    """黑旋风 asks for a person and waits in the queue of the staff."""
    await shop.say("黑旋风", "人工")
    await until(lambda: shop.service.customer("黑旋风").state is SessionState.QUEUED, "in the queue")
    assert shop.seen("黑旋风") == [CONNECTING]


async def test_staff_serve_a_customer_in_their_own_client(client_shop: Shop) -> None:
    shop = client_shop
    await queued(shop)
    shop.service.take("黑旋风", "WuYong")
    shop.service.answer("黑旋风", "您好，我是吴用。")
    await shop.call_back()
    await until_ticket(shop, state=TicketState.OPEN, staff_id="WuYong", staff_name="WuYong")
    await until(lambda: is_answered(shop), "the answer is noted")
    await shop.say("黑旋风", "营业时间")  # the assistant keeps silent
    shop.service.finish("黑旋风")
    await shop.call_back()
    await shop.receives("黑旋风", CONNECTING, "您好，我是吴用。", MARK)
    assert shop.service.customer("黑旋风").seen[-1]["msgtype"] == "msgmenu"
    assert shop.server.corp.calls.count("kf/send_msg_on_event") == 1, "the mark is asked for by the session's code"
    await shop.tap("黑旋风", 1)
    await until_ticket(shop, state=TicketState.CLOSED, closed_by="WuYong", mark=5)
    await shop.say("黑旋风", "营业时间")
    await until(lambda: "我们每天 9:00-18:00 营业。" in shop.seen("黑旋风"), "the assistant answers again")


async def test_queued_customer_is_not_queued_again(client_shop: Shop) -> None:
    """As after a crash between the call and the note of its success."""
    await queued(client_shop)
    wechat = client_shop.bot.container.accounts.get("kefu1")
    await wechat.hand_over(client_shop.service.customer("黑旋风").id)
    assert client_shop.server.corp.calls.count("kf/service_state/trans") == 1


async def test_refused_queueing_is_reported_and_retried(client_shop: Shop) -> None:
    shop = client_shop
    shop.service.has_staff = False
    await shop.say("黑旋风", "人工")
    await until_done_refused(shop)
    await shop.receives("黑旋风", CONNECTING, AWAY)
    await until_ticket(shop, state=TicketState.WAITING, refusals=1)
    shop.service.has_staff = True
    shop.ahead += 601
    assert await shop.bot.container.waiting_tickets.announce() == 1
    await until(lambda: shop.service.customer("黑旋风").state is SessionState.QUEUED, "in the queue")


async def until_done_refused(shop: Shop) -> None:
    """Let the attempts pass that a refused call has."""

    async def is_told() -> bool:
        shop.due()
        return AWAY in shop.seen("黑旋风")

    await until(is_told, "the customer is told")


async def test_staff_session_silences_the_assistant(shop: Shop) -> None:
    """Regardless of `handoff`, the API cannot send during a staff session."""
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。")
    shop.service.take("黑旋风", "WuYong")
    shop.service.answer("黑旋风", "您好，我是吴用。")
    await shop.call_back()
    await until(lambda: has_ticket(shop), "a ticket")
    await until_ticket(shop, state=TicketState.OPEN, staff_id="WuYong")
    await shop.say("黑旋风", "营业时间")
    shop.service.finish("黑旋风")
    await shop.call_back()
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。", "您好，我是吴用。", MARK)


async def is_answered(shop: Shop) -> bool:
    return (await shop.ticket()).answered_at is not None


async def has_ticket(shop: Shop) -> bool:
    return shop.bot.container.tickets.get(1) is not None


async def test_staff_serve_a_customer_in_the_console(shop: Shop) -> None:
    await shop.say("黑旋风", "人工")
    await shop.receives("黑旋风", CONNECTING)
    container = shop.bot.container
    await until_ticket(shop, state=TicketState.OPEN, room_id="")
    await shop.say("黑旋风", "发票")  # the assistant keeps silent
    await container.store.write(lambda s: container.agent_actions.reply(s, 1, AGENT, text("您好，请讲。"), "k1"))
    await shop.receives("黑旋风", CONNECTING, "您好，请讲。")
    await container.store.write(lambda s: container.agent_actions.close(s, 1, AGENT))
    await shop.receives("黑旋风", CONNECTING, "您好，请讲。", MARK)
    assert shop.service.customer("黑旋风").state is SessionState.ENDED
    await shop.say("黑旋风", "4分")
    await until_ticket(shop, mark=4)


async def test_console_answer_fails_during_a_staff_session(client_shop: Shop) -> None:
    """The failure is reported at once and the answer is not sent later; other messages wait."""
    shop = client_shop
    await queued(shop)
    container = shop.bot.container
    await container.store.write(lambda s: container.agent_actions.reply(s, 1, AGENT, text("从后台说。"), "k1"))
    await container.store.write(
        lambda s: container.messages.queue(s, "kefu1", shop.service.customer("黑旋风").id, "快递到了。").id
    )
    (answer,) = await shop.failed()
    assert "95018" in answer.error
    shop.service.take("黑旋风", "WuYong")
    shop.service.finish("黑旋风")
    await shop.call_back()
    await until_ticket(shop, state=TicketState.CLOSED)
    await shop.say("黑旋风", "营业时间")
    await until(lambda: "我们每天 9:00-18:00 营业。" in shop.seen("黑旋风"), "answered")
    assert "快递到了。" in shop.seen("黑旋风")
    assert "从后台说。" not in shop.seen("黑旋风")


async def test_silent_ticket_is_closed_by_the_job(shop: Shop) -> None:
    await shop.say("黑旋风", "人工")
    await shop.receives("黑旋风", CONNECTING)
    container = shop.bot.container
    await container.store.write(lambda s: container.agent_actions.reply(s, 1, AGENT, text("您好，请讲。"), "k1"))
    await shop.receives("黑旋风", CONNECTING, "您好，请讲。")
    for _ in range(8):
        await container.idle_tickets.close()
        shop.ahead += 300
    await until_ticket(shop, state=TicketState.CLOSED, closed_by="idle")
    await shop.receives("黑旋风", CONNECTING, "您好，请讲。", MARK)
