"""Groups and memberships by REST, with the sandbox's WeChat."""

from __future__ import annotations

import asyncio
import base64
import re

import pytest

from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until


async def test_create_and_join_as_in_the_contract(env: BotEnvironment) -> None:
    """A group is created once, and a friend is added and welcomed once."""
    body = {"code": "1001", "owner": "宋公明", "assistant": "weimi1001"}
    status, answer, headers = await env.call("POST", "/wxbot/qun", body)
    assert status == 201
    assert list(answer) == ["qun_create_response"]
    url = answer["qun_create_response"]["url"]
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/weiqun/[A-Za-z0-9_-]{32}", url)
    assert re.fullmatch(rb"[1-9]\d{23}", base64.urlsafe_b64decode(url.rsplit("/", 1)[1]))
    assert headers["Location"] == url

    again, answer_again, _ = await env.call("POST", "/wxbot/qun", body)
    assert (again, answer_again) == (200, answer)
    assert len(env.world.state.rooms) == 1

    qun = await env.make_group("1001")
    assert qun["topic"] == "宋公明的群100001"
    room = env.room(qun["room"])
    assert set(room.members) == {env.id("bot"), env.id("宋公明"), env.id("智多星")}
    assert room.topic == qun["topic"]
    assert re.fullmatch(rb"[0-9A-F]{12}", base64.b64decode(qun["token"]))

    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    assert env.id("黑旋风") in room.members
    welcome = await env.receives("宋公明", "欢迎 @黑旋风\u2005加入宋公明的群100001！", qun["room"])
    assert welcome.mentions == [env.id("黑旋风")]
    assert "@黑旋风" in welcome.text

    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    await env.wait_idle()
    assert sum("欢迎" in m.text for m in env.seen("宋公明", qun["room"])) == 1


async def test_twenty_concurrent_creates_make_one_group(env: BotEnvironment) -> None:
    body = {"code": "同时", "owner": "宋公明", "assistant": "weimi1001"}
    answers = await asyncio.gather(*(env.call("POST", "/wxbot/qun", body) for _ in range(20)))
    assert sorted(status for status, _, _ in answers) == [200] * 19 + [201]
    assert len({answer["qun_create_response"]["url"] for _, answer, _ in answers}) == 1
    assert len(env.world.state.rooms) == 1


async def test_twenty_concurrent_joins_add_one_person_once(env: BotEnvironment) -> None:
    qun = await env.make_group()
    answers = await asyncio.gather(*(env.join(qun["token"], "黑旋风") for _ in range(20)))
    assert {status for status, _, _ in answers} == {200}
    await env.receives("宋公明", "欢迎 @黑旋风", qun["room"])
    await env.wait_idle()
    assert sum("欢迎" in m.text for m in env.seen("宋公明", qun["room"])) == 1


@pytest.mark.parametrize("effect", ["lose", "lose_silently"])
async def test_lost_response_creates_no_second_group(make_env: MakeEnv, effect: str) -> None:
    env = await make_env()
    env.world.faults.call("RoomCreate", effect, count=1)
    body = {"code": "1001", "owner": "宋公明", "assistant": "weimi1001"}
    first, _, _ = await env.call("POST", "/wxbot/qun", body)
    assert first in (201, 502)
    second, _, _ = await env.call("POST", "/wxbot/qun", body)
    assert second == (200 if first == 201 else 201)
    assert len(env.world.state.rooms) == 1


@pytest.mark.parametrize("topic", ["宋公明的群100001", ""])
async def test_existing_room_of_that_topic_is_not_used(env: BotEnvironment, topic: str) -> None:
    """Anyone can create a room with the expected topic beforehand and add the assistant and the others."""
    decoy = env.world.rooms.create(env.id("黑旋风"), [env.id("bot"), env.id("宋公明"), env.id("智多星")], topic)
    own = env.world.rooms.create(env.id("bot"), [env.id("宋公明"), env.id("智多星")], topic)
    directory = env.bot.container.accounts.get("weimi1001").directory
    await until(lambda: {decoy.id, own.id} <= directory.rooms.keys(), "both are known")
    env.world.faults.call("RoomCreate", "hang", count=1)
    body = {"code": "1001", "owner": "宋公明", "assistant": "weimi1001"}
    assert (await env.call("POST", "/wxbot/qun", body))[0] == 502
    assert (await env.call("POST", "/wxbot/qun", body))[0] == 201
    qun = await env.make_group("1001")
    assert qun["room"] not in (decoy.id, own.id)


async def test_stranger_is_added_on_becoming_a_friend(env: BotEnvironment) -> None:
    """九纹龙 is not a friend yet, and is added on becoming one."""
    qun = await env.make_group()
    status, answer, headers = await env.join(qun["token"], "九纹龙")
    assert status == 202
    assert answer == {"membership_join_response": {"approved": "pending", "assistant": "weimi1001"}}
    again = await env.join(qun["token"], "九纹龙")
    assert again[0] == 202
    assert again[2]["Location"] == headers["Location"]
    env.world.people.ask(env.id("九纹龙"), env.id("bot"), "你好")
    await until(lambda: env.id("九纹龙") in env.room(qun["room"]).members, "九纹龙 is in the group")
    await env.receives("宋公明", "欢迎 @九纹龙", qun["room"])
    _, answer, _ = await env.call("GET", headers["Location"])
    assert answer["membership"]["state"] == "joined"


async def test_member_above_the_direct_limit_is_invited(env: BotEnvironment) -> None:
    qun = await env.make_group()
    room = env.room(qun["room"])
    people = [env.add_person(f"路人{i}") for i in range(40 - len(room.members))]
    env.world.rooms.admit_members(room, people, env.id("bot"))
    await env.wait_idle()
    status, answer, headers = await env.join(qun["token"], "黑旋风")
    assert (status, answer) == (202, {"membership_join_response": {"approved": "invited"}})
    again = await env.join(qun["token"], "黑旋风")
    assert (again[0], again[1]) == (202, {"membership_join_response": {"approved": "invited"}})
    assert again[2]["Location"] == headers["Location"]
    cards = [m for m in env.seen("黑旋风") if m.kind == "invitation"]
    assert len(cards) == 1, "never invited twice"
    env.world.joins.tap(env.id("黑旋风"), cards[0].data["invitation"])
    await env.receives("宋公明", "欢迎 @黑旋风", qun["room"])
    _, answer, _ = await env.call("GET", headers["Location"])
    assert answer["membership"]["state"] == "joined"


@pytest.mark.parametrize("overflow", [False, True])
async def test_concurrent_joins_respect_capacity(make_env: MakeEnv, overflow: bool) -> None:
    """A seat is given once: others get an error, or a seat in the next rooms."""
    env = await make_env(groups={"capacity": 5, "overflow": overflow})
    qun = await env.make_group()
    people = [env.add_person(name) for name in ("燕青", "李逵", "石秀", "张顺", "阮小七", "时迁")]
    directory = env.bot.container.accounts.get("weimi1001").directory
    await until(lambda: all(id in directory.contacts for id in people), "all are known")
    answers = await asyncio.gather(*(env.join(qun["token"], id) for id in people))
    sizes = [len(room.members) for room in env.world.state.rooms.values()]
    codes = sorted(answer.get("error", {"code": 0})["code"] for _, answer, _ in answers)
    assert (codes, sizes) == (([0] * 6, [5, 5, 5]) if overflow else ([0] * 2 + [3004] * 4, [5]))


async def test_initially_full_room_opens_no_others(make_env: MakeEnv) -> None:
    env = await make_env(groups={"capacity": 3, "overflow": True})
    qun = await env.make_group()
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (409, 3004)
    assert len(env.world.state.rooms) == 1


async def test_member_is_removed_by_rest(env: BotEnvironment) -> None:
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    row = await until_membership(env, qun, "黑旋风")
    status, _, _ = await env.call("DELETE", f"/wxbot/qun/membership/{row}")
    assert status == 204
    assert env.id("黑旋风") not in env.room(qun["room"]).members
    again, _, _ = await env.call("DELETE", f"/wxbot/qun/membership/{row}")
    assert again == 204
    missing, answer, _ = await env.call("DELETE", "/wxbot/qun/membership/999999")
    assert (missing, answer["error"]["code"]) == (404, 1004)


async def until_membership(env: BotEnvironment, qun: dict[str, object], who: str) -> int:
    """Return the id of a person's membership."""
    from services.groups.membership_rows import membership_of

    row = await env.bot.container.store.read(lambda s: membership_of(s, int(str(qun["number"])), env.id(who)))
    assert row is not None
    assert row.id is not None
    return row.id


async def test_errors_have_their_code_and_status(make_env: MakeEnv) -> None:
    """Every error that needs WeChat, with its code and status."""
    env = await make_env(groups={"companions": ["智多星"]})
    qun = await env.make_group()
    make = {"code": "2", "owner": "宋公明", "assistant": "weimi1001"}

    async def refused(path: str, body: dict[str, str], status: int, code: int) -> None:
        rooms = len(env.world.state.rooms)
        got, answer, _ = await env.call("POST", path, body)
        assert (got, answer["error"]["code"]) == (status, code), answer
        assert list(answer) == ["error"]
        assert len(env.world.state.rooms) == rooms

    await refused("/wxbot/qun", make | {"assistant": "nobody"}, 404, 2001)
    await refused("/wxbot/qun", make | {"owner": "九纹龙"}, 404, 2003)
    await refused("/wxbot/qun", make | {"owner": "没有这个人"}, 404, 2003)
    env.add_person("张三")
    env.add_person("张三")
    await env.wait_idle()
    await until(lambda: len(env.bot.assistants[0].directory.find("张三")) == 2, "both 张三 are known")
    await refused("/wxbot/qun", make | {"owner": "张三"}, 409, 2004)
    await refused("/wxbot/qun", make | {"code": "code-1", "owner": "黑旋风"}, 409, 2005)
    env.world.faults.call("RoomCreate", "fail", count=1)
    await refused("/wxbot/qun", make, 502, 2006)
    member = {"token": qun["token"], "member": "黑旋风"}
    await refused("/wxbot/qun/membership", member | {"token": "NTkxNjkwNzE4RDY2"}, 404, 3001)
    await refused("/wxbot/qun/membership", member | {"member": "张三"}, 409, 3003)
    env.world.faults.call("RoomAdd", "fail", count=1)
    await refused("/wxbot/qun/membership", member, 502, 3006)
    await env.bot.container.groups.change(qun["number"], token_expires_at=1.0)
    await refused("/wxbot/qun/membership", member, 410, 3002)
    env.world.accounts.logout("weimi1001")
    await until(lambda: not env.bot.container.accounts.is_online("weimi1001"), "logged out")
    await refused("/wxbot/qun", make | {"code": "3"}, 503, 2002)
