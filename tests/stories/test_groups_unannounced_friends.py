"""Friendships that begin or end without an event."""

from __future__ import annotations

from dataclasses import replace

from tests.stories.conftest import BotEnvironment
from tests.stories.group_life import wait_for_state
from tests.stories.unannounced_friends import LOST, befriend_without_event, membership_at, no_caching

__all__ = ["no_caching"]


async def test_friend_without_event_may_be_owner(env: BotEnvironment) -> None:
    body = {"code": "1", "owner": "九纹龙", "assistant": "weimi1001"}
    status, answer, _ = await env.call("POST", "/wxbot/qun", body)
    assert (status, answer["error"]["code"]) == (404, 2003)
    await befriend_without_event(env, "九纹龙")
    assert (await env.call("POST", "/wxbot/qun", body))[0] == 201


async def test_friend_without_event_is_added_to_all_pending_groups(env: BotEnvironment) -> None:
    first, second = await env.make_group("1"), await env.make_group("2")
    assert (await env.join(first["token"], "九纹龙"))[0] == 202
    await befriend_without_event(env, "九纹龙")
    assert (await env.join(second["token"], "九纹龙"))[0] == 200
    await wait_for_state(env, first, "九纹龙", "joined")


async def test_friend_without_event_can_be_messaged(env: BotEnvironment) -> None:
    body = {"assistant": "weimi1001", "to": "九纹龙", "text": "您好"}
    assert (await env.call("POST", "/wxbot/message", body))[0] == 404
    await befriend_without_event(env, "九纹龙")
    assert (await env.call("POST", "/wxbot/message", body))[0] == 202
    await env.receives("九纹龙", "您好")


async def test_hanging_contact_list_answers_from_known_contacts(env: BotEnvironment) -> None:
    """The contact list hangs: the request is answered from known contacts."""
    qun = await env.make_group()
    env.timing = replace(env.timing, look=0.2)
    await env.restart_bot()
    env.world.faults.call("ContactList", "hang")
    assert (await env.join(qun["token"], "九纹龙"))[0] == 202
    env.world.faults.clear()
    env.world.faults.call("ContactList", "fail")
    status, answer, _ = await env.call("POST", "/wxbot/qun", {"code": "2", "owner": "九纹龙", "assistant": "weimi1001"})
    assert (status, answer["error"]["code"]) == (404, 2003)


async def test_lost_friendship_without_event_is_pending(env: BotEnvironment) -> None:
    """The person deleted the assistant, without an event: pending until they are friends again."""
    qun = await env.make_group()
    env.world.faults.event("dirty", **LOST)
    env.world.people.forget(env.id("黑旋风"), env.id("bot"))
    assert env.bot.assistants[0].directory.contacts[env.id("黑旋风")].friend
    status, answer, headers = await env.join(qun["token"], "黑旋风")
    assert (status, answer["membership_join_response"]["approved"]) == (202, "pending")
    assert (await env.join(qun["token"], "黑旋风"))[2]["Location"] == headers["Location"]
    env.world.people.ask(env.id("黑旋风"), env.id("bot"), "又来了")
    await wait_for_state(env, qun, "黑旋风", "joined")
    assert (await membership_at(env, headers["Location"]))["state"] == "joined"
