"""人工: handover of customers to staff, who answer in the staff room."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from models.support import Ticket
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.service import (
    CLOSED,
    HANDOFF,
    ask_person,
    known,
    replies_to,
    service,
    staff_room,
    with_staff_room,
    words,
)
from tests.waiting import until


async def test_ticket_from_request_to_rating(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await replies_to(env, "黑旋风", "今天天气真好")
    env.say("黑旋风", "我要转人工客服")
    shown = await env.receives("宋公明", "【#1 黑旋风】请求人工服务", room)
    assert "黑旋风：今天天气真好" in shown.text
    assert "黑旋风：我要转人工客服" in shown.text
    await env.receives("黑旋风", HANDOFF)

    before = len(words(env.seen("黑旋风")))
    env.say("黑旋风", "好了吗")  # a keyword; the bot does not reply during a ticket
    env.say("黑旋风", "我的货坏了")
    await env.receives("宋公明", "【#1 黑旋风】我的货坏了", room)
    assert "【#1 黑旋风】好了吗" in words(env.seen("宋公明", room))
    assert len(words(env.seen("黑旋风"))) == before

    env.say("宋公明", "大家先别管", room)  # not a command
    env.say("宋公明", "#1 您好，请发照片", room)
    await env.receives("黑旋风", "您好，请发照片")
    await env.receives("店长", "#1 由 宋公明 接待", room)
    env.say("店长", "#1 我来补充", room)  # does not change the assignee
    await env.receives("黑旋风", "我来补充")
    assert sum("由" in w and "接待" in w for w in words(env.seen("店长", room))) == 1

    env.say("宋公明", "#1 结束", room)
    await env.receives("黑旋风", CLOSED)
    await env.receives("店长", "#1 黑旋风 已结束", room)
    assert "结束" not in "".join(w for w in words(env.seen("黑旋风")) if w != CLOSED)

    assert await replies_to(env, "黑旋风", "5") == ["感谢您的评价！"]
    await env.receives("店长", "#1 黑旋风 评分：5", room)
    assert await replies_to(env, "黑旋风", "4") != ["感谢您的评价！"]  # only one rating
    ticket = await env.bot.container.store.read(lambda s: s.get(Ticket, 1))
    assert ticket is not None
    assert (ticket.mark, ticket.staff_name, ticket.state) == (5, "宋公明", "closed")


async def test_closed_or_unknown_number_gets_usage_reply(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    env.say("店长", "#7 您好", room)
    answer = await env.receives("店长", "没有进行中的 #7", room)
    assert "“#编号 结束”结束" in answer.text
    env.say("店长", "#1 结束", room)
    await env.receives("店长", "#1 黑旋风 已结束", room)
    env.say("店长", "#1 还有一句", room)
    await env.receives("店长", "没有进行中的 #1", room)
    env.say("店长", "#话题 大家看", room)
    env.say("店长", "#1 结束", room)
    await until(lambda: sum("没有进行中的 #1" in w for w in words(env.seen("店长", room))) == 2)
    assert sum(w == CLOSED for w in words(env.seen("黑旋风"))) == 1
    assert "还有一句" not in "".join(words(env.seen("黑旋风")))


@pytest.mark.parametrize("line", ["转", "转 店长", "转店长", "/", "结束 谢谢", "记录", "/发票 谢谢"])
async def test_malformed_command_never_reaches_the_customer(make_env: MakeEnv, line: str) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    env.say("宋公明", f"#1 {line}", room)
    await env.receives("店长", "这句没有发给 #1 的客户", room)
    env.say("宋公明", f"#1 -{line}", room)
    await until(lambda: line in words(env.seen("黑旋风")), "the literal words arrive")
    assert [w for w in words(env.seen("黑旋风")) if w == line] == [line]


async def test_notes_and_history_are_shown(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    env.say("宋公明", "#1 记录 老客户，优先", room)
    await env.receives("店长", "#1 已记录", room)
    env.say("宋公明", "#1 转 @店长", room)
    assert "老客户，优先" in (await env.receives("宋公明", "#1 由 店长 接待", room)).text
    env.say("店长", "#1 您好", room)
    env.say("店长", "#1 结束", room)
    await env.receives("黑旋风", CLOSED)
    env.say("黑旋风", "人工")
    assert "备注：老客户，优先" in (await env.receives("店长", "【#2 黑旋风】请求人工服务", room)).text
    env.say("店长", "#2 历史", room)
    history = (await env.receives("店长", "#2 黑旋风 的记录", room)).text
    assert "以前的会话：#1（" in history
    assert "老客户，优先" in history
    assert "店长：您好" in history
    assert "助手：正在为您转接" in history
    assert "老客户" not in "".join(words(env.seen("黑旋风")))


async def test_line_without_number_is_asked_about_once(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    env.say("宋公明", "#1 您好", room)
    await env.receives("黑旋风", "您好")
    env.say("宋公明", "请发照片", room)
    await env.receives("店长", "这句没有发给客户。要发给 #1 黑旋风", room)
    env.say("宋公明", "再发一次", room)
    env.say("宋公明", "#1 结束", room)
    await env.receives("黑旋风", CLOSED)
    assert sum("这句没有发给客户" in w for w in words(env.seen("店长", room))) == 1
    assert "请发照片" not in words(env.seen("黑旋风"))


async def test_staff_then_admins_are_reminded(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env, handoff={"remind_minutes": 0.01, "on_duty": ["宋公明"]})
    await ask_person(env, room)
    shown = await env.receives("宋公明", "【#1 黑旋风】请求人工服务", room)
    assert shown.mentions == [env.id("宋公明")]
    assert "@宋公明\u2005" in shown.text
    await _reminded(env, "还没有人答复。请回复", room)
    await _reminded(env, "#1 黑旋风 已等待")
    assert await env.bot.container.reminders.run() == 0  # the next one in an hour
    env.say("宋公明", "#1 在的", room)
    await env.receives("黑旋风", "在的")
    assert await env.bot.container.reminders.run() == 0


async def _reminded(env: BotEnvironment, words_said: str, room: str = "weimi1001") -> None:
    """Run the job until 店长 is reminded."""

    async def received() -> bool:
        await env.bot.container.reminders.run()
        return any(words_said in said for said in words(env.seen("店长", room)))

    assert await until(received, words_said)


async def test_only_the_staff_room_can_answer(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    other = env.world.rooms.create(env.id("宋公明"), [env.id("bot"), env.id("智多星")], "别的群").id
    await known(env, other)
    env.say("智多星", "#1 我是客服", other)
    env.say("智多星", "好了吗", other, ["bot"])
    await env.receives("智多星", "好了。", other)
    assert "我是客服" not in "".join(words(env.seen("黑旋风")))


async def test_several_customers_and_other_commands(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env, handoff={"canned": {"发票": "请发抬头和税号。"}})
    env.say("店长", "#", room)
    await env.receives("店长", "现在没有人工会话。", room)
    await ask_person(env, room, "黑旋风", 1)
    await ask_person(env, room, "智多星", 2)
    env.say("宋公明", "#2 你好智多星", room)
    await env.receives("智多星", "你好智多星")
    env.say("店长", "#1 /发票", room)
    await env.receives("黑旋风", "请发抬头和税号。")
    env.say("店长", "#1 /退款", room)
    await env.receives("店长", "没有快捷回复“退款”，现有：/发票", room)
    env.say("店长", "#2 -转", room)  # an answer that is only this word
    await env.receives("智多星", "转")
    env.say("店长", "#2 转 @店长", room)
    await env.receives("宋公明", "#2 由 店长 接待", room)
    env.say("店长", "#2 转 @谁", room)
    await env.receives("宋公明", "没有找到要转给的人", room)
    env.say("店长", "#2 记录 老客户，优先", room)
    await env.receives("店长", "#2 已记录", room)
    env.say("店长", "#", room)
    listing = await env.receives("店长", "#1 黑旋风，0 分钟前，", room)
    assert listing.text.splitlines()[1] == "#2 智多星，0 分钟前，由 店长 接待"
    quoted = "「助手：【#1 黑旋风】请求」\n- - - - - - - - - - - - - - -\n引用着答复您"
    env.say("店长", quoted, room)
    await env.receives("黑旋风", "引用着答复您")
    received = "".join(words(env.seen("智多星")))
    assert "老客户" not in received
    assert "你好智多星" not in "".join(words(env.seen("黑旋风")))


async def test_token_works_during_a_ticket(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    qun = await env.make_group()
    await ask_person(env, room)
    env.say("黑旋风", qun["token"])
    await env.receives("宋公明", "欢迎 @黑旋风", qun["room"])


async def test_admins_are_notified_without_a_staff_room(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service())
    env.say("黑旋风", "人工")
    await env.receives("黑旋风", "暂时联系不上人工客服，已记下您的请求")
    await env.receives("店长", "#1 黑旋风 在等待人工服务，但助手没有可用的客服群。")
    env.say("黑旋风", "有人吗有人吗")
    room = staff_room(env)
    await known(env, room)
    await replies_to(env, "黑旋风")
    assert await env.bot.container.waiting_tickets.announce() == 1
    shown = await env.receives("宋公明", "【#1 黑旋风】请求人工服务", room)
    assert "有人吗有人吗" in shown.text


async def test_business_systems_receive_ticket_events(make_env: MakeEnv) -> None:
    told: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    async with TestServer(app) as server:
        hook = {"url": str(server.make_url("/hook")), "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
        events = ["ticket.opened", "ticket.waiting", "ticket.closed"]
        served = service(handoff={"remind_minutes": 0.01})
        env = await make_env(customer_service=served, webhooks=[{**hook, "events": events}])
        room = staff_room(env)
        await known(env, room)
        await ask_person(env, room)
        await _reminded(env, "还没有人答复。请回复", room)
        await until(lambda: len(told) == 2, "the wait is told")
        env.say("店长", "#1 结束", room)
        await until(lambda: told[-1]["type"] == "ticket.closed", "all are told")
        assert list(dict.fromkeys(event["type"] for event in told)) == events
        facts = {"ticket": 1, "assistant": "weimi1001", "contact_id": env.id("黑旋风"), "name": "黑旋风", "staff": ""}
        assert told[0]["data"] == facts
        assert told[1]["data"] == {**facts, "minutes": 0}
        assert told[-1]["data"] == {**facts, "closed_by": env.id("店长")}


@pytest.mark.parametrize("words_said", ["人工智能是什么", "人工费多少", "不用人工"])
async def test_keyword_inside_another_word_opens_no_ticket(make_env: MakeEnv, words_said: str) -> None:
    env, _ = await with_staff_room(make_env)
    await replies_to(env, "黑旋风", words_said)
    assert env.bot.container.tickets.of(env.accounts[0], env.id("黑旋风")) is None


async def test_two_assistants_share_a_staff_room(make_env: MakeEnv) -> None:
    """Each relays its own customers, and does not treat the other as a customer or staff member."""
    env = await make_env(["weimi1001", "weimi1002"], customer_service=service())
    first, second = env.id("weimi1001"), env.id("weimi1002")
    env.world.people.befriend(first, second)
    room = env.world.rooms.create(env.id("店长"), [first, second, env.id("宋公明")], "客服值班群").id
    for account in env.accounts:
        directory = env.bot.container.accounts.get(account).directory
        await until(lambda d=directory: d.room_by_topic("客服值班群"), "both know the room")
    env.say("黑旋风", "人工", "weimi1001")
    await env.receives("宋公明", "【#1 黑旋风】请求人工服务", room)
    env.say("智多星", "人工", "weimi1002")
    await env.receives("宋公明", "【#2 智多星】请求人工服务", room)
    env.say("宋公明", "#1 我来看", room)
    env.say("宋公明", "#2 也看", room)
    assert (await env.receives("黑旋风", "我来看", "weimi1001")).sender == first
    assert (await env.receives("智多星", "也看", "weimi1002")).sender == second
    await env.receives("店长", "#2 由 宋公明 接待", room)
    await env.wait_idle()
    assert words(env.seen("黑旋风", "weimi1002")) == []
    assert words(env.seen("黑旋风", "weimi1001")) == [HANDOFF, "我来看"]
    assert words(env.seen("智多星", "weimi1002")) == [HANDOFF, "也看"]
    assert words(env.seen("weimi1001", "weimi1002")) == []
    assert not [w for w in words(env.seen("店长", room)) if "没有进行中" in w]
