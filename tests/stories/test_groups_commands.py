"""Chat commands about groups, words and keywords: permissions, effects, and replies to mistakes."""

from __future__ import annotations

import pytest

from handlers.commands import COMMANDS, PRIVATE_ONLY, parse
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import (
    add_members,
    asks,
    group_with,
    qun_of,
    texts,
    transfer_group,
    wait_for_group,
)


def test_commands_are_parsed() -> None:
    """Half or full width, with or without a blank, with a leading mention of the bot; a path is not a command."""
    for said in ("/踢 @张三", "／踢@张三", "@微秘\u2005/踢 @张三", "  /踢\n@张三"):
        parsed = parse(said)
        assert parsed is not None, said
        assert (parsed[0].name, parsed[1]) == ("/踢", "@张三")
    for said in ("/踢 100001 张三", "100001 /踢 张三", "100001　／踢　张三", "100001/踢 张三"):
        parsed = parse(said)
        assert parsed is not None, said
        assert (parsed[0].name, parsed[1].split()) == ("/踢", ["100001", "张三"])
    for said in ("踢 @张三", "/没有这个", "/usr/bin", "我说/踢 @张三", "12 /踢 张三", "/", ""):
        assert parse(said) is None, said


async def test_help_fits_a_phone_screen(env: BotEnvironment) -> None:
    qun = await group_with(env)
    shown = await asks(env, "宋公明", "/帮助", qun["room"])
    private = [command.name for command in COMMANDS if command.scope in PRIVATE_ONLY]
    assert [command.name for command in COMMANDS if command.name not in shown] == private
    assert max(map(len, shown.splitlines())) <= 40
    assert len(shown) < 600
    everything = await asks(env, "店长", "/帮助")
    assert all(command.name in everything for command in COMMANDS)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
async def test_unauthorized_command_is_rejected(env: BotEnvironment, command: str) -> None:
    """A member in the group, and owner and member in private."""
    qun = await group_with(env, "黑旋风")
    await_words = env.bot.container.config.texts.not_allowed
    assert await_words in await asks(env, "黑旋风", f"{command} x", qun["room"])
    assert await asks(env, "黑旋风", f"{command} 100001 x") == await_words
    assert await asks(env, "宋公明", f"{command} 100001 x") == await_words
    assert env.id("黑旋风") in env.room(qun["room"]).members


async def test_private_command_needs_the_group_number(make_env: MakeEnv) -> None:
    """In private, the group's number comes first; missing, wrong and foreign numbers get an error."""
    env = await make_env(("weimi1001", "weimi1002"))
    await group_with(env)
    body = {"code": "elsewhere", "owner": "宋公明", "assistant": "weimi1002"}
    await env.call("POST", "/wxbot/qun", body)
    assert "群编号：100001" in await asks(env, "店长", "/群信息 100001")
    assert await asks(env, "店长", "/群信息") == "写法：/群信息 群编号"
    assert await asks(env, "店长", "/群信息 999999") == "没有编号为 999999 的群。"
    assert await asks(env, "店长", "/群信息 100002") == "没有编号为 100002 的群。"
    assert "群编号：100002" in await asks(env, "店长", "/群信息 100002", "weimi1002")
    assert await asks(env, "店长", "/群消息 100001") == "没有命令 /群消息。发送 /帮助 查看全部命令。"


async def test_old_commands_are_not_executed(env: BotEnvironment) -> None:
    qun = await group_with(env, "黑旋风")
    await env.stop_bot()
    env.world.clock = lambda: __import__("time").time() - 3600
    env.say("宋公明", "/踢 黑旋风", qun["room"])
    env.world.clock = __import__("time").time
    await env.start_bot()
    await wait_for_group(env, qun)
    assert env.id("黑旋风") in env.room(qun["room"]).members


async def test_token_is_shown_and_replaced(env: BotEnvironment) -> None:
    """Shown in the group; after a change the old token is invalid and the new one works."""
    qun = await group_with(env)
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
    qun = await group_with(env, "黑旋风")
    shown = await asks(env, "宋公明", "/群信息", qun["room"])
    for text in ("宋公明的群100001", "群编号：100001", "代码：code-1", "状态：正常", "群主：宋公明", "人数：4/500"):
        assert text in shown


async def test_statistics(env: BotEnvironment) -> None:
    """In one message, like all commands."""
    qun = await group_with(env, "黑旋风")
    env.say("黑旋风", "你好", qun["room"])
    await wait_for_group(env, qun)
    before = len(env.seen("宋公明", qun["room"]))
    text = await asks(env, "宋公明", "/统计", qun["room"])
    assert len(text.splitlines()) == 16
    assert "合计 1 0 3，现有 4 人" in text
    assert len(env.seen("宋公明", qun["room"])) == before + 1


async def test_welcome_text_is_changed(env: BotEnvironment) -> None:
    qun = await group_with(env)
    assert "欢迎 {member} 加入{topic}！" in await asks(env, "宋公明", "/欢迎", qun["room"])
    assert "{member}你好" in await asks(env, "宋公明", "/欢迎 {member}你好，看{公告}", qun["room"])
    add_members(env, qun, "黑旋风")
    await env.receives("宋公明", "@黑旋风\u2005你好，看{公告}", qun["room"])
    refused = await asks(env, "宋公明", "/欢迎 {members}你好", qun["room"])
    assert refused == "欢迎语里没有 {members}，可用的是 {member}（新成员）和 {topic}（群名）。"
    assert await asks(env, "店长", "/欢迎 100001 关") == "不再发送欢迎语。"
    assert "欢迎 {member} 加入" in await asks(env, "店长", "/欢迎 100001 默认")
    assert "最多 500 个字" in await asks(env, "店长", f"/欢迎 100001 {'长' * 501}")


async def test_topic_and_announcement_are_changed(env: BotEnvironment) -> None:
    """Set in WeChat and read back; nothing is stored if WeChat rejects it."""
    qun = await group_with(env)
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


async def test_blocked_words_are_managed_by_command(make_env: MakeEnv) -> None:
    """For one group, or in private for all; words of the config stay blocked."""
    env = await make_env(groups={"blocked_words": ["配置词"]})
    qun = await group_with(env, "黑旋风")
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
    qun = await group_with(env)
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
