"""Full groups: reported, or continued in a next room."""

from __future__ import annotations

import asyncio

from tests.stories.conftest import MakeEnv
from tests.stories.group_life import add_members, qun_of, state_of, texts, wait_for_state
from tests.waiting import until


async def test_full_group_is_reported(make_env: MakeEnv) -> None:
    """3004 for REST, a text for people; the request ends and is not retried after a restart."""
    env = await make_env(groups={"capacity": 4})
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    status, answer, _ = await env.join(qun["token"], "店长")
    assert (status, answer["error"]["code"]) == (409, 3004)
    env.say("店长", qun["token"])
    await env.receives("店长", "“宋公明的群100001”已满")
    assert await state_of(env, qun, "店长") == "refused"
    await env.restart_bot()
    await env.wait_idle()
    assert len(texts(env, "店长", text="已满")) == 1


async def test_overflow_opens_one_next_room(make_env: MakeEnv) -> None:
    """However many join at once, one next room is created, with the same token."""
    env = await make_env(groups={"capacity": 5, "overflow": True})
    qun = await env.make_group()
    late = env.add_person("来晚了")
    await until(lambda: env.bot.assistants[0].directory.find("来晚了"), "known")
    for who in ("黑旋风", env.add_person("不早不晚")):
        add_members(env, qun, who)
        await wait_for_state(env, qun, who, "joined")
    answers = await asyncio.gather(*(env.join(qun["token"], who) for who in ("店长", late)))
    assert [(status, answer["membership_join_response"]) for status, answer, _ in answers] == [
        (200, {"approved": "ok"})
    ] * 2
    rooms = env.bot.container.groups.rooms(qun_of(env, qun))
    assert [room.topic for room in rooms] == ["宋公明的群100001", "宋公明的群100001·2"]
    assert len(env.world.state.rooms) == 2
    assert {env.id("店长"), late} < set(env.room(rooms[1].room_id or "").members)
    env.world.rooms.leave(env.id("宋公明"), rooms[1].room_id or "")
    await env.wait_idle()
    assert await state_of(env, qun, "宋公明") == "joined", "still in the first room"


async def test_room_full_only_in_wechat(make_env: MakeEnv) -> None:
    env = await make_env(groups={"overflow": True})
    qun = await env.make_group()
    env.world.rules.capacity = 3
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (409, 3004), "the next room is as small, and full with its three"
    env.world.rules.capacity = 4
    status, _, _ = await env.join(qun["token"], "黑旋风")
    assert status == 200
