"""Capacity of rooms with concurrent joins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until

OK, INVITED = {"approved": "ok"}, {"approved": "invited"}


async def add_people(env: BotEnvironment, many: int) -> list[str]:
    """Create new friends of the assistant; return their names."""
    names = [f"路人{number}" for number in range(many)]
    for name in names:
        env.add_person(name)
    await until(lambda: all(env.bot.assistants[0].directory.find(name) for name in names), "all are known")
    return names


async def request_joins(env: BotEnvironment, qun: dict[str, Any], names: list[str]) -> list[tuple[int, Any]]:
    """Request all memberships concurrently; return the responses by status."""
    answers = await asyncio.gather(*(env.join(qun["token"], name) for name in names))
    said = [(status, body.get("membership_join_response") or body["error"]["code"]) for status, body, _ in answers]
    return sorted(said, key=lambda message: message[0])


async def test_one_seat_goes_to_one_of_many(make_env: MakeEnv) -> None:
    """One is added, the others get an error; after a leave there is a seat again."""
    env = await make_env(groups={"capacity": 4})
    qun = await env.make_group()
    names = await add_people(env, 5)
    assert await request_joins(env, qun, names) == [(200, OK), *[(409, 3004)] * 4]
    members = env.room(qun["room"]).members
    assert len(members) == 4
    [inside] = [who for who in members if env.world.people.get(who).name in names]
    env.world.rooms.leave(inside, qun["room"])
    directory = env.bot.assistants[0].directory
    await until(lambda: inside not in directory.rooms[qun["room"]].member_ids, "the leave is known")
    assert await request_joins(env, qun, names[:3]) == [(200, OK), *[(409, 3004)] * 2]


async def test_as_many_rooms_as_needed_are_opened(make_env: MakeEnv) -> None:
    """Each next room has one seat beside its initial members."""
    env = await make_env(groups={"capacity": 4, "overflow": True})
    qun = await env.make_group()
    assert await request_joins(env, qun, await add_people(env, 4)) == [(200, OK)] * 4
    assert [len(room.members) for room in env.world.state.rooms.values()] == [4] * 4


async def test_rooms_without_free_seats_are_not_opened(make_env: MakeEnv) -> None:
    """Rooms that are full with their three initial members: no further one is created."""
    env = await make_env(groups={"capacity": 3, "overflow": True})
    qun = await env.make_group()
    assert await request_joins(env, qun, await add_people(env, 1)) == [(409, 3004)]
    assert len(env.world.state.rooms) == 1


@pytest.mark.parametrize("room", [True, False])
async def test_wechat_capacity_below_the_configured_one(make_env: MakeEnv, room: bool) -> None:
    """Concurrent requests that find it full continue with the next room, if that is allowed."""
    env = await make_env(groups={"overflow": room})
    env.world.rules.capacity = 5
    qun = await env.make_group()
    answers = await request_joins(env, qun, await add_people(env, 4))
    assert answers == ([(200, OK)] * 4 if room else [*[(200, OK)] * 2, *[(409, 3004)] * 2])
    assert [len(room.members) for room in env.world.state.rooms.values()] == ([5, 5] if room else [5])


async def test_direct_limit_reached_meanwhile_reports_invited(make_env: MakeEnv) -> None:
    """People whom WeChat invites because others joined first are reported as invited."""
    env = await make_env(groups={"direct_add_limit": 4})
    env.world.rules.direct_limit = 4
    qun = await env.make_group()
    names = await add_people(env, 3)
    assert await request_joins(env, qun, names) == [(200, OK), *[(202, INVITED)] * 2]
    assert await request_joins(env, qun, names) == [(200, OK), *[(202, INVITED)] * 2]
    assert [len(env.world.state.invitations)] == [2], "nobody is invited twice"
