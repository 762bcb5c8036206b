"""Joins and leaves of all kinds: the database equals WeChat."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import Session, select

from models.groups import Membership
from services.groups.lifecycle import new_token
from services.groups.membership_rows import membership_of
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import add_members, members, state_of, texts, transfer_group, wait_for_state
from tests.waiting import until


async def test_friend_sends_the_token(env: BotEnvironment) -> None:
    """Added and welcomed once with the group's own text; repeats and restarts do not welcome again."""
    qun = await env.make_group()
    await env.bot.container.groups.change(qun["number"], welcome="{member}你好，这里是{topic}")
    env.say("黑旋风", f"我的令牌 {qun['token']}")
    await env.receives("黑旋风", "正在拉您进群“宋公明的群100001”")
    welcome = await env.receives("宋公明", "@黑旋风\u2005你好，这里是宋公明的群100001", qun["room"])
    assert welcome.mentions == [env.id("黑旋风")]
    await wait_for_state(env, qun, "黑旋风", "joined")
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "您已经在“宋公明的群100001”里了")
    await env.restart_bot()
    await env.wait_idle()
    assert len(texts(env, "宋公明", qun["room"], "@黑旋风\u2005你好")) == 1


async def test_disabled_welcome_sends_nothing(env: BotEnvironment) -> None:
    qun = await env.make_group()
    await env.bot.container.groups.change(qun["number"], welcome="")
    await env.join(qun["token"], "黑旋风")
    await wait_for_state(env, qun, "黑旋风", "joined")
    await env.wait_idle()
    assert texts(env, "宋公明", qun["room"]) == []


async def test_wrong_tokens_are_ignored_after_five(env: BotEnvironment) -> None:
    """Five are answered; then the person is ignored, even with the right token. Others are not."""
    qun = await env.make_group()
    for n in range(5):
        env.say("黑旋风", new_token())
        await until(lambda n=n: len(texts(env, "黑旋风", text="令牌无效")) == n + 1, "told")
    env.say("黑旋风", new_token())
    env.say("黑旋风", qun["token"])
    env.say("店长", qun["token"])
    await wait_for_state(env, qun, "店长", "joined")
    await env.wait_idle()
    assert len(texts(env, "黑旋风")) == 5
    assert await state_of(env, qun, "黑旋风") == ""


async def test_expired_token_is_reported(env: BotEnvironment) -> None:
    qun = await env.make_group()
    await env.bot.container.groups.change(qun["number"], token_expires_at=1.0)
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "令牌已过期")
    assert await state_of(env, qun, "黑旋风") == ""


async def test_token_in_friend_request(env: BotEnvironment) -> None:
    """Accepted and added; a problem with the token is reported after the acceptance."""
    qun = await env.make_group()
    env.world.people.ask(env.id("九纹龙"), env.id("bot"), f"入群 {qun['token']}")
    await wait_for_state(env, qun, "九纹龙", "joined")
    await env.receives("宋公明", "欢迎 @九纹龙", qun["room"])
    stranger = env.add_person("没头脑", friend=False)
    env.world.people.ask(stranger, env.id("bot"), new_token())
    await env.receives(stranger, "令牌无效")
    assert stranger not in env.room(qun["room"]).members


async def test_joins_and_leaves_caused_by_others(env: BotEnvironment) -> None:
    qun = await env.make_group()
    add_members(env, qun, "黑旋风", by="宋公明")
    await wait_for_state(env, qun, "黑旋风", "joined")
    await env.receives("宋公明", "欢迎 @黑旋风", qun["room"])
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    await wait_for_state(env, qun, "黑旋风", "left")
    add_members(env, qun, "黑旋风", by="宋公明")
    await wait_for_state(env, qun, "黑旋风", "joined")
    await until(lambda: len(texts(env, "宋公明", qun["room"], "欢迎 @黑旋风")) == 2, "a new join is welcomed again")
    env.world.rooms.remove(env.id("bot"), qun["room"], env.id("黑旋风"))
    await wait_for_state(env, qun, "黑旋风", "removed")


async def test_concurrent_joins_are_welcomed_in_one_message(env: BotEnvironment) -> None:
    qun = await env.make_group()
    crowd = [env.add_person(f"路人{i}") for i in range(6)]
    add_members(env, qun, *crowd)
    welcome = await env.receives("宋公明", "欢迎", qun["room"])
    assert set(welcome.mentions) == set(crowd)
    await env.wait_idle()
    assert len(texts(env, "宋公明", qun["room"])) == 1


async def test_duplicate_late_and_missing_events(make_env: MakeEnv) -> None:
    """Duplicates are ignored; a join after its leave is ignored; missed events are found later."""
    env = await make_env()
    qun = await env.make_group()
    env.world.faults.event("room-join", twice=1.0)
    add_members(env, qun, "黑旋风")
    await wait_for_state(env, qun, "黑旋风", "joined")
    env.world.faults.event("room-join", late=1.0, late_ms=1500)
    add_members(env, qun, "店长")
    await asyncio.sleep(0.01)  # WeChat's clock has milliseconds
    env.world.rooms.leave(env.id("店长"), qun["room"])
    env.world.faults.event("room-join")
    await asyncio.sleep(1.6)  # the delay of the late event
    await env.wait_idle()
    assert await state_of(env, qun, "店长") in ("", "left")
    env.world.faults.event("*", lost=1.0)
    add_members(env, qun, "九纹龙")
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    env.world.faults.clear()

    async def agrees() -> bool:  # a loss is believed when readings agree
        await env.bot.container.drift_check.check()
        return await members(env, qun) == set(env.room(qun["room"]).members) - {env.id("bot")}

    await until(agrees, "the database has the members that WeChat shows")
    await env.wait_idle()
    assert len(texts(env, "宋公明", qun["room"], "欢迎 @黑旋风")) == 1
    assert len(texts(env, "宋公明", qun["room"], "欢迎 @九纹龙")) == 1


async def test_changes_during_downtime_are_recorded(env: BotEnvironment) -> None:
    qun = await env.make_group()
    add_members(env, qun, "黑旋风")
    await wait_for_state(env, qun, "黑旋风", "joined")
    await env.wait_idle()
    await env.stop_bot()
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    add_members(env, qun, "店长")
    await env.start_bot()
    await wait_for_state(env, qun, "黑旋风", "left")
    await wait_for_state(env, qun, "店长", "joined")
    await env.receives("宋公明", "欢迎 @店长", qun["room"])


@pytest.mark.parametrize("approve", [True, False])
async def test_owner_confirmation_is_awaited(env: BotEnvironment, approve: bool) -> None:
    qun = await env.make_group()
    await transfer_group(env, qun)
    env.world.rooms.set_confirm(env.id("宋公明"), qun["room"], True)
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "请等群主同意")
    assert await state_of(env, qun, "黑旋风") == "invited"
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["membership_join_response"]["approved"]) == (202, "invited")
    [waiting] = env.world.state.confirmations.values()
    env.world.joins.decide(env.id("宋公明"), waiting.id, approve)
    await env.wait_idle()
    if approve:
        await wait_for_state(env, qun, "黑旋风", "joined")
        await env.receives("宋公明", "欢迎 @黑旋风", qun["room"])
    else:
        env.say("黑旋风", qun["token"])
        await until(lambda: len(texts(env, "黑旋风", text="请等群主同意")) == 2, "told where it stands")
        assert len(env.world.state.confirmations) == 1, "asked once"


async def set_failure_time(env: BotEnvironment, **values: float) -> None:
    """Make the open request have failed at another time."""

    def change(session: Session) -> None:
        row = session.exec(select(Membership).where(Membership.state == "requested")).one()
        row.sqlmodel_update(values)
        session.add(row)

    await env.bot.container.store.write(change)


async def test_failure_is_reported_once_and_retried(env: BotEnvironment) -> None:
    qun = await env.make_group()
    fault = env.world.faults.call("RoomAdd", "fail")
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "暂时没能拉您进群")
    token_joins, clock = env.bot.container.token_joins, env.bot.container.clock
    assert await token_joins.resume_all() == 0, "not at once"
    await set_failure_time(env, updated_at=clock() - 301)
    assert await token_joins.resume_all() == 1
    await until(lambda: not token_joins._tasks, "tried again")
    assert len(texts(env, "黑旋风", text="暂时没能")) == 1
    await set_failure_time(env, updated_at=clock() - 400, expires_at=clock() + 7 * 86400 - 1000)
    assert await token_joins.resume_all() == 0, "ever more seldom: 600 s went by between the first try and the last"
    await set_failure_time(env, updated_at=clock() - 600, expires_at=clock() + 7 * 86400 - 1000)
    env.world.faults.calls.remove(fault)
    assert await token_joins.resume_all() == 1
    await wait_for_state(env, qun, "黑旋风", "joined")


async def test_assistant_is_removed_and_added_again(make_env: MakeEnv) -> None:
    """Reported once, REST calls get an error; after being added again, the group is found and reconciled."""
    env = await make_env()
    qun = await env.make_group()
    await transfer_group(env, qun)
    env.world.faults.event("room-leave", twice=1.0)
    env.world.rooms.remove(env.id("宋公明"), qun["room"], env.id("bot"))
    await env.receives("宋公明", "助手已不在“宋公明的群100001”")
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (502, 3006)
    row = await env.bot.container.store.read(lambda s: membership_of(s, qun["number"], env.id("宋公明")))
    assert row is not None
    status, answer, _ = await env.call("DELETE", f"/wxbot/qun/membership/{row.id}")
    assert (status, answer["error"]["code"]) == (502, 3006)
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "这个群暂时无法加入")
    _, answer, _ = await env.call("GET", f"/wxbot/qun/{qun['number']}")
    assert answer["qun"]["state"] == "lost"
    await env.bot.container.drift_check.check()
    await env.restart_bot()
    await env.wait_idle()
    assert len(texts(env, "宋公明", text="助手已不在")) == 1
    add_members(env, qun, "店长", by="宋公明")
    add_members(env, qun, "bot", by="宋公明")
    await env.receives("宋公明", "助手已回到“宋公明的群100001”")
    await wait_for_state(env, qun, "店长", "joined")
    status, _, _ = await env.join(qun["token"], "黑旋风")
    assert status == 200


async def test_people_are_identified_by_id(env: BotEnvironment) -> None:
    """Two people with one nickname, a renamed person, a stranger with the owner's nickname."""
    qun = await env.make_group()
    first, second = env.add_person("张三"), env.add_person("张三")
    impostor = env.add_person("宋公明")
    await until(lambda: len(env.bot.assistants[0].directory.find("张三")) == 2, "both are known")
    status, answer, _ = await env.join(qun["token"], "张三")
    assert (status, answer["error"]["code"]) == (409, 3003)
    env.say(first, qun["token"])
    await wait_for_state(env, qun, first, "joined")
    assert await state_of(env, qun, second) == ""
    env.world.people.rename(first, "李四")
    env.say(first, qun["token"])
    await env.receives(first, "您已经在")
    add_members(env, qun, impostor)
    env.say(impostor, "/令牌", qun["room"])
    await env.receives("宋公明", "您没有权限执行此命令", qun["room"])
    assert not texts(env, "宋公明", qun["room"], qun["token"])


async def test_ambiguous_pending_name_adds_nobody(env: BotEnvironment) -> None:
    """A pending request by name does not let in someone else with that name."""
    qun = await env.make_group()
    status, _, _ = await env.join(qun["token"], "王五")
    assert status == 202
    first = env.add_person("王五", friend=False)
    second = env.add_person("王五", friend=False)
    env.world.people.befriend(first, env.id("bot"))
    await wait_for_state(env, qun, first, "joined")
    env.world.people.befriend(second, env.id("bot"))
    await env.wait_idle()
    assert second not in env.room(qun["room"]).members
