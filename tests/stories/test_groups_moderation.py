"""Moderation of groups: exemptions, sanctions, flooding."""

from __future__ import annotations

from sandbox.world.model import Kind
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import (
    add_members,
    audit,
    guarded,
    picture,
    texts,
    transfer_group,
    wait_for_group,
    wait_for_state,
    warnings,
)
from tests.waiting import until


async def test_warnings_then_removal_and_blacklisting(make_env: MakeEnv) -> None:
    """Two warnings, then removal and blacklisting; later joins are rejected or removed."""
    env = await make_env(groups={"blocked_words": ["加微信"], "warn_limit": 3})
    qun = await guarded(env)
    env.say("黑旋风", "大家加微信吧", qun["room"])
    first = await env.receives("宋公明", "第 1 次警告，满 3 次将被移出", qun["room"])
    assert first.mentions == [env.id("黑旋风")]
    assert "@黑旋风" in first.text
    await env.restart_bot()
    env.say("黑旋风", "加 微 信", qun["room"])
    await env.receives("宋公明", "第 2 次警告", qun["room"])
    env.say("黑旋风", "加。微。信", qun["room"])
    await env.receives("宋公明", "黑旋风 已被移出群聊：请勿发送违规内容", qun["room"])
    assert env.id("黑旋风") not in env.room(qun["room"]).members
    await wait_for_state(env, qun, "黑旋风", "removed")
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (403, 3005)
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "您暂时不能加入")
    add_members(env, qun, "黑旋风", by="宋公明")
    await until(lambda: env.id("黑旋风") not in env.room(qun["room"]).members, "taken out again")
    await env.receives("宋公明", "在本群黑名单中", qun["room"])
    assert not texts(env, "宋公明", qun["room"], "欢迎 @黑旋风")[1:], "not welcomed again"
    assert [line.target for line in await audit(env, "warn")] == [env.id("黑旋风")] * 3
    assert [line.who for line in await audit(env, "blacklist")] == ["guard"]
    assert [line.outcome for line in await audit(env, "remove")] == ["done", "done"]


async def test_disabled_rules_are_not_applied(make_env: MakeEnv) -> None:
    off = {"links": False, "qr_codes": False, "cards": False, "mini_programs": False}
    env = await make_env(groups={"block": off})
    qun = await guarded(env)
    me, room = env.id("黑旋风"), qun["room"]
    env.world.chats.send_card(me, room, env.id("店长"))
    env.world.chats.send_media(me, room, Kind.IMAGE, "b.png", picture("https://evil.com/qr"))
    assert await warnings(env, qun) == 0


async def test_flooding_is_counted_per_person_and_group(make_env: MakeEnv) -> None:
    """Messages are counted per person and group."""
    env = await make_env(groups={"flood": {"messages": 5, "seconds": 30}})
    qun = await guarded(env)
    add_members(env, qun, "店长", "九纹龙")
    other = await env.make_group("code-2")
    add_members(env, other, "黑旋风")
    for n in range(5):
        env.say("黑旋风", f"消息{n}", qun["room"])
        env.say("九纹龙", f"消息{n}", qun["room"])
        env.say("黑旋风", f"消息{n}", other["room"])
    await env.wait_idle()
    assert await warnings(env, qun) == await warnings(env, qun, "九纹龙") == await warnings(env, other) == 0
    env.say("黑旋风", "又一条", qun["room"])
    await env.receives("宋公明", "请勿刷屏", qun["room"])
    assert await warnings(env, qun) == 1
    assert await warnings(env, other) == 0


async def test_owner_companion_and_admin_are_exempt(make_env: MakeEnv) -> None:
    """Owner, companion and admin are exempt; a stranger with the owner's nickname is not."""
    env = await make_env(groups={"blocked_words": ["坏话"]})
    qun = await guarded(env)
    impostor = env.add_person("宋公明")
    add_members(env, qun, "店长", impostor)
    for who in ("宋公明", "智多星", "店长"):
        env.say(who, "坏话", qun["room"])
    env.say(impostor, "坏话", qun["room"])
    warned = await env.receives("宋公明", "第 1 次警告", qun["room"])
    assert warned.mentions == [impostor]
    await wait_for_group(env, qun)
    assert [line.target for line in await audit(env, "warn")] == [impostor]


async def test_current_owner_is_exempt_and_former_one_is_not(make_env: MakeEnv) -> None:
    env = await make_env(groups={"blocked_words": ["坏话"]})
    qun = await guarded(env)
    await transfer_group(env, qun, "黑旋风")
    for who in ("黑旋风", "宋公明"):
        env.say(who, "坏话", qun["room"])
    warned = await env.receives("黑旋风", "第 1 次警告", qun["room"])
    assert warned.mentions == [env.id("宋公明")]
    assert [line.target for line in await audit(env, "warn")] == [env.id("宋公明")]


async def test_rejected_removal_is_reported_to_the_owner_once(make_env: MakeEnv) -> None:
    """The assistant is no longer the owner: the owner is told once per person; no one is reported as removed."""
    env = await make_env(groups={"blocked_words": ["坏话"], "warn_limit": 1})
    qun = await guarded(env)
    await transfer_group(env, qun)
    env.say("黑旋风", "坏话", qun["room"])
    await env.receives("宋公明", "没能把 黑旋风 移出“宋公明的群100001”")
    env.say("黑旋风", "还是坏话", qun["room"])
    await wait_for_group(env, qun)
    await env.restart_bot()
    assert len(texts(env, "宋公明", text="没能把 黑旋风")) == 1
    assert not texts(env, "宋公明", qun["room"], "已被移出")
    assert {line.outcome for line in await audit(env, "remove")} == {"failed"}
    env.world.rooms.transfer(env.id("宋公明"), qun["room"], env.id("bot"))
    env.say("黑旋风", "坏话", qun["room"])
    await until(lambda: env.id("黑旋风") not in env.room(qun["room"]).members, "out at last")


async def test_removal_is_retried_on_failing_gateway(make_env: MakeEnv) -> None:
    env = await make_env(groups={"blocked_words": ["坏话"], "warn_limit": 1})
    qun = await guarded(env)
    env.world.faults.call("RoomDel", "lose", count=1)
    env.say("黑旋风", "坏话", qun["room"])
    await wait_for_state(env, qun, "黑旋风", "removed")
    await env.receives("宋公明", "黑旋风 已被移出群聊", qun["room"])


async def test_removal_is_recorded_once(make_env: MakeEnv) -> None:
    """The member list is read before WeChat's response arrives."""
    env = await make_env(groups={"blocked_words": ["坏话"], "warn_limit": 1})
    qun = await guarded(env)
    env.world.faults.event("room-leave", lost=1.0)
    env.world.faults.call("RoomDel", "lose_silently", count=1)
    env.say("黑旋风", "坏话", qun["room"])
    await until(lambda: env.id("黑旋风") not in env.room(qun["room"]).members, "out")
    await env.bot.container.reconcile.room(env.accounts[0], qun["room"])
    await wait_for_state(env, qun, "黑旋风", "removed")


async def test_messages_are_counted(env: BotEnvironment) -> None:
    qun = await guarded(env)
    for n in range(8):
        env.say("黑旋风", f"第{n}句", qun["room"])
    await wait_for_group(env, qun)
    await env.bot.container.daily_stats.drain()
    today = (await env.bot.container.daily_stats.days(qun["number"], 14))[-1]
    assert (today.joins, today.leaves, today.messages) == (1, 0, 9), "the owner's command is a message too"
