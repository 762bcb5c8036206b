"""Groups and memberships by REST, with the sandbox's WeChat."""

from __future__ import annotations

import asyncio
import base64
import re

import pytest

from tests.stories.conftest import MakeTown, Town, until


async def test_create_and_join_as_in_the_contract(town: Town) -> None:
    """A group is created once, and a friend is added and welcomed once."""
    body = {"code": "1001", "owner": "宋公明", "assistant": "weimi1001"}
    status, answer, headers = await town.call("POST", "/wxbot/qun", body)
    assert status == 201
    assert list(answer) == ["qun_create_response"]
    url = answer["qun_create_response"]["url"]
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/weiqun/[A-Za-z0-9_-]{32}", url)
    assert re.fullmatch(rb"[1-9]\d{23}", base64.urlsafe_b64decode(url.rsplit("/", 1)[1]))
    assert headers["Location"] == url

    again, answer_again, _ = await town.call("POST", "/wxbot/qun", body)
    assert (again, answer_again) == (200, answer)
    assert len(town.world.state.rooms) == 1

    qun = await town.make_group("1001")
    assert qun["topic"] == "宋公明的群100001"
    room = town.room(qun["room"])
    assert set(room.members) == {town.id("bot"), town.id("宋公明"), town.id("智多星")}
    assert room.topic == qun["topic"]
    assert re.fullmatch(rb"[0-9A-F]{12}", base64.b64decode(qun["token"]))

    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    assert town.id("黑旋风") in room.members
    welcome = await town.hears("宋公明", "欢迎 @黑旋风\u2005加入宋公明的群100001！", qun["room"])
    assert welcome.mentions == [town.id("黑旋风")]
    assert "@黑旋风" in welcome.text

    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    await town.quiet()
    assert sum("欢迎" in m.text for m in town.seen("宋公明", qun["room"])) == 1


async def test_twenty_concurrent_creates_make_one_group(town: Town) -> None:
    body = {"code": "同时", "owner": "宋公明", "assistant": "weimi1001"}
    answers = await asyncio.gather(*(town.call("POST", "/wxbot/qun", body) for _ in range(20)))
    assert sorted(status for status, _, _ in answers) == [200] * 19 + [201]
    assert len({answer["qun_create_response"]["url"] for _, answer, _ in answers}) == 1
    assert len(town.world.state.rooms) == 1


async def test_twenty_concurrent_joins_add_one_person_once(town: Town) -> None:
    qun = await town.make_group()
    answers = await asyncio.gather(*(town.join(qun["token"], "黑旋风") for _ in range(20)))
    assert {status for status, _, _ in answers} == {200}
    await town.hears("宋公明", "欢迎 @黑旋风", qun["room"])
    await town.quiet()
    assert sum("欢迎" in m.text for m in town.seen("宋公明", qun["room"])) == 1


@pytest.mark.parametrize("effect", ["lose", "lose_silently"])
async def test_lost_response_creates_no_second_group(make_town: MakeTown, effect: str) -> None:
    town = await make_town()
    town.world.faults.call("RoomCreate", effect, count=1)
    body = {"code": "1001", "owner": "宋公明", "assistant": "weimi1001"}
    first, _, _ = await town.call("POST", "/wxbot/qun", body)
    assert first in (201, 502)
    second, _, _ = await town.call("POST", "/wxbot/qun", body)
    assert second == (200 if first == 201 else 201)
    assert len(town.world.state.rooms) == 1


@pytest.mark.parametrize("topic", ["宋公明的群100001", ""])
async def test_existing_room_of_that_topic_is_not_used(town: Town, topic: str) -> None:
    """Anyone can create a room with the expected topic beforehand and add the assistant and the others."""
    decoy = town.world.rooms.create(town.id("黑旋风"), [town.id("bot"), town.id("宋公明"), town.id("智多星")], topic)
    own = town.world.rooms.create(town.id("bot"), [town.id("宋公明"), town.id("智多星")], topic)
    directory = town.bot.container.accounts.get("weimi1001").directory
    await until(lambda: {decoy.id, own.id} <= directory.rooms.keys(), "both are known")
    town.world.faults.call("RoomCreate", "hang", count=1)
    body = {"code": "1001", "owner": "宋公明", "assistant": "weimi1001"}
    assert (await town.call("POST", "/wxbot/qun", body))[0] == 502
    assert (await town.call("POST", "/wxbot/qun", body))[0] == 201
    qun = await town.make_group("1001")
    assert qun["room"] not in (decoy.id, own.id)


async def test_stranger_is_added_on_becoming_a_friend(town: Town) -> None:
    """九纹龙 is not a friend yet, and is added on becoming one."""
    qun = await town.make_group()
    status, answer, headers = await town.join(qun["token"], "九纹龙")
    assert status == 202
    assert answer == {"membership_join_response": {"approved": "pending", "assistant": "weimi1001"}}
    again = await town.join(qun["token"], "九纹龙")
    assert again[0] == 202
    assert again[2]["Location"] == headers["Location"]
    town.world.people.ask(town.id("九纹龙"), town.id("bot"), "你好")
    await until(lambda: town.id("九纹龙") in town.room(qun["room"]).members, "九纹龙 is in the group")
    await town.hears("宋公明", "欢迎 @九纹龙", qun["room"])
    _, answer, _ = await town.call("GET", headers["Location"])
    assert answer["membership"]["state"] == "joined"


async def test_member_above_the_direct_limit_is_invited(town: Town) -> None:
    qun = await town.make_group()
    room = town.room(qun["room"])
    people = [town.newcomer(f"路人{i}") for i in range(40 - len(room.members))]
    town.world.rooms.let_in(room, people, town.id("bot"))
    await town.quiet()
    status, answer, headers = await town.join(qun["token"], "黑旋风")
    assert (status, answer) == (202, {"membership_join_response": {"approved": "invited"}})
    again = await town.join(qun["token"], "黑旋风")
    assert (again[0], again[1]) == (202, {"membership_join_response": {"approved": "invited"}})
    assert again[2]["Location"] == headers["Location"]
    cards = [m for m in town.seen("黑旋风") if m.kind == "invitation"]
    assert len(cards) == 1, "never invited twice"
    town.world.joins.tap(town.id("黑旋风"), cards[0].data["invitation"])
    await town.hears("宋公明", "欢迎 @黑旋风", qun["room"])
    _, answer, _ = await town.call("GET", headers["Location"])
    assert answer["membership"]["state"] == "joined"


@pytest.mark.parametrize("overflow", [False, True])
async def test_concurrent_joins_respect_capacity(make_town: MakeTown, overflow: bool) -> None:
    """A seat is given once: others get an error, or a seat in the next rooms."""
    town = await make_town(groups={"capacity": 5, "overflow": overflow})
    qun = await town.make_group()
    people = [town.newcomer(name) for name in ("燕青", "李逵", "石秀", "张顺", "阮小七", "时迁")]
    directory = town.bot.container.accounts.get("weimi1001").directory
    await until(lambda: all(id in directory.contacts for id in people), "all are known")
    answers = await asyncio.gather(*(town.join(qun["token"], id) for id in people))
    sizes = [len(room.members) for room in town.world.state.rooms.values()]
    codes = sorted(answer.get("error", {"code": 0})["code"] for _, answer, _ in answers)
    assert (codes, sizes) == (([0] * 6, [5, 5, 5]) if overflow else ([0] * 2 + [3004] * 4, [5]))


async def test_initially_full_room_opens_no_others(make_town: MakeTown) -> None:
    town = await make_town(groups={"capacity": 3, "overflow": True})
    qun = await town.make_group()
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (409, 3004)
    assert len(town.world.state.rooms) == 1


async def test_member_is_removed_by_rest(town: Town) -> None:
    qun = await town.make_group()
    await town.join(qun["token"], "黑旋风")
    row = await until_membership(town, qun, "黑旋风")
    status, _, _ = await town.call("DELETE", f"/wxbot/qun/membership/{row}")
    assert status == 204
    assert town.id("黑旋风") not in town.room(qun["room"]).members
    again, _, _ = await town.call("DELETE", f"/wxbot/qun/membership/{row}")
    assert again == 204
    missing, answer, _ = await town.call("DELETE", "/wxbot/qun/membership/999999")
    assert (missing, answer["error"]["code"]) == (404, 1004)


async def until_membership(town: Town, qun: dict[str, object], who: str) -> int:
    """Return the id of a person's membership."""
    from services.groups.membership_rows import membership_of

    row = await town.bot.container.store.read(lambda s: membership_of(s, int(str(qun["number"])), town.id(who)))
    assert row is not None
    assert row.id is not None
    return row.id


async def test_error_table(make_town: MakeTown) -> None:
    """Every error that needs WeChat, with its code and status."""
    town = await make_town(groups={"companions": ["智多星"]})
    qun = await town.make_group()
    make = {"code": "2", "owner": "宋公明", "assistant": "weimi1001"}

    async def refused(path: str, body: dict[str, str], status: int, code: int) -> None:
        rooms = len(town.world.state.rooms)
        got, answer, _ = await town.call("POST", path, body)
        assert (got, answer["error"]["code"]) == (status, code), answer
        assert list(answer) == ["error"]
        assert len(town.world.state.rooms) == rooms

    await refused("/wxbot/qun", make | {"assistant": "nobody"}, 404, 2001)
    await refused("/wxbot/qun", make | {"owner": "九纹龙"}, 404, 2003)
    await refused("/wxbot/qun", make | {"owner": "没有这个人"}, 404, 2003)
    town.newcomer("张三")
    town.newcomer("张三")
    await town.quiet()
    await until(lambda: len(town.bot.assistants[0].directory.find("张三")) == 2, "both 张三 are known")
    await refused("/wxbot/qun", make | {"owner": "张三"}, 409, 2004)
    await refused("/wxbot/qun", make | {"code": "code-1", "owner": "黑旋风"}, 409, 2005)
    town.world.faults.call("RoomCreate", "fail", count=1)
    await refused("/wxbot/qun", make, 502, 2006)
    member = {"token": qun["token"], "member": "黑旋风"}
    await refused("/wxbot/qun/membership", member | {"token": "NTkxNjkwNzE4RDY2"}, 404, 3001)
    await refused("/wxbot/qun/membership", member | {"member": "张三"}, 409, 3003)
    town.world.faults.call("RoomAdd", "fail", count=1)
    await refused("/wxbot/qun/membership", member, 502, 3006)
    await town.bot.container.groups.change(qun["number"], token_expires_at=1.0)
    await refused("/wxbot/qun/membership", member, 410, 3002)
    town.world.accounts.logout("weimi1001")
    await until(lambda: not town.bot.container.accounts.is_online("weimi1001"), "logged out")
    await refused("/wxbot/qun", make | {"code": "3"}, 503, 2002)
