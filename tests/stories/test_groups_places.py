"""Capacity of rooms with concurrent joins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.stories.conftest import MakeTown, Town, until

OK, INVITED = {"approved": "ok"}, {"approved": "invited"}


async def crowd(town: Town, many: int) -> list[str]:
    """Create new friends of the assistant; return their names."""
    names = [f"路人{number}" for number in range(many)]
    for name in names:
        town.newcomer(name)
    await until(lambda: all(town.bot.assistants[0].directory.find(name) for name in names), "all are known")
    return names


async def come(town: Town, qun: dict[str, Any], names: list[str]) -> list[tuple[int, Any]]:
    """Request all memberships concurrently; return the responses by status."""
    answers = await asyncio.gather(*(town.join(qun["token"], name) for name in names))
    said = [(status, body.get("membership_join_response") or body["error"]["code"]) for status, body, _ in answers]
    return sorted(said, key=lambda one: one[0])


async def test_one_seat_goes_to_one_of_many(make_town: MakeTown) -> None:
    """One is added, the others get an error; after a leave there is a seat again."""
    town = await make_town(groups={"capacity": 4})
    qun = await town.make_group()
    names = await crowd(town, 5)
    assert await come(town, qun, names) == [(200, OK), *[(409, 3004)] * 4]
    members = town.room(qun["room"]).members
    assert len(members) == 4
    [inside] = [who for who in members if town.world.people.get(who).name in names]
    town.world.rooms.leave(inside, qun["room"])
    directory = town.bot.assistants[0].directory
    await until(lambda: inside not in directory.rooms[qun["room"]].member_ids, "the leave is known")
    assert await come(town, qun, names[:3]) == [(200, OK), *[(409, 3004)] * 2]


async def test_as_many_rooms_as_needed_are_opened(make_town: MakeTown) -> None:
    """Each next room has one seat beside its initial members."""
    town = await make_town(groups={"capacity": 4, "overflow": True})
    qun = await town.make_group()
    assert await come(town, qun, await crowd(town, 4)) == [(200, OK)] * 4
    assert [len(room.members) for room in town.world.state.rooms.values()] == [4] * 4


async def test_rooms_without_free_seats_are_not_opened(make_town: MakeTown) -> None:
    """Rooms that are full with their three initial members: no further one is created."""
    town = await make_town(groups={"capacity": 3, "overflow": True})
    qun = await town.make_group()
    assert await come(town, qun, await crowd(town, 1)) == [(409, 3004)]
    assert len(town.world.state.rooms) == 1


@pytest.mark.parametrize("room", [True, False])
async def test_wechat_capacity_below_the_configured_one(make_town: MakeTown, room: bool) -> None:
    """Concurrent requests that find it full go on to the next room, if that is allowed."""
    town = await make_town(groups={"overflow": room})
    town.world.rules.capacity = 5
    qun = await town.make_group()
    answers = await come(town, qun, await crowd(town, 4))
    assert answers == ([(200, OK)] * 4 if room else [*[(200, OK)] * 2, *[(409, 3004)] * 2])
    assert [len(one.members) for one in town.world.state.rooms.values()] == ([5, 5] if room else [5])


async def test_direct_limit_reached_meanwhile_reports_invited(make_town: MakeTown) -> None:
    """People whom WeChat invites because others joined meanwhile are reported as invited."""
    town = await make_town(groups={"direct_add_limit": 4})
    town.world.rules.direct_limit = 4
    qun = await town.make_group()
    names = await crowd(town, 3)
    assert await come(town, qun, names) == [(200, OK), *[(202, INVITED)] * 2]
    assert await come(town, qun, names) == [(200, OK), *[(202, INVITED)] * 2]
    assert [len(town.world.state.invitations)] == [2], "nobody is invited twice"
