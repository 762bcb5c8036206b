"""Responses reflect what WeChat shows now, not cached data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from sqlmodel import select

from models.durable import EventState, InboxEvent
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import HeldCall, add_members, audit, state_of, texts, wait_for_state
from tests.stories.unannounced_friends import LOST, befriend_without_event, membership_at, no_caching
from tests.waiting import until

__all__ = ["no_caching"]


async def test_pending_request_by_name_merges_with_token_request(env: BotEnvironment) -> None:
    """A request by REST and one by the person themselves are one membership, readable by REST."""
    qun = await env.make_group()
    _, _, headers = await env.join(qun["token"], "九纹龙")
    path = headers["Location"]
    env.world.people.ask(env.id("九纹龙"), env.id("bot"), f"入群 {qun['token']}")
    await wait_for_state(env, qun, "九纹龙", "joined")
    row = await membership_at(env, path)
    assert (row["id"], row["member"], row["state"]) == (int(path.rsplit("/", 1)[1]), "九纹龙", "joined")
    assert (await env.call("DELETE", path))[0] == 204
    assert env.id("九纹龙") not in env.room(qun["room"]).members
    assert (await membership_at(env, path))["state"] == "removed"


async def test_pending_person_added_by_others_has_joined(env: BotEnvironment) -> None:
    """A pending person who is added by others has joined; both REST ids show it."""
    qun = await env.make_group()
    _, _, before = await env.join(qun["token"], env.id("九纹龙"))
    add_members(env, qun, "九纹龙", by="宋公明")
    await wait_for_state(env, qun, "九纹龙", "joined")
    status, answer, after = await env.join(qun["token"], env.id("九纹龙"))
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    for path in (before["Location"], after["Location"]):
        assert (await membership_at(env, path))["state"] == "joined"
    env.world.rooms.leave(env.id("九纹龙"), qun["room"])
    await wait_for_state(env, qun, "九纹龙", "left")
    assert (await membership_at(env, before["Location"]))["state"] == "left"


async def test_withdrawn_request_is_not_executed(env: BotEnvironment) -> None:
    qun = await env.make_group()
    _, _, headers = await env.join(qun["token"], "九纹龙")
    assert (await env.call("DELETE", headers["Location"]))[0] == 204
    assert (await membership_at(env, headers["Location"]))["state"] == "refused"
    env.world.people.ask(env.id("九纹龙"), env.id("bot"), "你好")
    await env.receives("九纹龙", "有什么可以帮您")
    await env.wait_idle()
    assert env.id("九纹龙") not in env.room(qun["room"]).members


async def test_direct_join_can_be_removed_by_its_location(env: BotEnvironment) -> None:
    qun = await env.make_group()
    addresses = {(await env.join(qun["token"], "黑旋风"))[2]["Location"] for _ in range(2)}
    (path,) = addresses
    assert (await membership_at(env, path))["state"] == "joined"
    assert (await env.call("DELETE", path))[0] == 204
    assert env.id("黑旋风") not in env.room(qun["room"]).members


async def test_leave_without_event_is_detected(env: BotEnvironment) -> None:
    """The person is added again instead of being reported as a member."""
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    env.world.faults.event("room-leave", **LOST)
    env.world.faults.event("dirty", **LOST)
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    assert env.id("黑旋风") in env.room(qun["room"]).members
    await until(lambda: len(texts(env, "宋公明", qun["room"], "欢迎 @黑旋风")) == 2, "a new join is welcomed")


async def test_late_leave_event_does_not_affect_a_later_request(
    env: BotEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not affect a later request, counts once, and no one is invited twice."""
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    crowd = [env.add_person(f"路人{i}") for i in range(38)]
    env.world.rooms.admit_members(env.room(qun["room"]), crowd, env.id("bot"))
    await env.wait_idle()
    env.world.faults.event("dirty", **LOST)
    late: list[Callable[[], None]] = []
    send = env.world.accounts.emit_room
    with monkeypatch.context() as patch:
        patch.setattr(env.world.accounts, "emit_room", lambda *event, **kw: late.append(partial(send, *event, **kw)))
        env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    status, _, headers = await env.join(qun["token"], "黑旋风")
    assert (status, await state_of(env, qun, "黑旋风")) == (202, "invited")
    for event in late:
        event()
    told = select(InboxEvent).where(InboxEvent.kind == "room-leave", InboxEvent.state == EventState.DONE)

    async def handled() -> bool:
        return await env.bot.container.store.read(lambda s: s.exec(told).first()) is not None

    await until(handled, "the leave is handled")
    assert (await membership_at(env, headers["Location"]))["state"] == "invited"
    assert (await env.join(qun["token"], "黑旋风"))[0] == 202
    assert len([m for m in env.seen("黑旋风") if m.kind == "invitation"]) == 1
    assert [day.leaves for day in await env.bot.container.daily_stats.days(qun["number"], 1)] == [1]


async def test_outdated_member_list_removes_nobody(env: BotEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after a join, the event counts, not the outdated list."""
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    monkeypatch.setattr("services.groups.roster_refresh.EVENT_MAX_AGE", timedelta(minutes=1))
    adds = len(await audit(env, "add"))
    env.world.faults.call("RoomPayload", "fail")
    assert (await env.join(qun["token"], "黑旋风"))[0] == 200
    assert len(await audit(env, "add")) == adds


async def test_removing_a_person_who_left(env: BotEnvironment) -> None:
    qun = await env.make_group()
    _, _, headers = await env.join(qun["token"], "黑旋风")
    env.world.faults.event("room-leave", **LOST)
    env.world.faults.event("dirty", **LOST)
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    assert (await env.call("DELETE", headers["Location"]))[0] == 204
    assert (await membership_at(env, headers["Location"]))["state"] == "left"


async def test_accepted_invitation_without_event_is_detected(env: BotEnvironment) -> None:
    """A repeated request finds out that the invitation was accepted."""
    qun = await env.make_group()
    room = env.room(qun["room"])
    env.world.rooms.admit_members(room, [env.add_person(f"路人{i}") for i in range(37)], env.id("bot"))
    await env.wait_idle()
    status, _, headers = await env.join(qun["token"], "黑旋风")
    assert status == 202
    env.world.faults.event("room-join", **LOST)
    env.world.faults.event("dirty", **LOST)
    (card,) = [m for m in env.seen("黑旋风") if m.kind == "invitation"]
    env.world.joins.tap(env.id("黑旋风"), card.data["invitation"])
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["membership_join_response"]) == (200, {"approved": "ok"})
    assert (await membership_at(env, headers["Location"]))["state"] == "joined"


async def test_changes_during_downtime_are_detected_on_request(env: BotEnvironment) -> None:
    """Right after the start, before the background reading: no member is added twice."""
    await env.make_group("first")  # read again before the other one
    qun = await env.make_group("second")
    room, hei, guan = env.room(qun["room"]), env.id("黑旋风"), env.id("店长")
    await env.join(qun["token"], "黑旋风")
    env.timing = replace(env.timing, reread_pause=60.0)
    await env.stop_bot()
    env.world.rooms.leave(hei, room.id)
    env.world.rooms.admit_members(room, [guan], env.id("宋公明"))
    await env.start_bot()
    before = len(await audit(env, "add"))
    for who in ("黑旋风", "店长"):
        status, answer, _ = await env.join(qun["token"], who)
        assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}}), who
    assert {hei, guan} <= set(room.members)
    assert len(await audit(env, "add")) == before + 1, "who was in was not added"
    assert await state_of(env, qun, "黑旋风") == "joined"


async def test_slow_addition_is_given_up(env: BotEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it happens nevertheless, that counts."""
    qun = await env.make_group()
    _, _, headers = await env.join(qun["token"], "黑旋风")
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    await wait_for_state(env, qun, "黑旋风", "left")
    adding = HeldCall(monkeypatch, env, "add_member")
    asking = asyncio.create_task(env.join(qun["token"], "黑旋风"))
    await wait_for_state(env, qun, "黑旋风", "adding")
    env.ahead = 8 * 86400.0
    await env.bot.container.membership_states.expire()
    assert (await membership_at(env, headers["Location"]))["state"] == "expired"
    adding.goes_on.set()
    assert (await asking)[0] == 200
    assert (await membership_at(env, headers["Location"]))["state"] == "joined"


async def test_repeated_request_of_a_joined_person_has_no_effect(env: BotEnvironment) -> None:
    """A pending request of a person who has since joined has no further effect."""
    qun = await env.make_group()
    _, _, headers = await env.join(qun["token"], "九纹龙")
    await befriend_without_event(env, "九纹龙")
    env.world.faults.clear()
    assert (await env.join(qun["token"], "九纹龙"))[0] == 200

    async def told() -> bool:
        return bool((await membership_at(env, headers["Location"]))["state"] == "joined")

    await until(told, lambda: "the promise is kept")
    await env.bot.container.memberships.became_friend("weimi1001", env.id("九纹龙"))
    await env.wait_idle()
    assert len(texts(env, "宋公明", qun["room"], "欢迎 @九纹龙")) == 1


async def test_request_withdrawn_while_rate_limited_is_not_executed(
    make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request withdrawn while it waits for the rate limit is not executed."""
    waited = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds:
            await waited.wait()

    monkeypatch.setattr("services.groups.adding.asyncio", SimpleNamespace(sleep=sleep))
    pace = {"messages_per_minute": 1000, "conversation_seconds": 0, "add_seconds": 60, "group_seconds": 0}
    env = await make_env(pacing={"enabled": True, **pace}, groups={"confirm_seconds": 0.2})
    qun = await env.make_group()
    people = {name: env.add_person(name, friend=False) for name in ("燕青", "李逵", "石秀")}
    paths = {name: (await env.join(qun["token"], name))[2]["Location"] for name in people}
    for name, id in people.items():
        env.world.people.befriend(id, env.id("bot"))
        await wait_for_state(env, qun, id, "joined" if name == "燕青" else "adding")
    assert (await env.call("DELETE", paths["李逵"]))[0] == 204
    waited.set()
    await wait_for_state(env, qun, people["石秀"], "joined")
    assert people["李逵"] not in env.room(qun["room"]).members
    assert (await membership_at(env, paths["李逵"]))["state"] == "refused"
    assert not texts(env, "李逵", text="没能拉您进群")


async def test_request_withdrawn_during_the_call_is_undone(
    env: BotEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who joins although the request was withdrawn is removed before the response."""
    qun = await env.make_group()
    _, _, headers = await env.join(qun["token"], "九纹龙")
    adding = HeldCall(monkeypatch, env, "add_member")
    env.world.people.befriend(env.id("九纹龙"), env.id("bot"))
    await adding.begun.wait()
    withdrawing = asyncio.create_task(env.call("DELETE", headers["Location"]))
    await wait_for_state(env, qun, "九纹龙", "refused")
    adding.goes_on.set()
    assert (await withdrawing)[0] == 204
    assert [line.outcome for line in await audit(env, "add")] == ["done"], "WeChat let them in"
    assert env.id("九纹龙") not in env.room(qun["room"]).members
    assert (await membership_at(env, headers["Location"]))["state"] == "removed"
