"""The main scenarios on PostgreSQL, above all those that must happen once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.stories.conftest import MakeTown, Town, until
from tests.stories.service import answers, known, service, staff_room, words

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]


async def ask_for(town: Town, code: str) -> tuple[int, Any]:
    body = {"code": code, "owner": "宋公明", "assistant": town.accounts[0]}
    status, answer, _ = await town.call("POST", "/wxbot/qun", body)
    return status, answer["qun_create_response"]["url"]


async def test_concurrent_groups_get_distinct_numbers(make_town: MakeTown, database: str) -> None:
    town = await make_town(database=database)
    codes = [f"code-{number}" for number in range(6)] * 2
    made = await asyncio.gather(*(ask_for(town, code) for code in codes))
    assert sorted(status for status, _ in made) == [200] * 6 + [201] * 6
    assert len({url for _, url in made}) == 6
    quns = [await town.call("GET", "/wxbot/qun", params={"code": code}) for code in codes[:6]]
    assert sorted(answer["qun"]["number"] for _, answer, _ in quns) == list(range(100001, 100007))


async def test_new_friend_is_greeted_and_added_once(make_town: MakeTown, database: str) -> None:
    town = await make_town(database=database)
    qun = await town.make_group()
    town.world.people.ask(town.id("九纹龙"), town.id("bot"), f"我是九纹龙 {qun['token']}")
    await until(lambda: town.id("九纹龙") in town.room(qun["room"]).members, "九纹龙 is in the group")
    await town.hears("宋公明", "欢迎 @九纹龙", qun["room"])
    await town.restart_bot()
    town.say("九纹龙", qun["token"])
    await town.hears("九纹龙", "您已经在")
    await town.quiet()
    assert sum("您好，我是" in m.text for m in town.seen("九纹龙")) == 1
    assert sum("欢迎" in m.text for m in town.seen("宋公明", qun["room"])) == 1


async def test_ticket_is_answered_and_survives_restart(make_town: MakeTown, database: str) -> None:
    town = await make_town(database=database, customer_service=service())
    room = staff_room(town)
    await known(town, room)
    for _ in range(3):  # concurrently and repeatedly
        town.say("黑旋风", "人工")
    await town.hears("黑旋风", "正在为您转接")
    await town.quiet()
    assert sum("请求人工服务" in said for said in words(town.seen("宋公明", room))) == 1
    await town.restart_bot()
    town.say("宋公明", "#1 您好", room)
    await town.hears("黑旋风", "您好")
    town.say("宋公明", "#1 结束", room)
    await town.hears("黑旋风", "打分")
    assert await answers(town, "黑旋风", "5") == ["感谢您的评价！"]


async def test_number_out_of_range_returns_404(make_town: MakeTown, database: str) -> None:
    town = await make_town(database=database)
    qun = await town.make_group()
    calls = [("GET", "message/{}"), ("GET", "qun/membership/{}"), ("DELETE", "qun/membership/{}"), ("GET", "qun/{}")]
    for number in (2**31 - 1, 2**31, 2**63, 10**18 - 1):
        for method, path in [*calls, ("POST", "webhook/{}/resend")]:
            status, answer, _ = await town.call(method, f"/wxbot/{path.format(number)}")
            assert (status, answer["error"]["code"]) == (404, 1004), (path, number)
        town.say("宋公明", f"/定时 删 {number}", qun["room"])
        answer = f"没有编号为 {number} 的定时消息" if number < 2**31 else "/定时 [加"
        await town.hears("宋公明", answer, qun["room"])
