"""Responses reflect what WeChat shows now, not cached data."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from models.durable import EventState, InboxEvent
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.group_life import audit, becomes, bring, holds, state_of, texts

LOST = {"lost": 1.0}


@pytest.fixture(autouse=True)
def nothing_holds_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIST_HOLDS", "EVENT_HOLDS"):
        monkeypatch.setattr(f"services.groups.roster_refresh.{name}", timedelta(0))


async def _membership(town: Town, path: str) -> dict[str, Any]:
    status, answer, _ = await town.call("GET", path)
    assert status == 200, answer
    row: dict[str, Any] = answer["membership"]
    return row


async def test_pending_request_by_name_merges_with_token_request(town: Town) -> None:
    """A request by REST and one by the person themselves are one membership, readable by REST."""
    qun = await town.make_group()
    _, _, headers = await town.join(qun["token"], "九纹龙")
    path = headers["Location"]
    town.world.people.ask(town.id("九纹龙"), town.id("bot"), f"入群 {qun['token']}")
    await becomes(town, qun, "九纹龙", "joined")
    row = await _membership(town, path)
    assert (row["id"], row["member"], row["state"]) == (int(path.rsplit("/", 1)[1]), "九纹龙", "joined")
    assert (await town.call("DELETE", path))[0] == 204
    assert town.id("九纹龙") not in town.room(qun["room"]).members
    assert (await _membership(town, path))["state"] == "removed"


async def test_pending_person_added_by_others_has_joined(town: Town) -> None:
    """A pending person who is added by others has joined; both REST ids show it."""
    qun = await town.make_group()
    _, _, before = await town.join(qun["token"], town.id("九纹龙"))
    bring(town, qun, "九纹龙", by="宋公明")
    await becomes(town, qun, "九纹龙", "joined")
    status, answer, after = await town.join(qun["token"], town.id("九纹龙"))
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    for path in (before["Location"], after["Location"]):
        assert (await _membership(town, path))["state"] == "joined"
    town.world.rooms.leave(town.id("九纹龙"), qun["room"])
    await becomes(town, qun, "九纹龙", "left")
    assert (await _membership(town, before["Location"]))["state"] == "left"


async def test_withdrawn_request_is_not_executed(town: Town) -> None:
    qun = await town.make_group()
    _, _, headers = await town.join(qun["token"], "九纹龙")
    assert (await town.call("DELETE", headers["Location"]))[0] == 204
    assert (await _membership(town, headers["Location"]))["state"] == "refused"
    town.world.people.ask(town.id("九纹龙"), town.id("bot"), "你好")
    await town.hears("九纹龙", "有什么可以帮您")
    await town.quiet()
    assert town.id("九纹龙") not in town.room(qun["room"]).members


async def test_direct_join_can_be_removed_by_its_location(town: Town) -> None:
    qun = await town.make_group()
    addresses = {(await town.join(qun["token"], "黑旋风"))[2]["Location"] for _ in range(2)}
    (path,) = addresses
    assert (await _membership(town, path))["state"] == "joined"
    assert (await town.call("DELETE", path))[0] == 204
    assert town.id("黑旋风") not in town.room(qun["room"]).members


async def test_leave_without_event_is_detected(town: Town) -> None:
    """The person is added again instead of being reported as a member."""
    qun = await town.make_group()
    await town.join(qun["token"], "黑旋风")
    town.world.faults.event("room-leave", **LOST)
    town.world.faults.event("dirty", **LOST)
    town.world.rooms.leave(town.id("黑旋风"), qun["room"])
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    assert town.id("黑旋风") in town.room(qun["room"]).members
    await until(lambda: len(texts(town, "宋公明", qun["room"], "欢迎 @黑旋风")) == 2, "a new join is welcomed")


async def test_late_leave_event_does_not_affect_a_later_request(town: Town) -> None:
    """It does not affect a later request, counts once, and nobody is invited twice."""
    qun = await town.make_group()
    await town.join(qun["token"], "黑旋风")
    crowd = [town.newcomer(f"路人{i}") for i in range(38)]
    town.world.rooms.let_in(town.room(qun["room"]), crowd, town.id("bot"))
    await town.quiet()
    town.world.faults.event("room-leave", late=1.0, late_ms=4000)
    town.world.faults.event("dirty", **LOST)
    town.world.rooms.leave(town.id("黑旋风"), qun["room"])
    status, _, headers = await town.join(qun["token"], "黑旋风")
    assert (status, await state_of(town, qun, "黑旋风")) == (202, "invited")
    told = select(InboxEvent).where(InboxEvent.kind == "room-leave", InboxEvent.state == EventState.DONE)

    async def handled() -> bool:
        return await town.bot.container.store.read(lambda s: s.exec(told).first()) is not None

    assert not await handled()
    await holds(handled, lambda: "the leave is told")
    assert (await _membership(town, headers["Location"]))["state"] == "invited"
    assert (await town.join(qun["token"], "黑旋风"))[0] == 202
    assert len([m for m in town.seen("黑旋风") if m.kind == "invitation"]) == 1
    assert [day.leaves for day in await town.bot.container.daily_stats.days(qun["number"], 1)] == [1]


async def test_outdated_member_list_removes_nobody(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after a join, the event counts, not the outdated list."""
    qun = await town.make_group()
    await town.join(qun["token"], "黑旋风")
    monkeypatch.setattr("services.groups.roster_refresh.EVENT_HOLDS", timedelta(minutes=1))
    adds = len(await audit(town, "add"))
    town.world.faults.call("RoomPayload", "fail")
    assert (await town.join(qun["token"], "黑旋风"))[0] == 200
    assert len(await audit(town, "add")) == adds


async def test_removing_a_person_who_left(town: Town) -> None:
    qun = await town.make_group()
    _, _, headers = await town.join(qun["token"], "黑旋风")
    town.world.faults.event("room-leave", **LOST)
    town.world.faults.event("dirty", **LOST)
    town.world.rooms.leave(town.id("黑旋风"), qun["room"])
    assert (await town.call("DELETE", headers["Location"]))[0] == 204
    assert (await _membership(town, headers["Location"]))["state"] == "left"


async def test_accepted_invitation_without_event_is_detected(town: Town) -> None:
    """A repeated request finds out that the invitation was accepted."""
    qun = await town.make_group()
    room = town.room(qun["room"])
    town.world.rooms.let_in(room, [town.newcomer(f"路人{i}") for i in range(37)], town.id("bot"))
    await town.quiet()
    status, _, headers = await town.join(qun["token"], "黑旋风")
    assert status == 202
    town.world.faults.event("room-join", **LOST)
    town.world.faults.event("dirty", **LOST)
    (card,) = [m for m in town.seen("黑旋风") if m.kind == "invitation"]
    town.world.joins.tap(town.id("黑旋风"), card.data["invitation"])
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["membership_join_response"]) == (200, {"approved": "ok"})
    assert (await _membership(town, headers["Location"]))["state"] == "joined"


async def test_changes_during_downtime_are_detected_on_request(town: Town) -> None:
    """Right after the start, before the background reading: no member is added twice."""
    await town.make_group("first")  # read again before the other one
    qun = await town.make_group("second")
    room, hei, guan = town.room(qun["room"]), town.id("黑旋风"), town.id("店长")
    await town.join(qun["token"], "黑旋风")
    town.timing = replace(town.timing, reread_pause=60.0)
    await town.stop_bot()
    town.world.rooms.leave(hei, room.id)
    town.world.rooms.let_in(room, [guan], town.id("宋公明"))
    await town.start_bot()
    before = len(await audit(town, "add"))
    for who in ("黑旋风", "店长"):
        status, answer, _ = await town.join(qun["token"], who)
        assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}}), who
    assert {hei, guan} <= set(room.members)
    assert len(await audit(town, "add")) == before + 1, "who was in was not added"
    assert await state_of(town, qun, "黑旋风") == "joined"


async def test_slow_addition_is_given_up(town: Town) -> None:
    """If it happens nevertheless, that counts."""
    qun = await town.make_group()
    _, _, headers = await town.join(qun["token"], "黑旋风")
    town.world.rooms.leave(town.id("黑旋风"), qun["room"])
    await becomes(town, qun, "黑旋风", "left")
    town.world.faults.call("RoomAdd", "slow", ms=1000)
    asking = asyncio.create_task(town.join(qun["token"], "黑旋风"))
    await becomes(town, qun, "黑旋风", "adding")
    town.ahead = 8 * 86400.0
    await town.bot.container.membership_states.expire()
    assert (await _membership(town, headers["Location"]))["state"] == "expired"
    assert (await asking)[0] == 200
    assert (await _membership(town, headers["Location"]))["state"] == "joined"


async def _befriend_in_silence(town: Town, who: str) -> None:
    await town.quiet()
    town.world.faults.event("*", **LOST)
    town.world.people.befriend(town.id(who), town.id("bot"))


async def test_friend_without_event_may_be_owner(town: Town) -> None:
    body = {"code": "1", "owner": "九纹龙", "assistant": "weimi1001"}
    status, answer, _ = await town.call("POST", "/wxbot/qun", body)
    assert (status, answer["error"]["code"]) == (404, 2003)
    await _befriend_in_silence(town, "九纹龙")
    assert (await town.call("POST", "/wxbot/qun", body))[0] == 201


async def test_friend_without_event_is_added_to_all_pending_groups(town: Town) -> None:
    first, second = await town.make_group("1"), await town.make_group("2")
    assert (await town.join(first["token"], "九纹龙"))[0] == 202
    await _befriend_in_silence(town, "九纹龙")
    assert (await town.join(second["token"], "九纹龙"))[0] == 200
    await becomes(town, first, "九纹龙", "joined")


async def test_friend_without_event_can_be_messaged(town: Town) -> None:
    body = {"assistant": "weimi1001", "to": "九纹龙", "text": "您好"}
    assert (await town.call("POST", "/wxbot/message", body))[0] == 404
    await _befriend_in_silence(town, "九纹龙")
    assert (await town.call("POST", "/wxbot/message", body))[0] == 202
    await town.hears("九纹龙", "您好")


async def test_hanging_contact_list_answers_from_known_contacts(town: Town) -> None:
    """The contact list hangs: the request is answered from known contacts."""
    qun = await town.make_group()
    town.timing = replace(town.timing, look=0.2)
    await town.restart_bot()
    town.world.faults.call("ContactList", "hang")
    assert (await town.join(qun["token"], "九纹龙"))[0] == 202
    town.world.faults.clear()
    town.world.faults.call("ContactList", "fail")
    status, answer, _ = await town.call(
        "POST", "/wxbot/qun", {"code": "2", "owner": "九纹龙", "assistant": "weimi1001"}
    )
    assert (status, answer["error"]["code"]) == (404, 2003)


async def test_repeated_request_of_a_joined_person_has_no_effect(town: Town) -> None:
    """A pending request of a person who has joined meanwhile has no further effect."""
    qun = await town.make_group()
    _, _, headers = await town.join(qun["token"], "九纹龙")
    await _befriend_in_silence(town, "九纹龙")
    town.world.faults.clear()
    assert (await town.join(qun["token"], "九纹龙"))[0] == 200

    async def told() -> bool:
        return bool((await _membership(town, headers["Location"]))["state"] == "joined")

    await holds(told, lambda: "the promise is kept")
    await town.bot.container.memberships.became_friend("weimi1001", town.id("九纹龙"))
    await town.quiet()
    assert len(texts(town, "宋公明", qun["room"], "欢迎 @九纹龙")) == 1


async def test_lost_friendship_without_event_is_pending(town: Town) -> None:
    """The person deleted the assistant, without an event: pending until they are friends again."""
    qun = await town.make_group()
    town.world.faults.event("dirty", **LOST)
    town.world.people.forget(town.id("黑旋风"), town.id("bot"))
    assert town.bot.assistants[0].directory.contacts[town.id("黑旋风")].friend
    status, answer, headers = await town.join(qun["token"], "黑旋风")
    assert (status, answer["membership_join_response"]["approved"]) == (202, "pending")
    assert (await town.join(qun["token"], "黑旋风"))[2]["Location"] == headers["Location"]
    town.world.people.ask(town.id("黑旋风"), town.id("bot"), "又来了")
    await becomes(town, qun, "黑旋风", "joined")
    assert (await _membership(town, headers["Location"]))["state"] == "joined"


async def test_request_withdrawn_while_rate_limited_is_not_executed(make_town: MakeTown) -> None:
    """A request withdrawn while it waits for the rate limit is not executed."""
    pace = {"messages_per_minute": 1000, "conversation_seconds": 0, "add_seconds": 2, "group_seconds": 0}
    town = await make_town(pacing={"enabled": True, **pace}, groups={"confirm_seconds": 0.2})
    qun = await town.make_group()
    people = {name: town.newcomer(name, friend=False) for name in ("燕青", "李逵", "石秀")}
    paths = {name: (await town.join(qun["token"], name))[2]["Location"] for name in people}
    for name, id in people.items():
        town.world.people.befriend(id, town.id("bot"))
        await becomes(town, qun, id, "joined" if name == "燕青" else "adding")
    assert (await town.call("DELETE", paths["李逵"]))[0] == 204
    await becomes(town, qun, people["石秀"], "joined")
    assert people["李逵"] not in town.room(qun["room"]).members
    assert (await _membership(town, paths["李逵"]))["state"] == "refused"
    assert not texts(town, "李逵", words="没能拉您进群")


async def test_request_withdrawn_during_the_call_is_undone(town: Town) -> None:
    """A person who joins although the request was withdrawn is removed before the response."""
    qun = await town.make_group()
    _, _, headers = await town.join(qun["token"], "九纹龙")
    town.world.faults.call("RoomAdd", "slow", ms=1000)
    town.world.people.befriend(town.id("九纹龙"), town.id("bot"))
    await becomes(town, qun, "九纹龙", "adding")
    assert (await town.call("DELETE", headers["Location"]))[0] == 204

    async def added() -> bool:
        return [line.outcome for line in await audit(town, "add")] == ["done"]

    await holds(added, lambda: "WeChat did not let them in")
    await town.quiet()
    assert town.id("九纹龙") not in town.room(qun["room"]).members
    assert (await _membership(town, headers["Location"]))["state"] == "removed"
