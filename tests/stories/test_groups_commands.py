"""Chat commands: permissions, effects, and replies to mistakes. Each gets one message."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.commands import COMMANDS, PRIVATE_ONLY, parse
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.group_life import audit, becomes, bring, hand_over, members, qun_of, settled, standing, texts


async def group(town: Town, *people: str) -> dict[str, Any]:
    """A group with some members."""
    qun: dict[str, Any] = await town.make_group()
    if people:
        bring(town, qun, *people)
        for one in people:
            await becomes(town, qun, one, "joined")
    await town.quiet()
    return qun


async def asks(town: Town, who: str, words: str, where: str = "bot", mentions: tuple[str, ...] = ()) -> str:
    """Send a command; return the one message in reply."""
    before = len(texts(town, who, where))
    town.say(who, words, where, mentions)
    await until(lambda: len(texts(town, who, where)) > before, f"{words} is answered")
    await town.quiet()
    heard = texts(town, who, where)[before:]
    assert len(heard) == 1, heard
    return heard[0]


def test_how_commands_are_read() -> None:
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


async def test_help_fits_a_phone(town: Town) -> None:
    qun = await group(town)
    shown = await asks(town, "宋公明", "/帮助", qun["room"])
    private = [command.name for command in COMMANDS if command.about in PRIVATE_ONLY]
    assert [command.name for command in COMMANDS if command.name not in shown] == private
    assert max(map(len, shown.splitlines())) <= 40
    assert len(shown) < 600
    everything = await asks(town, "店长", "/帮助")
    assert all(command.name in everything for command in COMMANDS)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
async def test_others_may_not(town: Town, command: str) -> None:
    """A member in the group, and owner and member in private."""
    qun = await group(town, "黑旋风")
    await_words = town.bot.container.config.texts.not_allowed
    assert await_words in await asks(town, "黑旋风", f"{command} x", qun["room"])
    assert await asks(town, "黑旋风", f"{command} 100001 x") == await_words
    assert await asks(town, "宋公明", f"{command} 100001 x") == await_words
    assert town.id("黑旋风") in town.room(qun["room"]).members


async def test_the_number_in_private(make_town: MakeTown) -> None:
    """In private, the group's number comes first; missing, wrong and foreign numbers get an error."""
    town = await make_town(("weimi1001", "weimi1002"))
    await group(town)
    body = {"code": "elsewhere", "owner": "宋公明", "assistant": "weimi1002"}
    await town.call("POST", "/wxbot/qun", body)
    assert "群编号：100001" in await asks(town, "店长", "/群信息 100001")
    assert await asks(town, "店长", "/群信息") == "写法：/群信息 群编号"
    assert await asks(town, "店长", "/群信息 999999") == "没有编号为 999999 的群。"
    assert await asks(town, "店长", "/群信息 100002") == "没有编号为 100002 的群。"
    assert "群编号：100002" in await asks(town, "店长", "/群信息 100002", "weimi1002")
    assert await asks(town, "店长", "/群消息 100001") == "没有命令 /群消息。发送 /帮助 查看全部命令。"


async def test_old_commands_are_not_done(town: Town) -> None:
    qun = await group(town, "黑旋风")
    await town.stop_bot()
    town.world.clock = lambda: __import__("time").time() - 3600
    town.say("宋公明", "/踢 黑旋风", qun["room"])
    town.world.clock = __import__("time").time
    await town.start_bot()
    await settled(town, qun)
    assert town.id("黑旋风") in town.room(qun["room"]).members


async def test_tokens(town: Town) -> None:
    """Shown in the group; after a change the old token is invalid and the new one works."""
    qun = await group(town)
    assert qun["token"] in await asks(town, "宋公明", "/令牌", qun["room"])
    assert qun["url"] in await asks(town, "店长", "/令牌 100001")
    changed = await asks(town, "宋公明", "/换令牌", qun["room"])
    fresh = qun_of(town, qun).token
    assert fresh in changed
    assert fresh != qun["token"]
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (404, 3001)
    status, _, _ = await town.join(fresh, "黑旋风")
    assert status == 200
    await town.restart_bot()
    assert fresh in await asks(town, "店长", "/令牌 100001")


async def test_info(town: Town) -> None:
    qun = await group(town, "黑旋风")
    shown = await asks(town, "宋公明", "/群信息", qun["room"])
    for words in ("宋公明的群100001", "群编号：100001", "代码：code-1", "状态：正常", "群主：宋公明", "人数：4/500"):
        assert words in shown


async def test_statistics(town: Town) -> None:
    """In one message, like all commands."""
    qun = await group(town, "黑旋风")
    town.say("黑旋风", "你好", qun["room"])
    await settled(town, qun)
    before = len(town.seen("宋公明", qun["room"]))
    words = await asks(town, "宋公明", "/统计", qun["room"])
    assert len(words.splitlines()) == 16
    assert "合计 1 0 3，现有 4 人" in words
    assert len(town.seen("宋公明", qun["room"])) == before + 1


async def test_welcome(town: Town) -> None:
    qun = await group(town)
    assert "欢迎 {member} 加入{topic}！" in await asks(town, "宋公明", "/欢迎", qun["room"])
    assert "{member}你好" in await asks(town, "宋公明", "/欢迎 {member}你好，看{公告}", qun["room"])
    bring(town, qun, "黑旋风")
    await town.hears("宋公明", "@黑旋风\u2005你好，看{公告}", qun["room"])
    refused = await asks(town, "宋公明", "/欢迎 {members}你好", qun["room"])
    assert refused == "欢迎语里没有 {members}，可用的是 {member}（新成员）和 {topic}（群名）。"
    assert await asks(town, "店长", "/欢迎 100001 关") == "不再发送欢迎语。"
    assert "欢迎 {member} 加入" in await asks(town, "店长", "/欢迎 100001 默认")
    assert "最多 500 个字" in await asks(town, "店长", f"/欢迎 100001 {'长' * 501}")


async def test_topic_and_announcement(town: Town) -> None:
    """Set in WeChat and read back; nothing is stored if WeChat rejects it."""
    qun = await group(town)
    assert await asks(town, "宋公明", "/群名 梁山好汉", qun["room"]) == "群名已改为“梁山好汉”。"
    assert town.room(qun["room"]).topic == qun_of(town, qun).topic == "梁山好汉"
    assert await asks(town, "店长", "/群名 100001") == "写法：/群名 群编号 文本"
    town.say("宋公明", "/公告 今晚聚义", qun["room"])
    await town.hears("宋公明", "群公告已发布。", qun["room"])
    assert town.room(qun["room"]).announcement == qun_of(town, qun).announcement == "今晚聚义"
    assert "今晚聚义" in await asks(town, "店长", "/公告 100001")
    await hand_over(town, qun)
    refused = await asks(town, "宋公明", "/公告 明晚", qun["room"])
    assert refused == "微信没有执行：助手需要是群主或群管理员。"
    assert qun_of(town, qun).announcement == "今晚聚义"
    town.world.faults.call("RoomTopic", "fail", count=1)
    assert "微信没有执行" in await asks(town, "店长", "/群名 100001 别的名字")
    assert qun_of(town, qun).topic == "梁山好汉"


async def test_kicking(town: Town) -> None:
    """By @; the person may join again. A repeat reports that they are not there."""
    qun = await group(town, "黑旋风", "九纹龙")
    assert await asks(town, "宋公明", "/踢 ", qun["room"], ("黑旋风", "九纹龙")) == "已移出：黑旋风、九纹龙。"
    assert not {town.id("黑旋风"), town.id("九纹龙")} & set(town.room(qun["room"]).members)
    assert await members(town, qun) == {town.id("宋公明"), town.id("智多星")}
    assert await asks(town, "宋公明", "/踢 @黑旋风", qun["room"]) == "群里没有找到“黑旋风”。"
    assert await asks(town, "宋公明", "/踢", qun["room"]) == "写法：/踢 @人"
    bring(town, qun, "黑旋风")
    await becomes(town, qun, "黑旋风", "joined")
    await town.quiet()
    assert [(line.who, line.outcome) for line in await audit(town, "remove")] == [
        (f"person:{town.id('宋公明')}", "done")
    ] * 2


async def test_nobody_out_of_reach(town: Town) -> None:
    """Owner, companion, admin and assistant are exempt."""
    qun = await group(town, "店长")
    for command in ("/踢", "/警告", "/拉黑"):
        for who in ("宋公明", "智多星", "店长"):
            assert "不能这样做" in await asks(town, "店长", f"{command} 100001 {who}")
        assert "写法：" in await asks(town, "宋公明", command, qun["room"], ("bot",))
    assert len(town.room(qun["room"]).members) == 4


async def test_names_with_blanks(town: Town) -> None:
    """Without reported mentions, the longest matching name counts, and the rest is the reason."""
    qun = await group(town)
    both = [town.newcomer(name) for name in ("小 李 飞刀", "小 李")]
    bring(town, qun, *both)
    for who in both:
        await becomes(town, qun, who, "joined")
    await town.quiet()
    assert "小 李 飞刀\u2005请注意：乱 发" in await asks(town, "宋公明", "/警告 @小 李 飞刀 乱 发", qun["room"])
    assert "小 李\u2005请注意：飞" in await asks(town, "宋公明", "/警告 @小 李 飞", qun["room"])
    assert await asks(town, "店长", "/踢 100001　小 李 飞刀") == "已移出：小 李 飞刀。"
    assert await asks(town, "店长", "/踢 100001 小 李 飞刀") == "已移出：小 李。"
    assert await asks(town, "店长", "/踢 100001 小 李 飞刀") == "群里没有找到“小”。"


async def test_several_named_in_private(town: Town) -> None:
    """All of them or, if one is unknown, none; the rest is the reason."""
    qun = await group(town, "黑旋风", "九纹龙")
    assert await asks(town, "店长", "/踢 100001 @黑旋风 @没有这人") == "群里没有找到“没有这人”。"
    answer = await asks(town, "店长", "/警告 100001 @黑旋风 @九纹龙 吵 闹")
    assert answer == "已警告 黑旋风，共 1 次（上限 3 次）。\n已警告 九纹龙，共 1 次（上限 3 次）。"
    warned = [message.text for message in town.seen("宋公明", qun["room"]) if "请注意：吵 闹" in message.text]
    assert len(warned) == 2
    assert await asks(town, "店长", "/踢 100001 黑旋风 @九纹龙 @黑旋风") == "已移出：黑旋风、九纹龙。"


async def test_names_that_people_have_in_the_group_only(town: Town) -> None:
    """A mention writes the group alias: it means its owner, unless it is ambiguous."""
    qun = await group(town, "黑旋风", "九纹龙")
    town.world.rooms.set_alias(town.id("黑旋风"), qun["room"], "铁牛")
    assert "黑旋风\u2005请注意" in await asks(town, "宋公明", "/警告 @铁牛 吵", qun["room"])
    town.world.rooms.set_alias(town.id("九纹龙"), qun["room"], "铁牛")
    assert "“铁牛”不止一位" in await asks(town, "宋公明", "/踢 @铁牛", qun["room"])
    town.world.faults.call("RoomMemberPayload", "fail")
    assert await asks(town, "宋公明", "/踢 @铁牛", qun["room"]) == "群里没有找到“铁牛”。"


async def test_blanks_of_every_width(town: Town) -> None:
    qun = await group(town)
    assert "已添加" in await asks(town, "宋公明", "/屏蔽词　加　坏话", qun["room"])
    assert "已删除" in await asks(town, "宋公明", "/屏蔽词\n删\n坏话", qun["room"])
    assert "已添加" in await asks(town, "宋公明", "/关键词　加　地址＝梁山", qun["room"])
    assert "已添加定时消息 #1" in await asks(town, "宋公明", "/定时　加　0　9　*　*　*　早安", qun["room"])
    assert "已删除" in await asks(town, "宋公明", "/定时　删　#1", qun["room"])


async def test_two_of_one_name(town: Town) -> None:
    """An ambiguous name gets an error that distinguishes the people; @ and id identify one."""
    qun = await group(town)
    one, other = town.newcomer("张三"), town.newcomer("张三")
    town.world.people.set_alias(town.id("bot"), one, "老张")
    bring(town, qun, one, other)
    for who in (one, other):
        await becomes(town, qun, who, "joined")
    directory = town.bot.assistants[0].directory
    await until(lambda: directory.find("老张"), "the alias is known")
    await town.quiet()
    answer = await asks(town, "店长", "/拉黑 100001 张三")
    assert "“张三”不止一位" in answer
    assert "备注：老张" in answer
    assert other[-4:] in answer
    assert {one, other} <= set(town.room(qun["room"]).members)
    assert await asks(town, "宋公明", "/踢", qun["room"], (other,)) == "已移出：张三。"
    assert other not in town.room(qun["room"]).members
    assert await asks(town, "店长", "/踢 100001 老张") == "已移出：张三。"
    assert one not in town.room(qun["room"]).members


async def test_warning(make_town: MakeTown) -> None:
    """The warning with its @ is the answer in the group; warnings of the moderator count, too."""
    town = await make_town(groups={"blocked_words": ["坏话"], "warn_limit": 3})
    qun = await group(town, "黑旋风")
    warned = await asks(town, "宋公明", "/警告  别吵了", qun["room"], ("黑旋风",))
    assert "别吵了" in warned
    assert "第 1 次警告，满 3 次" in warned
    town.say("黑旋风", "坏话", qun["room"])
    await town.hears("宋公明", "第 2 次警告", qun["room"])
    answer = await asks(town, "店长", "/警告 100001 黑旋风")
    assert answer == "黑旋风 的警告已满 3 次，将被移出并拉黑。"
    await until(lambda: town.id("黑旋风") not in town.room(qun["room"]).members, "out")


async def test_blacklist_and_pardon(town: Town) -> None:
    qun = await group(town, "黑旋风")
    assert await asks(town, "宋公明", "/拉黑", qun["room"], ("黑旋风",)) == "已拉黑：黑旋风。"
    assert town.id("黑旋风") not in town.room(qun["room"]).members
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (403, 3005)
    assert "黑名单里没有“张三”。黑名单：黑旋风" in await asks(town, "宋公明", "/解除拉黑 张三", qun["room"])
    town.world.people.rename(town.id("黑旋风"), "李逵")
    directory = town.bot.assistants[0].directory
    await until(lambda: directory.find("李逵"), "the new name is known")
    assert "已解除拉黑" in await asks(town, "宋公明", "/解除拉黑 李逵", qun["room"])
    kept = await standing(town, qun, "黑旋风")
    assert kept is not None
    assert (kept.blacklisted, kept.warnings) == (False, 0)
    status, _, _ = await town.join(qun["token"], "李逵")
    assert status == 200
    assert "黑名单里没有" in await asks(town, "宋公明", "/解除拉黑 李逵", qun["room"])


async def test_blacklisting_who_has_gone(town: Town) -> None:
    """Former members can be blacklisted; strangers are unknown. Repeats have no effect."""
    qun = await group(town, "黑旋风")
    town.world.rooms.leave(town.id("黑旋风"), qun["room"])
    await becomes(town, qun, "黑旋风", "left")
    assert await asks(town, "宋公明", "/踢 @黑旋风", qun["room"]) == "群里没有找到“黑旋风”。"
    assert await asks(town, "宋公明", "/拉黑 @九纹龙", qun["room"]) == "群里没有找到“九纹龙”。"
    for _ in range(2):
        assert await asks(town, "宋公明", "/拉黑 @黑旋风", qun["room"]) == "已拉黑：黑旋风。"
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (403, 3005)


async def test_blacklisting_where_removal_fails(town: Town) -> None:
    qun = await group(town, "黑旋风")
    await hand_over(town, qun)
    answer = await asks(town, "店长", "/拉黑 100001 黑旋风")
    assert answer == "已拉黑：黑旋风。\n没能移出 黑旋风：助手需要是群主或群管理员。"


async def test_blocked_words_by_command(make_town: MakeTown) -> None:
    """For one group, or in private for all; words of the config stay blocked."""
    town = await make_town(groups={"blocked_words": ["配置词"]})
    qun = await group(town, "黑旋风")
    other = await town.make_group("code-2")
    bring(town, other, "黑旋风")
    room = qun["room"]
    assert "配置词" in await asks(town, "宋公明", "/屏蔽词", room)
    assert "已添加" in await asks(town, "宋公明", "/屏蔽词 加 加微信", room)
    assert "已经是" in await asks(town, "宋公明", "/屏蔽词 加 加 微信", room)
    assert "已添加所有群的" in await asks(town, "店长", "/屏蔽词 加 兼职")
    await town.restart_bot()
    town.say("黑旋风", "加-微-信", room)
    await town.hears("宋公明", "第 1 次警告", room)
    town.say("黑旋风", "找兼职", room)
    await town.hears("宋公明", "第 2 次警告", room)
    town.say("黑旋风", "加微信", other["room"])
    await settled(town, other)
    assert not texts(town, "宋公明", other["room"], "警告，满"), "another group's word"
    town.say("黑旋风", "找兼职", other["room"])
    await town.hears("宋公明", "第 1 次警告", other["room"])
    assert "已删除" in await asks(town, "宋公明", "/屏蔽词 删 加微信", room)
    assert "没有屏蔽词" in await asks(town, "宋公明", "/屏蔽词 删 加微信", room)
    assert "配置文件" in await asks(town, "宋公明", "/屏蔽词 删 配置词", room)
    assert "写法：" in await asks(town, "宋公明", "/屏蔽词 加", room)
    town.say("黑旋风", "加微信", room)
    await settled(town, qun)
    assert len(texts(town, "宋公明", room, "次警告，满")) == 2


async def test_keywords_by_command(town: Town) -> None:
    qun = await group(town)
    room = qun["room"]
    assert "已添加" in await asks(town, "宋公明", "/关键词 加 营业时间 = 早九点到晚六点", room)
    assert "营业时间 = 早九点到晚六点" in await asks(town, "宋公明", "/关键词", room)
    assert "已更新" in await asks(town, "宋公明", "/关键词 加 营业时间=全天", room)
    assert (await asks(town, "宋公明", "/关键词", room)).count("营业时间") == 1
    assert "已添加所有群和私聊的" in await asks(town, "店长", "/关键词 加 地址=梁山")
    assert await asks(town, "黑旋风", "地址") == "梁山"
    assert "写法：" in await asks(town, "宋公明", "/关键词 加 没有回复", room)
    assert "已删除" in await asks(town, "宋公明", "/关键词 删 营业时间", room)
    assert "没有关键词" in await asks(town, "宋公明", "/关键词 删 营业时间", room)
