"""Chat commands: permissions, effects, and replies to mistakes. Each gets one message."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.commands import COMMANDS, PRIVATE_ONLY, parse
from tests.stories.conftest import BotEnvironment, MakeEnv, until
from tests.stories.group_life import (
    add_members,
    audit,
    members,
    qun_of,
    record_of,
    texts,
    transfer_group,
    wait_for_group,
    wait_for_state,
)


async def group(env: BotEnvironment, *people: str) -> dict[str, Any]:
    """A group with some members."""
    qun: dict[str, Any] = await env.make_group()
    if people:
        add_members(env, qun, *people)
        for one in people:
            await wait_for_state(env, qun, one, "joined")
    await env.wait_idle()
    return qun


async def asks(env: BotEnvironment, who: str, words: str, where: str = "bot", mentions: tuple[str, ...] = ()) -> str:
    """Send a command; return the one message in reply."""
    before = len(texts(env, who, where))
    env.say(who, words, where, mentions)
    await until(lambda: len(texts(env, who, where)) > before, f"{words} is answered")
    await env.wait_idle()
    received = texts(env, who, where)[before:]
    assert len(received) == 1, received
    return received[0]


def test_commands_are_parsed() -> None:
    """Half or full width, with or without a blank, with a leading mention of the bot; a path is not a command."""
    for said in ("/踢 @张三", "／踢@张三", "@微秘\u2005/踢 @张三", "  /踢\n@张三"):
        parsed = parse(said)
        assert parsed is not None, said
        assert (parsed[0].name, parsed[1]) == ("/踢", "@张三")
    for said in ("/踢 100001 张三", "100001 /踢 张三", "100001　／踢　张三"):
        parsed = parse(said)
        assert parsed is not None, said
        assert (parsed[0].name, parsed[1].split()) == ("/踢", ["100001", "张三"])
    for said in ("踢 @张三", "/没有这个", "/usr/bin", "我说/踢 @张三", "12 /踢 张三", "/", ""):
        assert parse(said) is None, said


async def test_help_fits_a_phone_screen(env: BotEnvironment) -> None:
    qun = await group(env)
    shown = await asks(env, "宋公明", "/帮助", qun["room"])
    private = [command.name for command in COMMANDS if command.about in PRIVATE_ONLY]
    assert [command.name for command in COMMANDS if command.name not in shown] == private
    assert max(map(len, shown.splitlines())) <= 40
    assert len(shown) < 600
    everything = await asks(env, "店长", "/帮助")
    assert all(command.name in everything for command in COMMANDS)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
async def test_unauthorized_command_is_rejected(env: BotEnvironment, command: str) -> None:
    """A member in the group, and owner and member in private."""
    qun = await group(env, "黑旋风")
    await_words = env.bot.container.config.texts.not_allowed
    assert await_words in await asks(env, "黑旋风", f"{command} x", qun["room"])
    assert await asks(env, "黑旋风", f"{command} 100001 x") == await_words
    assert await asks(env, "宋公明", f"{command} 100001 x") == await_words
    assert env.id("黑旋风") in env.room(qun["room"]).members


async def test_private_command_needs_the_group_number(make_env: MakeEnv) -> None:
    """In private, the group's number comes first; missing, wrong and foreign numbers get an error."""
    env = await make_env(("weimi1001", "weimi1002"))
    await group(env)
    body = {"code": "elsewhere", "owner": "宋公明", "assistant": "weimi1002"}
    await env.call("POST", "/wxbot/qun", body)
    assert "群编号：100001" in await asks(env, "店长", "/群信息 100001")
    assert await asks(env, "店长", "/群信息") == "写法：/群信息 群编号"
    assert await asks(env, "店长", "/群信息 999999") == "没有编号为 999999 的群。"
    assert await asks(env, "店长", "/群信息 100002") == "没有编号为 100002 的群。"
    assert "群编号：100002" in await asks(env, "店长", "/群信息 100002", "weimi1002")
    assert await asks(env, "店长", "/群消息 100001") == "没有命令 /群消息。发送 /帮助 查看全部命令。"


async def test_old_commands_are_not_executed(env: BotEnvironment) -> None:
    qun = await group(env, "黑旋风")
    await env.stop_bot()
    env.world.clock = lambda: __import__("time").time() - 3600
    env.say("宋公明", "/踢 黑旋风", qun["room"])
    env.world.clock = __import__("time").time
    await env.start_bot()
    await wait_for_group(env, qun)
    assert env.id("黑旋风") in env.room(qun["room"]).members


async def test_token_is_shown_and_replaced(env: BotEnvironment) -> None:
    """Shown in the group; after a change the old token is invalid and the new one works."""
    qun = await group(env)
    assert qun["token"] in await asks(env, "宋公明", "/令牌", qun["room"])
    assert qun["url"] in await asks(env, "店长", "/令牌 100001")
    changed = await asks(env, "宋公明", "/换令牌", qun["room"])
    fresh = qun_of(env, qun).token
    assert fresh in changed
    assert fresh != qun["token"]
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (404, 3001)
    status, _, _ = await env.join(fresh, "黑旋风")
    assert status == 200
    await env.restart_bot()
    assert fresh in await asks(env, "店长", "/令牌 100001")


async def test_group_info(env: BotEnvironment) -> None:
    qun = await group(env, "黑旋风")
    shown = await asks(env, "宋公明", "/群信息", qun["room"])
    for words in ("宋公明的群100001", "群编号：100001", "代码：code-1", "状态：正常", "群主：宋公明", "人数：4/500"):
        assert words in shown


async def test_statistics(env: BotEnvironment) -> None:
    """In one message, like all commands."""
    qun = await group(env, "黑旋风")
    env.say("黑旋风", "你好", qun["room"])
    await wait_for_group(env, qun)
    before = len(env.seen("宋公明", qun["room"]))
    words = await asks(env, "宋公明", "/统计", qun["room"])
    assert len(words.splitlines()) == 16
    assert "合计 1 0 3，现有 4 人" in words
    assert len(env.seen("宋公明", qun["room"])) == before + 1


async def test_welcome_text_is_changed(env: BotEnvironment) -> None:
    qun = await group(env)
    assert "欢迎 {member} 加入{topic}！" in await asks(env, "宋公明", "/欢迎", qun["room"])
    assert "{member}你好" in await asks(env, "宋公明", "/欢迎 {member}你好，看{公告}", qun["room"])
    add_members(env, qun, "黑旋风")
    await env.receives("宋公明", "@黑旋风\u2005你好，看{公告}", qun["room"])
    assert await asks(env, "店长", "/欢迎 100001 关") == "不再发送欢迎语。"
    assert "欢迎 {member} 加入" in await asks(env, "店长", "/欢迎 100001 默认")
    assert "最多 500 个字" in await asks(env, "店长", f"/欢迎 100001 {'长' * 501}")


async def test_topic_and_announcement_are_changed(env: BotEnvironment) -> None:
    """Set in WeChat and read back; nothing is stored if WeChat rejects it."""
    qun = await group(env)
    assert await asks(env, "宋公明", "/群名 梁山好汉", qun["room"]) == "群名已改为“梁山好汉”。"
    assert env.room(qun["room"]).topic == qun_of(env, qun).topic == "梁山好汉"
    assert await asks(env, "店长", "/群名 100001") == "写法：/群名 群编号 文本"
    env.say("宋公明", "/公告 今晚聚义", qun["room"])
    await env.receives("宋公明", "群公告已发布。", qun["room"])
    assert env.room(qun["room"]).announcement == qun_of(env, qun).announcement == "今晚聚义"
    assert "今晚聚义" in await asks(env, "店长", "/公告 100001")
    await transfer_group(env, qun)
    refused = await asks(env, "宋公明", "/公告 明晚", qun["room"])
    assert refused == "微信没有执行：助手需要是群主或群管理员。"
    assert qun_of(env, qun).announcement == "今晚聚义"
    env.world.faults.call("RoomTopic", "fail", count=1)
    assert "微信没有执行" in await asks(env, "店长", "/群名 100001 别的名字")
    assert qun_of(env, qun).topic == "梁山好汉"


async def test_member_is_removed(env: BotEnvironment) -> None:
    """By @; the person may join again. A repeat reports that they are not there."""
    qun = await group(env, "黑旋风", "九纹龙")
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
    qun = await group(env, "店长")
    for command in ("/踢", "/警告", "/拉黑"):
        for who in ("宋公明", "智多星", "店长"):
            assert "不能这样做" in await asks(env, "店长", f"{command} 100001 {who}")
        assert "写法：" in await asks(env, "宋公明", command, qun["room"], ("bot",))
    assert len(env.room(qun["room"]).members) == 4


async def test_longest_matching_name_wins(env: BotEnvironment) -> None:
    """Without reported mentions, the longest matching name counts, and the rest is the reason."""
    qun = await group(env)
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
    """All of them or, if one is unknown, none; the rest is the reason."""
    qun = await group(env, "黑旋风", "九纹龙")
    assert await asks(env, "店长", "/踢 100001 @黑旋风 @没有这人") == "群里没有找到“没有这人”。"
    answer = await asks(env, "店长", "/警告 100001 @黑旋风 @九纹龙 吵 闹")
    assert answer == "已警告 黑旋风，共 1 次（上限 3 次）。\n已警告 九纹龙，共 1 次（上限 3 次）。"
    warned = [message.text for message in env.seen("宋公明", qun["room"]) if "请注意：吵 闹" in message.text]
    assert len(warned) == 2
    assert await asks(env, "店长", "/踢 100001 黑旋风 @九纹龙 @黑旋风") == "已移出：黑旋风、九纹龙。"


async def test_group_aliases_are_matched(env: BotEnvironment) -> None:
    """A mention writes the group alias: it means its owner, unless it is ambiguous."""
    qun = await group(env, "黑旋风", "九纹龙")
    env.world.rooms.set_alias(env.id("黑旋风"), qun["room"], "铁牛")
    assert "黑旋风\u2005请注意" in await asks(env, "宋公明", "/警告 @铁牛 吵", qun["room"])
    env.world.rooms.set_alias(env.id("九纹龙"), qun["room"], "铁牛")
    assert "“铁牛”不止一位" in await asks(env, "宋公明", "/踢 @铁牛", qun["room"])
    env.world.faults.call("RoomMemberPayload", "fail")
    assert await asks(env, "宋公明", "/踢 @铁牛", qun["room"]) == "群里没有找到“铁牛”。"


async def test_blanks_of_every_width_separate_words(env: BotEnvironment) -> None:
    qun = await group(env)
    assert "已添加" in await asks(env, "宋公明", "/屏蔽词　加　坏话", qun["room"])
    assert "已删除" in await asks(env, "宋公明", "/屏蔽词\n删\n坏话", qun["room"])
    assert "已添加" in await asks(env, "宋公明", "/关键词　加　地址＝梁山", qun["room"])
    assert "已添加定时消息 #1" in await asks(env, "宋公明", "/定时　加　0　9　*　*　*　早安", qun["room"])
    assert "已删除" in await asks(env, "宋公明", "/定时　删　#1", qun["room"])


async def test_ambiguous_name_is_rejected(env: BotEnvironment) -> None:
    """An ambiguous name gets an error that distinguishes the people; @ and id identify one."""
    qun = await group(env)
    one, other = env.add_person("张三"), env.add_person("张三")
    env.world.people.set_alias(env.id("bot"), one, "老张")
    add_members(env, qun, one, other)
    for who in (one, other):
        await wait_for_state(env, qun, who, "joined")
    directory = env.bot.assistants[0].directory
    await until(lambda: directory.find("老张"), "the alias is known")
    await env.wait_idle()
    answer = await asks(env, "店长", "/拉黑 100001 张三")
    assert "“张三”不止一位" in answer
    assert "备注：老张" in answer
    assert other[-4:] in answer
    assert {one, other} <= set(env.room(qun["room"]).members)
    assert await asks(env, "宋公明", "/踢", qun["room"], (other,)) == "已移出：张三。"
    assert other not in env.room(qun["room"]).members
    assert await asks(env, "店长", "/踢 100001 老张") == "已移出：张三。"
    assert one not in env.room(qun["room"]).members


async def test_member_is_warned(make_env: MakeEnv) -> None:
    """The warning with its @ is the answer in the group; warnings of the moderator count, too."""
    env = await make_env(groups={"blocked_words": ["坏话"], "warn_limit": 3})
    qun = await group(env, "黑旋风")
    warned = await asks(env, "宋公明", "/警告  别吵了", qun["room"], ("黑旋风",))
    assert "别吵了" in warned
    assert "第 1 次警告，满 3 次" in warned
    env.say("黑旋风", "坏话", qun["room"])
    await env.receives("宋公明", "第 2 次警告", qun["room"])
    answer = await asks(env, "店长", "/警告 100001 黑旋风")
    assert answer == "黑旋风 的警告已满 3 次，将被移出并拉黑。"
    await until(lambda: env.id("黑旋风") not in env.room(qun["room"]).members, "out")


async def test_member_is_blacklisted_and_pardoned(env: BotEnvironment) -> None:
    qun = await group(env, "黑旋风")
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
    qun = await group(env, "黑旋风")
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    await wait_for_state(env, qun, "黑旋风", "left")
    assert await asks(env, "宋公明", "/踢 @黑旋风", qun["room"]) == "群里没有找到“黑旋风”。"
    assert await asks(env, "宋公明", "/拉黑 @九纹龙", qun["room"]) == "群里没有找到“九纹龙”。"
    for _ in range(2):
        assert await asks(env, "宋公明", "/拉黑 @黑旋风", qun["room"]) == "已拉黑：黑旋风。"
    status, answer, _ = await env.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (403, 3005)


async def test_blacklisting_with_failed_removal(env: BotEnvironment) -> None:
    qun = await group(env, "黑旋风")
    await transfer_group(env, qun)
    answer = await asks(env, "店长", "/拉黑 100001 黑旋风")
    assert answer == "已拉黑：黑旋风。\n没能移出 黑旋风：助手需要是群主或群管理员。"


async def test_blocked_words_are_managed_by_command(make_env: MakeEnv) -> None:
    """For one group, or in private for all; words of the config stay blocked."""
    env = await make_env(groups={"blocked_words": ["配置词"]})
    qun = await group(env, "黑旋风")
    other = await env.make_group("code-2")
    add_members(env, other, "黑旋风")
    room = qun["room"]
    assert "配置词" in await asks(env, "宋公明", "/屏蔽词", room)
    assert "已添加" in await asks(env, "宋公明", "/屏蔽词 加 加微信", room)
    assert "已经是" in await asks(env, "宋公明", "/屏蔽词 加 加 微信", room)
    assert "已添加所有群的" in await asks(env, "店长", "/屏蔽词 加 兼职")
    await env.restart_bot()
    env.say("黑旋风", "加-微-信", room)
    await env.receives("宋公明", "第 1 次警告", room)
    env.say("黑旋风", "找兼职", room)
    await env.receives("宋公明", "第 2 次警告", room)
    env.say("黑旋风", "加微信", other["room"])
    await wait_for_group(env, other)
    assert not texts(env, "宋公明", other["room"], "警告，满"), "another group's word"
    env.say("黑旋风", "找兼职", other["room"])
    await env.receives("宋公明", "第 1 次警告", other["room"])
    assert "已删除" in await asks(env, "宋公明", "/屏蔽词 删 加微信", room)
    assert "没有屏蔽词" in await asks(env, "宋公明", "/屏蔽词 删 加微信", room)
    assert "配置文件" in await asks(env, "宋公明", "/屏蔽词 删 配置词", room)
    assert "写法：" in await asks(env, "宋公明", "/屏蔽词 加", room)
    env.say("黑旋风", "加微信", room)
    await wait_for_group(env, qun)
    assert len(texts(env, "宋公明", room, "次警告，满")) == 2


async def test_keywords_are_managed_by_command(env: BotEnvironment) -> None:
    qun = await group(env)
    room = qun["room"]
    assert "已添加" in await asks(env, "宋公明", "/关键词 加 营业时间 = 早九点到晚六点", room)
    assert "营业时间 = 早九点到晚六点" in await asks(env, "宋公明", "/关键词", room)
    assert "已更新" in await asks(env, "宋公明", "/关键词 加 营业时间=全天", room)
    assert (await asks(env, "宋公明", "/关键词", room)).count("营业时间") == 1
    assert "已添加所有群和私聊的" in await asks(env, "店长", "/关键词 加 地址=梁山")
    assert await asks(env, "黑旋风", "地址") == "梁山"
    assert "写法：" in await asks(env, "宋公明", "/关键词 加 没有回复", room)
    assert "已删除" in await asks(env, "宋公明", "/关键词 删 营业时间", room)
    assert "没有关键词" in await asks(env, "宋公明", "/关键词 删 营业时间", room)
