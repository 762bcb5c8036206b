"""Nobody takes the assistant away from the others: what one person may cause."""

from __future__ import annotations

from typing import Any

from sandbox.world.model import ChatMessage
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.service import MARKER, answers, known, service, staff_room, words
from tests.stories.test_support_handover import ask_person

KEYWORDS = [{"contains": "价格", "reply": "请看价目表。"}, {"equals": "营业时间", "reply": "9:00-18:00"}]


def texts(said: list[ChatMessage], text: str) -> int:
    return sum(text in message.text for message in said)


async def bought(make_town: MakeTown, **limits: Any) -> Town:
    rules = service(keywords=[*KEYWORDS, MARKER])
    return await make_town(customer_service=rules, limits={"repeats": 3, **limits})


async def staffed(make_town: MakeTown, **limits: Any) -> tuple[Town, str]:
    town = await make_town(customer_service=service(), limits=limits)
    room = staff_room(town)
    await known(town, room)
    return town, room


async def test_repeated_question_is_answered_a_few_times_per_minute(make_town: MakeTown) -> None:
    town = await bought(make_town)
    for _ in range(50):
        town.say("黑旋风", "营业时间")
    await town.quiet()
    assert words(town.seen("黑旋风")) == ["9:00-18:00"] * 3
    town.ahead += 61
    town.say("黑旋风", "营业时间")
    await until(lambda: len(town.seen("黑旋风")) == 4, "answered again")


async def test_replies_per_hour_are_limited(make_town: MakeTown) -> None:
    town = await bought(make_town, replies=5)
    for number in range(20):
        town.say("黑旋风", f"价格 {number}")
    await town.quiet()
    assert words(town.seen("黑旋风")) == ["请看价目表。"] * 5 + ["您的消息太频繁了，请过一会儿再试。"]
    await answers(town, "宋公明", "营业时间")  # the others have theirs
    town.ahead += 3601
    town.say("黑旋风", "价格")
    await until(lambda: len(town.seen("黑旋风")) == 7, "answered again")


async def test_messages_to_staff_are_limited(make_town: MakeTown) -> None:
    town, room = await staffed(make_town, relays=5)
    await ask_person(town, room)
    for number in range(12):
        town.say("黑旋风", f"第 {number} 句")
    await town.hears("宋公明", "#1 黑旋风 发来的消息太多", room)
    await town.quiet()
    seen = town.seen("宋公明", room)
    assert texts(seen, "】第 ") == 5
    assert texts(seen, "发来的消息太多") == 1
    container = town.bot.container
    rows = await container.store.read(
        lambda s: container.conversations.last(s, town.accounts[0], town.id("黑旋风"), 50)
    )
    assert sum(row.text.endswith("句") for row in rows) == 12, "all are kept"
    town.say("宋公明", "#1 请慢慢说", room)
    await town.hears("黑旋风", "请慢慢说")


async def test_tickets_per_person_are_limited(make_town: MakeTown) -> None:
    town, room = await staffed(make_town, tickets=2)
    for number in (1, 2):
        town.say("黑旋风", "人工")
        await town.hears("宋公明", f"【#{number} 黑旋风】请求人工服务", room)
        town.say("宋公明", f"#{number} 结束", room)
        await town.hears("宋公明", f"#{number} 黑旋风 已结束", room)
    for _ in range(3):
        town.say("黑旋风", "人工")
    await town.quiet()
    assert texts(town.seen("黑旋风"), "您请求人工服务太频繁了") == 1
    assert texts(town.seen("宋公明", room), "请求人工服务") == 2
