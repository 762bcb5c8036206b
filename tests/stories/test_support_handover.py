"""人工: handover of customers to staff, who answer in the staff room."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from models.support import Ticket
from sandbox.world.model import Kind
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.service import answers, known, service, staff_room, until_done, with_staff_room, words

HANDOFF = "正在为您转接人工客服，请稍候。"
CLOSED = "本次人工服务已结束。请回复 1–5 为本次服务打分，5 分为非常满意。"


async def ask_person(town: Town, room: str, who: str = "黑旋风", number: int = 1) -> None:
    """Open a ticket for a person."""
    town.say(who, "人工")
    await town.hears("宋公明", f"【#{number} {who}】请求人工服务", room)
    await town.hears(who, HANDOFF)


async def test_from_asking_to_the_mark(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await answers(town, "黑旋风", "今天天气真好")
    town.say("黑旋风", "我要转人工客服")
    shown = await town.hears("宋公明", "【#1 黑旋风】请求人工服务", room)
    assert "黑旋风：今天天气真好" in shown.text
    assert "黑旋风：我要转人工客服" in shown.text
    await town.hears("黑旋风", HANDOFF)

    before = len(words(town.seen("黑旋风")))
    town.say("黑旋风", "好了吗")  # a keyword; the bot does not reply during a ticket
    town.say("黑旋风", "我的货坏了")
    await town.hears("宋公明", "【#1 黑旋风】我的货坏了", room)
    assert "【#1 黑旋风】好了吗" in words(town.seen("宋公明", room))
    assert len(words(town.seen("黑旋风"))) == before

    town.say("宋公明", "大家先别管", room)  # not a command
    town.say("宋公明", "#1 您好，请发照片", room)
    await town.hears("黑旋风", "您好，请发照片")
    await town.hears("店长", "#1 由 宋公明 接待", room)
    town.say("店长", "#1 我来补充", room)  # does not change the assignee
    await town.hears("黑旋风", "我来补充")
    assert sum("由" in w and "接待" in w for w in words(town.seen("店长", room))) == 1

    town.say("宋公明", "#1 结束", room)
    await town.hears("黑旋风", CLOSED)
    await town.hears("店长", "#1 黑旋风 已结束", room)
    assert "结束" not in "".join(w for w in words(town.seen("黑旋风")) if w != CLOSED)

    assert await answers(town, "黑旋风", "5") == ["感谢您的评价！"]
    await town.hears("店长", "#1 黑旋风 评分：5", room)
    assert await answers(town, "黑旋风", "4") != ["感谢您的评价！"]  # only one rating
    ticket = await town.bot.container.store.read(lambda s: s.get(Ticket, 1))
    assert ticket is not None
    assert (ticket.mark, ticket.staff_name, ticket.state) == (5, "宋公明", "closed")


async def test_a_closed_or_unknown_number_is_told_how_it_is_written(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    town.say("店长", "#7 您好", room)
    answer = await town.hears("店长", "没有进行中的 #7", room)
    assert "“#编号 结束”结束" in answer.text
    town.say("店长", "#1 结束", room)
    await town.hears("店长", "#1 黑旋风 已结束", room)
    town.say("店长", "#1 还有一句", room)
    await town.hears("店长", "没有进行中的 #1", room)
    town.say("店长", "#话题 大家看", room)
    town.say("店长", "#1 结束", room)
    await until(lambda: sum("没有进行中的 #1" in w for w in words(town.seen("店长", room))) == 2)
    assert sum(w == CLOSED for w in words(town.seen("黑旋风"))) == 1
    assert "还有一句" not in "".join(words(town.seen("黑旋风")))


@pytest.mark.parametrize("line", ["转", "转 店长", "转店长", "/", "结束 谢谢", "记录", "/发票 谢谢"])
async def test_what_looks_like_a_command_never_reaches_the_customer(make_town: MakeTown, line: str) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    town.say("宋公明", f"#1 {line}", room)
    await town.hears("店长", "这句没有发给 #1 的客户", room)
    town.say("宋公明", f"#1 -{line}", room)
    await until(lambda: line in words(town.seen("黑旋风")), "the literal words arrive")
    assert [w for w in words(town.seen("黑旋风")) if w == line] == [line]


async def test_notes_and_history_are_shown(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    town.say("宋公明", "#1 记录 老客户，优先", room)
    await town.hears("店长", "#1 已记录", room)
    town.say("宋公明", "#1 转 @店长", room)
    assert "老客户，优先" in (await town.hears("宋公明", "#1 由 店长 接待", room)).text
    town.say("店长", "#1 您好", room)
    town.say("店长", "#1 结束", room)
    await town.hears("黑旋风", CLOSED)
    town.say("黑旋风", "人工")
    assert "备注：老客户，优先" in (await town.hears("店长", "【#2 黑旋风】请求人工服务", room)).text
    town.say("店长", "#2 历史", room)
    history = (await town.hears("店长", "#2 黑旋风 的记录", room)).text
    assert "以前的会话：#1（" in history
    assert "老客户，优先" in history
    assert "店长：您好" in history
    assert "助手：正在为您转接" in history
    assert "老客户" not in "".join(words(town.seen("黑旋风")))


async def test_a_line_without_its_number_is_asked_about_once(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    town.say("宋公明", "#1 您好", room)
    await town.hears("黑旋风", "您好")
    town.say("宋公明", "请发照片", room)
    await town.hears("店长", "这句没有发给客户。要发给 #1 黑旋风", room)
    town.say("宋公明", "再发一次", room)
    town.say("宋公明", "#1 结束", room)
    await town.hears("黑旋风", CLOSED)
    assert sum("这句没有发给客户" in w for w in words(town.seen("店长", room))) == 1
    assert "请发照片" not in words(town.seen("黑旋风"))


async def test_staff_then_admins_are_reminded_of_who_waits(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town, handoff={"remind_minutes": 0.01, "on_duty": ["宋公明"]})
    await ask_person(town, room)
    shown = await town.hears("宋公明", "【#1 黑旋风】请求人工服务", room)
    assert shown.mentions == [town.id("宋公明")]
    assert "@宋公明\u2005" in shown.text
    await _reminded(town, "还没有人答复。请回复", room)
    await _reminded(town, "#1 黑旋风 已等待")
    assert await town.bot.container.reminders.run() == 0  # the next one in an hour
    town.say("宋公明", "#1 在的", room)
    await town.hears("黑旋风", "在的")
    assert await town.bot.container.reminders.run() == 0


async def _reminded(town: Town, words_said: str, room: str = "weimi1001") -> None:
    """Run the job until 店长 is reminded; the scheduler may run it, too."""

    async def heard() -> bool:
        await town.bot.container.reminders.run()
        return any(words_said in said for said in words(town.seen("店长", room)))

    assert await until_done(heard, words_said)


async def test_only_the_staff_room_answers(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    other = town.world.rooms.create(town.id("宋公明"), [town.id("bot"), town.id("智多星")], "别的群").id
    await known(town, other)
    town.say("智多星", "#1 我是客服", other)
    town.say("智多星", "好了吗", other, ["bot"])
    await town.hears("智多星", "好了。", other)
    assert "我是客服" not in "".join(words(town.seen("黑旋风")))


async def test_several_customers_and_the_other_commands(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town, handoff={"canned": {"发票": "请发抬头和税号。"}})
    town.say("店长", "#", room)
    await town.hears("店长", "现在没有人工会话。", room)
    await ask_person(town, room, "黑旋风", 1)
    await ask_person(town, room, "智多星", 2)
    town.say("宋公明", "#2 你好智多星", room)
    await town.hears("智多星", "你好智多星")
    town.say("店长", "#1 /发票", room)
    await town.hears("黑旋风", "请发抬头和税号。")
    town.say("店长", "#1 /退款", room)
    await town.hears("店长", "没有快捷回复“退款”，现有：/发票", room)
    town.say("店长", "#2 -转", room)  # an answer that is only this word
    await town.hears("智多星", "转")
    town.say("店长", "#2 转 @店长", room)
    await town.hears("宋公明", "#2 由 店长 接待", room)
    town.say("店长", "#2 转 @谁", room)
    await town.hears("宋公明", "没有找到要转给的人", room)
    town.say("店长", "#2 记录 老客户，优先", room)
    await town.hears("店长", "#2 已记录", room)
    town.say("店长", "#", room)
    listing = await town.hears("店长", "#1 黑旋风，0 分钟前，", room)
    assert listing.text.splitlines()[1] == "#2 智多星，0 分钟前，由 店长 接待"
    quoted = "「助手：【#1 黑旋风】请求」\n- - - - - - - - - - - - - - -\n引用着答复您"
    town.say("店长", quoted, room)
    await town.hears("黑旋风", "引用着答复您")
    heard = "".join(words(town.seen("智多星")))
    assert "老客户" not in heard
    assert "你好智多星" not in "".join(words(town.seen("黑旋风")))


async def test_a_token_still_works_while_a_ticket_is_open(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    qun = await town.make_group()
    await ask_person(town, room)
    town.say("黑旋风", qun["token"])
    await town.hears("宋公明", "欢迎 @黑旋风", qun["room"])


async def test_all_of_it_over_a_restart(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    await town.quiet()
    await town.restart_bot()
    await known(town, room)
    town.say("黑旋风", "还在吗")
    await town.hears("宋公明", "【#1 黑旋风】还在吗", room)
    town.say("宋公明", "#1 在的", room)
    await town.hears("黑旋风", "在的")
    town.say("宋公明", "#1 结束", room)
    await town.hears("黑旋风", CLOSED)
    await town.quiet()
    await town.restart_bot()
    assert await answers(town, "黑旋风", "六分") != ["感谢您的评价！"]
    assert await answers(town, "黑旋风", "回复四分！") == ["感谢您的评价！"]


async def test_silence_ends_a_ticket_once(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town, handoff={"idle_minutes": 0.01})
    await ask_person(town, room)
    for _ in range(3):  # without an answer it stays open
        await asyncio.sleep(0.3)
        assert await town.bot.container.idle_tickets.close() == 0
    town.say("宋公明", "#1 您好", room)
    await town.hears("黑旋风", "您好")
    assert await until_done(town.bot.container.idle_tickets.close, "it is closed") == 1
    await town.hears("黑旋风", CLOSED)
    await town.hears("宋公明", "#1 黑旋风 0.01 分钟没有消息，已结束", room)
    assert await town.bot.container.idle_tickets.close() == 0
    await ask_person(town, room, "黑旋风", 2)  # and they may ask again


async def test_outside_the_hours_it_waits(make_town: MakeTown) -> None:
    """The customer is told the opening time; automatic replies continue; then the whole conversation is shown."""
    zone = ZoneInfo("Asia/Shanghai")
    later = datetime.now(zone) + timedelta(hours=2)
    hours = {"from": f"{later:%H}:00", "to": f"{later + timedelta(hours=1):%H}:00", "timezone": "Asia/Shanghai"}
    town, room = await with_staff_room(make_town, handoff={"hours": {"days": "mon-sun", **hours}})
    town.say("黑旋风", "人工")
    told = await town.hears("黑旋风", "人工客服现在不在线，将在")
    assert f"{later:%H}:00回复您" in told.text
    assert await answers(town, "黑旋风", "随便说点什么") == []  # no fallback
    town.world.chats.send_media(town.id("黑旋风"), town.id("bot"), Kind.IMAGE, "sofa.png", b"\x89PNG sofa")
    await answers(town, "黑旋风")
    assert await town.bot.container.waiting_tickets.announce() == 0
    assert words(town.seen("宋公明", room)) == []

    await town.stop_bot()
    town.extra = {"customer_service": service()}  # the office opens
    await town.start_bot()
    await known(town, room)
    assert await town.bot.container.waiting_tickets.announce() == 1
    shown = await town.hears("宋公明", "【#1 黑旋风】请求人工服务", room)
    assert "黑旋风：随便说点什么" in shown.text
    await until(lambda: any(m.media for m in town.seen("宋公明", room)), "the picture is shown too")
    await town.hears("黑旋风", HANDOFF)
    assert await town.bot.container.waiting_tickets.announce() == 0
    assert sum("请求人工服务" in w for w in words(town.seen("宋公明", room))) == 1


async def test_who_answers_before_the_hours_is_shown_what_was_said(make_town: MakeTown) -> None:
    """The list has waiting tickets; before an answer, staff are shown the earlier messages."""
    later = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=2)
    hours = {"days": "mon-sun", "from": f"{later:%H}:00", "to": f"{later + timedelta(hours=1):%H}:00"}
    town, room = await with_staff_room(make_town, handoff={"hours": hours})
    town.say("黑旋风", "人工")
    await town.hears("黑旋风", "人工客服现在不在线")
    town.say("黑旋风", "我的货坏了")
    await answers(town, "黑旋风")
    town.say("宋公明", "#", room)
    await town.hears("宋公明", "#1 黑旋风，0 分钟前，待接待", room)
    town.say("宋公明", "#1 您好，我先看看", room)
    await town.hears("黑旋风", "您好，我先看看")
    shown = await town.hears("店长", "【#1 黑旋风】请求人工服务", room)
    assert "黑旋风：我的货坏了" in shown.text
    town.say("宋公明", "#1 请稍等", room)
    await town.hears("黑旋风", "请稍等")
    await town.quiet()
    assert sum("请求人工服务" in w for w in words(town.seen("店长", room))) == 1
    assert words(town.seen("黑旋风"))[-3:] == [HANDOFF, "您好，我先看看", "请稍等"]


async def test_without_a_staff_room_the_admins_are_told(make_town: MakeTown) -> None:
    town = await make_town(customer_service=service())
    town.say("黑旋风", "人工")
    await town.hears("黑旋风", "暂时联系不上人工客服，已记下您的请求")
    await town.hears("店长", "#1 黑旋风 在等待人工服务，但助手没有可用的客服群。")
    town.say("黑旋风", "有人吗有人吗")
    room = staff_room(town)
    await known(town, room)
    await answers(town, "黑旋风")
    assert await town.bot.container.waiting_tickets.announce() == 1
    shown = await town.hears("宋公明", "【#1 黑旋风】请求人工服务", room)
    assert "有人吗有人吗" in shown.text


async def test_what_was_said_on_another_day_is_shown_with_its_day(make_town: MakeTown) -> None:
    """A ticket that waited over the weekend."""
    town = await make_town(customer_service=service())
    said = town.say("黑旋风", "人工").at
    await town.hears("黑旋风", "暂时联系不上人工客服")
    room = staff_room(town)
    await town.quiet()
    await town.stop_bot()
    town.ahead = 2 * 86400
    await town.start_bot()
    await known(town, room)
    await town.bot.container.waiting_tickets.announce()
    shown = await town.hears("宋公明", "【#1 黑旋风】请求人工服务", room)
    day = datetime.fromtimestamp(said, ZoneInfo("Asia/Shanghai"))
    assert f"{day:%m-%d %H:%M} 黑旋风：人工" in shown.text


async def test_business_systems_are_told(make_town: MakeTown) -> None:
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
        town = await make_town(customer_service=served, webhooks=[{**hook, "events": events}])
        room = staff_room(town)
        await known(town, room)
        await ask_person(town, room)
        await _reminded(town, "还没有人答复。请回复", room)
        await until(lambda: len(told) == 2, "the wait is told")
        town.say("店长", "#1 结束", room)
        await until(lambda: told[-1]["type"] == "ticket.closed", "all are told")
        assert list(dict.fromkeys(event["type"] for event in told)) == events
        facts = {"ticket": 1, "assistant": "weimi1001", "contact_id": town.id("黑旋风"), "name": "黑旋风", "staff": ""}
        assert told[0]["data"] == facts
        assert told[1]["data"] == {**facts, "minutes": 0}
        assert told[-1]["data"] == {**facts, "closed_by": town.id("店长")}


@pytest.mark.parametrize("words_said", ["人工智能是什么", "人工费多少", "不用人工"])
async def test_a_word_inside_another_opens_no_ticket(make_town: MakeTown, words_said: str) -> None:
    town, _ = await with_staff_room(make_town)
    await answers(town, "黑旋风", words_said)
    assert town.bot.container.tickets.of(town.accounts[0], town.id("黑旋风")) is None


async def test_what_is_old_is_relayed_and_not_answered(make_town: MakeTown) -> None:
    """Said more than ten minutes before the account came online: kept, not answered; the staff still hears it."""
    town, room = await with_staff_room(make_town, handoff={"idle_minutes": 1000})
    await ask_person(town, room)
    await town.quiet()
    await town.restart_bot()
    await known(town, room)
    for who, what in (("智多星", "好了吗"), ("智多星", "人工"), ("黑旋风", "好了吗")):
        town.say(who, what).at -= 3600
    await town.hears("宋公明", "【#1 黑旋风】好了吗", room)
    town.say("宋公明", "#1 在的", room)
    await town.hears("黑旋风", "在的")
    container = town.bot.container

    async def both_kept() -> bool:
        rows = await container.store.read(
            lambda s: container.conversations.last(s, town.accounts[0], town.id("智多星"), 9)
        )
        return [row.text for row in rows] == ["好了吗", "人工"]

    assert await until_done(both_kept, "both are kept")
    await town.quiet()
    assert words(town.seen("智多星")) == []
    assert container.tickets.of(town.accounts[0], town.id("智多星")) is None


async def test_two_assistants_in_one_staff_room(make_town: MakeTown) -> None:
    """Each relays its own customers, and does not treat the other as a customer or staff member."""
    town = await make_town(["weimi1001", "weimi1002"], customer_service=service())
    first, second = town.id("weimi1001"), town.id("weimi1002")
    town.world.people.befriend(first, second)
    room = town.world.rooms.create(town.id("店长"), [first, second, town.id("宋公明")], "客服值班群").id
    for account in town.accounts:
        directory = town.bot.container.accounts.get(account).directory
        await until(lambda d=directory: d.room_by_topic("客服值班群"), "both know the room")
    town.say("黑旋风", "人工", "weimi1001")
    await town.hears("宋公明", "【#1 黑旋风】请求人工服务", room)
    town.say("智多星", "人工", "weimi1002")
    await town.hears("宋公明", "【#2 智多星】请求人工服务", room)
    town.say("宋公明", "#1 我来看", room)
    town.say("宋公明", "#2 也看", room)
    assert (await town.hears("黑旋风", "我来看", "weimi1001")).sender == first
    assert (await town.hears("智多星", "也看", "weimi1002")).sender == second
    await town.hears("店长", "#2 由 宋公明 接待", room)
    await town.quiet()
    assert words(town.seen("黑旋风", "weimi1002")) == []
    assert words(town.seen("黑旋风", "weimi1001")) == [HANDOFF, "我来看"]
    assert words(town.seen("智多星", "weimi1002")) == [HANDOFF, "也看"]
    assert words(town.seen("weimi1001", "weimi1002")) == []
    assert not [w for w in words(town.seen("店长", room)) if "没有进行中" in w]
