"""Commands about members: removing, warning, blacklisting."""

from __future__ import annotations

from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import (
    add_members,
    asks,
    audit,
    group_with,
    members,
    record_of,
    transfer_group,
    wait_for_state,
)
from tests.waiting import until


async def test_member_is_removed(env: BotEnvironment) -> None:
    """By @; the person may join again. A repeat reports that they are not there."""
    qun = await group_with(env, "黑旋风", "九纹龙")
    assert await asks(env, "宋公明", "/踢 ", qun["room"], ("黑旋风", "九纹龙")) == "已移出：黑旋风、九纹龙。"
    assert not {env.id("黑旋风"), env.id("九纹龙")} & set(env.room(qun["room"]).members)
    assert await members(env, qun) == {env.id("宋公明"), env.id("智多星")}
    assert await asks(env, "宋公明", "/踢 @黑旋风", qun["room"]) == "群里没有找到“黑旋风”。"
    assert await asks(env, "宋公明", "/踢", qun["room"]) == "写法：/踢 @人"
    add_members(env, qun, "黑旋风")
    await wait_for_state(env, qun, "黑旋风", "joined")
    await env.wait_idle()
    assert [(line.who, line.outcome) for line in await audit(env, "remove")] == [
        (f"person:{env.id('宋公明')}", "done")
    ] * 2


async def test_exempt_people_cannot_be_removed(env: BotEnvironment) -> None:
    """Owner, companion, admin and assistant are exempt."""
    qun = await group_with(env, "店长")
    for command in ("/踢", "/警告", "/拉黑"):
        for who in ("宋公明", "智多星", "店长"):
            assert "不能这样做" in await asks(env, "店长", f"{command} 100001 {who}")
        assert "写法：" in await asks(env, "宋公明", command, qun["room"], ("bot",))
    assert len(env.room(qun["room"]).members) == 4


async def test_longest_matching_name_wins(env: BotEnvironment) -> None:
    """Without reported mentions, the longest matching name counts, and the remaining text is the reason."""
    qun = await group_with(env)
    both = [env.add_person(name) for name in ("小 李 飞刀", "小 李")]
    add_members(env, qun, *both)
    for who in both:
        await wait_for_state(env, qun, who, "joined")
    await env.wait_idle()
    assert "小 李 飞刀\u2005请注意：乱 发" in await asks(env, "宋公明", "/警告 @小 李 飞刀 乱 发", qun["room"])
    assert "小 李\u2005请注意：飞" in await asks(env, "宋公明", "/警告 @小 李 飞", qun["room"])
    assert await asks(env, "店长", "/踢 100001　小 李 飞刀") == "已移出：小 李 飞刀。"
    assert await asks(env, "店长", "/踢 100001 小 李 飞刀") == "已移出：小 李。"
    assert await asks(env, "店长", "/踢 100001 小 李 飞刀") == "群里没有找到“小”。"


async def test_several_people_in_private_are_all_or_nothing(env: BotEnvironment) -> None:
    """All of them or, if one is unknown, none; the remaining text is the reason."""
    qun = await group_with(env, "黑旋风", "九纹龙")
    assert await asks(env, "店长", "/踢 100001 @黑旋风 @没有这人") == "群里没有找到“没有这人”。"
    answer = await asks(env, "店长", "/警告 100001 @黑旋风 @九纹龙 吵 闹")
    assert answer == "已警告 黑旋风，共 1 次（上限 3 次）。\n已警告 九纹龙，共 1 次（上限 3 次）。"
    warned = [message.text for message in env.seen("宋公明", qun["room"]) if "请注意：吵 闹" in message.text]
    assert len(warned) == 2
    assert await asks(env, "店长", "/踢 100001 黑旋风 @九纹龙 @黑旋风") == "已移出：黑旋风、九纹龙。"


async def test_group_aliases_are_matched(env: BotEnvironment) -> None:
    """A mention writes the group alias: it means its owner, unless it is ambiguous."""
    qun = await group_with(env, "黑旋风", "九纹龙")
    env.world.rooms.set_alias(env.id("黑旋风"), qun["room"], "铁牛")
    assert "黑旋风\u2005请注意" in await asks(env, "宋公明", "/警告 @铁牛 吵", qun["room"])
    env.world.rooms.set_alias(env.id("九纹龙"), qun["room"], "铁牛")
    assert "“铁牛”不止一位" in await asks(env, "宋公明", "/踢 @铁牛", qun["room"])
    env.world.faults.call("RoomMemberPayload", "fail")
    assert await asks(env, "宋公明", "/踢 @铁牛", qun["room"]) == "群里没有找到“铁牛”。"


async def test_blanks_of_every_width_separate_words(env: BotEnvironment) -> None:
    qun = await group_with(env)
    assert "已添加" in await asks(env, "宋公明", "/屏蔽词　加　坏话", qun["room"])
    assert "已删除" in await asks(env, "宋公明", "/屏蔽词\n删\n坏话", qun["room"])
    assert "已添加" in await asks(env, "宋公明", "/关键词　加　地址＝梁山", qun["room"])
    assert "已添加定时消息 #1" in await asks(env, "宋公明", "/定时　加　0　9　*　*　*　早安", qun["room"])
    assert "已删除" in await asks(env, "宋公明", "/定时　删　#1", qun["room"])


async def test_ambiguous_name_is_rejected(env: BotEnvironment) -> None:
    """An ambiguous name gets an error that distinguishes the people; @ and id identify one."""
    qun = await group_with(env)
    first, second = env.add_person("张三"), env.add_person("张三")
    env.world.people.set_alias(env.id("bot"), first, "老张")
    add_members(env, qun, first, second)
    for who in (first, second):
        await wait_for_state(env, qun, who, "joined")
    directory = env.bot.assistants[0].directory
    await until(lambda: directory.find("老张"), "the alias is known")
    await env.wait_idle()
    answer = await asks(env, "店长", "/拉黑 100001 张三")
    assert "“张三”不止一位" in answer
    assert "备注：老张" in answer
    assert second[-4:] in answer
    assert {first, second} <= set(env.room(qun["room"]).members)
    assert await asks(env, "宋公明", "/踢", qun["room"], (second,)) == "已移出：张三。"
    assert second not in env.room(qun["room"]).members
    assert await asks(env, "店长", "/踢 100001 老张") == "已移出：张三。"
    assert first not in env.room(qun["room"]).members


async def test_member_is_warned(make_env: MakeEnv) -> None:
    """The warning with its @ is the answer in the group; warnings of the moderator count, too."""
    env = await make_env(groups={"blocked_words": ["坏话"], "warn_limit": 3})
    qun = await group_with(env, "黑旋风")
    warned = await asks(env, "宋公明", "/警告  别吵了", qun["room"], ("黑旋风",))
    assert "别吵了" in warned
    assert "第 1 次警告，满 3 次" in warned
    env.say("黑旋风", "坏话", qun["room"])
    await env.receives("宋公明", "第 2 次警告", qun["room"])
    answer = await asks(env, "店长", "/警告 100001 黑旋风")
    assert answer == "黑旋风 的警告已满 3 次，将被移出并拉黑。"
    await until(lambda: env.id("黑旋风") not in env.room(qun["room"]).members, "out")


async def test_member_is_blacklisted_and_pardoned(env: BotEnvironment) -> None:
    qun = await group_with(env, "黑旋风")
    assert await asks(env, "宋公明", "/拉黑", qun["room"], ("黑旋风",)) == "已拉黑：黑旋风。"
    assert env.id("黑旋风") not in env.room(qun["room"]).members
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (403, 3005)
    assert "黑名单里没有“张三”。黑名单：黑旋风" in await asks(env, "宋公明", "/解除拉黑 张三", qun["room"])
    env.world.people.rename(env.id("黑旋风"), "李逵")
    directory = env.bot.assistants[0].directory
    await until(lambda: directory.find("李逵"), "the new name is known")
    assert "已解除拉黑" in await asks(env, "宋公明", "/解除拉黑 李逵", qun["room"])
    kept = await record_of(env, qun, "黑旋风")
    assert kept is not None
    assert (kept.blacklisted, kept.warnings) == (False, 0)
    status, _, _ = await env.join(qun["token"], "李逵")
    assert status == 200
    assert "黑名单里没有" in await asks(env, "宋公明", "/解除拉黑 李逵", qun["room"])


async def test_former_member_is_blacklisted(env: BotEnvironment) -> None:
    """Former members can be blacklisted; strangers are unknown. Repeats have no effect."""
    qun = await group_with(env, "黑旋风")
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    await wait_for_state(env, qun, "黑旋风", "left")
    assert await asks(env, "宋公明", "/踢 @黑旋风", qun["room"]) == "群里没有找到“黑旋风”。"
    assert await asks(env, "宋公明", "/拉黑 @九纹龙", qun["room"]) == "群里没有找到“九纹龙”。"
    for _ in range(2):
        assert await asks(env, "宋公明", "/拉黑 @黑旋风", qun["room"]) == "已拉黑：黑旋风。"
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (403, 3005)


async def test_blacklisting_with_failed_removal(env: BotEnvironment) -> None:
    qun = await group_with(env, "黑旋风")
    await transfer_group(env, qun)
    answer = await asks(env, "店长", "/拉黑 100001 黑旋风")
    assert answer == "已拉黑：黑旋风。\n没能移出 黑旋风：助手需要是群主或群管理员。"
