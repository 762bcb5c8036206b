"""A staff room that refuses what is sent to it, and a customer who changes their name during a ticket."""

from __future__ import annotations

from sqlmodel import select

from models.durable import OutboxItem, WorkState
from models.support import Ticket, TicketState
from tests.stories.conftest import MakeEnv
from tests.stories.service import with_ticket, words
from tests.waiting import until


async def test_rejected_announcement_is_reported_and_repeated(make_env: MakeEnv) -> None:
    env, room = await with_ticket(make_env)
    container, queue = env.bot.container, f"wx:{env.accounts[0]}"
    sent = select(OutboxItem.id).where(OutboxItem.key == room, OutboxItem.state == WorkState.SENT)

    async def announced() -> int | None:
        return await container.store.read(lambda s: s.exec(sent).first())

    number = await until(announced, "the announcement is noted as sent")
    for _ in range(2):  # WeChat may report it twice
        await container.store.write(lambda s: container.outbox.results.fail_sent(s, number, queue, "群已解散"))
    await env.receives("黑旋风", "暂时联系不上人工客服")
    await env.receives("店长", "没能发到客服群（群已解散）")
    ticket = await container.store.read(lambda s: s.get(Ticket, 1))
    assert ticket is not None
    assert (ticket.state, ticket.refusals) == (TicketState.WAITING, 1)
    assert await container.waiting_tickets.announce() == 0, "not at once"
    env.ahead += 601
    assert await container.waiting_tickets.announce() == 1
    await until(lambda: "".join(words(env.seen("店长", room))).count("请求人工服务") == 2, "it is announced again")
    env.say("宋公明", "#1 您好", room)
    await env.receives("黑旋风", "您好")
    assert len([said for said in words(env.seen("黑旋风")) if "暂时联系不上" in said]) == 1


async def test_renamed_customer_keeps_the_ticket(make_env: MakeEnv) -> None:
    env, room = await with_ticket(make_env)
    env.world.people.rename(env.id("黑旋风"), "铁牛")
    env.say("黑旋风", "还在吗还在吗")
    await env.receives("店长", "还在吗还在吗", room)
    env.say("黑旋风", "我改名了呀")
    await env.receives("店长", "【#1 铁牛】我改名了呀", room)
    env.say("宋公明", "#1 看到了", room)
    await env.receives("黑旋风", "看到了")
    ticket = await env.bot.container.store.read(lambda s: s.get(Ticket, 1))
    assert ticket is not None
    assert ticket.name == "铁牛"
