"""Mistakes in commands: one reply that explains, and no guesses."""

from __future__ import annotations

import time

import pytest

from handlers.commands import parse
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import add_members, asks, group_with, qun_of, record_of, texts, transfer_group
from tests.waiting import until
from wechat.mentions import mentioned_ids


@pytest.mark.parametrize("said", ["@" + " " * 20_000 + "x", "@a " * 20_000, "@" + "a " * 20_000, "@a@b" * 20_000])
def test_parsing_any_text_is_fast(said: str) -> None:
    """Commands are parsed for every message, so slow parsing would be a denial of service."""
    began = time.process_time()
    assert parse(said) is None
    assert mentioned_ids(said, lambda _name: []) == ()
    assert time.process_time() - began < 2
    assert parse("@微秘 @a b\u2005 /踢 @张三") is not None


async def test_unknown_name_among_several_affects_nobody(env: BotEnvironment) -> None:
    """Without reported mentions, if one name is unknown or ambiguous, no one is affected."""
    qun = await group_with(env, "黑旋风")
    duplicates = [env.add_person("张三"), env.add_person("张三")]
    add_members(env, qun, *duplicates)
    await until(lambda: len(env.bot.assistants[0].directory.find("张三")) == 2, "both are known")
    await env.wait_idle()
    room = qun["room"]
    assert await asks(env, "宋公明", "/踢 @黑旋风 @没有这人", room) == "群里没有找到“没有这人”。"
    assert await asks(env, "宋公明", "/踢 @没有这人\u2005@黑旋风\u2005", room) == "群里没有找到“没有这人”。"
    assert "“张三”不止一位" in await asks(env, "宋公明", "/踢 @黑旋风 @张三", room)
    assert {env.id("黑旋风"), *duplicates} <= set(env.room(room).members)
    assert await asks(env, "宋公明", "/踢 @黑旋风 @张三", room, ("黑旋风", duplicates[0])) == "已移出：黑旋风、张三。"
    assert duplicates[1] in env.room(room).members


async def test_nickname_equal_to_another_alias_is_ambiguous(env: BotEnvironment) -> None:
    """A mention inserts the group alias, typed text may use the nickname; if it is ambiguous, no one is affected."""
    qun = await group_with(env, "黑旋风", "九纹龙")
    env.world.rooms.set_alias(env.id("黑旋风"), qun["room"], "大黑")
    env.world.rooms.set_alias(env.id("九纹龙"), qun["room"], "黑旋风")
    assert "“黑旋风”不止一位" in await asks(env, "宋公明", "/踢 @黑旋风\u2005", qun["room"])
    env.world.rooms.set_alias(env.id("九纹龙"), qun["room"], "黑旋风 二")
    assert await asks(env, "宋公明", "/踢 @黑旋风 二", qun["room"]) == "已移出：九纹龙。"
    assert await asks(env, "宋公明", "/踢 @黑旋风", qun["room"], ("黑旋风",)) == "已移出：黑旋风。"


async def test_id_suffix_distinguishes_equal_names(env: BotEnvironment) -> None:
    """Also in private, and for people who have left and are blacklisted."""
    qun = await group_with(env)
    duplicates = [env.add_person("张 三"), env.add_person("张 三")]
    add_members(env, qun, *duplicates)
    await until(lambda: len(env.bot.assistants[0].directory.find("张 三")) == 2, "both are known")
    await env.wait_idle()
    first, second = (who[-4:] for who in duplicates)
    assert first != second
    assert "加尾号" in await asks(env, "店长", "/拉黑 100001 张 三")
    assert await asks(env, "店长", f"/警告 100001 张 三 {first} 吵 闹") == "已警告 张 三，共 1 次（上限 3 次）。"
    assert (await record_of(env, qun, duplicates[0])) is not None
    for tail in (first, second):
        assert await asks(env, "店长", f"/拉黑 100001 张 三 {tail}") == "已拉黑：张 三。"
    assert "“张 三”不止一位" in await asks(env, "宋公明", "/解除拉黑 张 三", qun["room"])
    assert await asks(env, "宋公明", f"/解除拉黑 张 三 {second}", qun["room"]) == "已解除拉黑：张 三。"
    kept = [await record_of(env, qun, who) for who in duplicates]
    assert [row.blacklisted for row in kept if row] == [True, False]
    assert "黑名单里没有“张 三 0000”" in await asks(env, "宋公明", "/解除拉黑 张 三 0000", qun["room"])


async def test_unreadable_aliases_fall_back_to_nicknames(env: BotEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the group aliases cannot be read, nicknames and aliases decide."""
    monkeypatch.setattr("handlers.chat_commands.targets.NAMES_TIMEOUT", 0.2)
    qun = await group_with(env, "黑旋风")
    env.world.faults.call("RoomMemberPayload", "hang")
    assert "黑旋风\u2005请注意：吵" in await asks(env, "宋公明", "/警告 @黑旋风 吵", qun["room"])
    assert await asks(env, "宋公明", "/踢 @没有这人", qun["room"]) == "群里没有找到“没有这人”。"


async def test_names_starting_with_an_at(env: BotEnvironment) -> None:
    qun = await group_with(env)
    add_members(env, qun, env.add_person("@好汉"))
    await env.receives("宋公明", "欢迎 @@好汉", qun["room"])
    await env.wait_idle()
    assert "请注意：吵。" in await asks(env, "宋公明", "/警告 @@好汉 吵", qun["room"])
    assert await asks(env, "店长", "/踢 100001 @ @好汉") == "已移出：@好汉。"


async def test_mention_of_the_assistant_among_others(env: BotEnvironment) -> None:
    qun = await group_with(env, "黑旋风")
    assert "黑旋风\u2005请注意：吵" in await asks(env, "宋公明", "/警告 @weimi1001 @黑旋风 吵", qun["room"])
    answer = await asks(env, "宋公明", "/踢 @weimi1001\u2005@黑旋风\u2005", qun["room"], ("bot", "黑旋风"))
    assert answer == "已移出：黑旋风。"
    assert "写法：" in await asks(env, "宋公明", "/踢 @weimi1001", qun["room"])


async def test_reason_containing_an_at(env: BotEnvironment) -> None:
    qun = await group_with(env, "九纹龙")
    warned = await asks(env, "宋公明", "/警告 @九纹龙 不要 @所有人 了", qun["room"])
    assert "九纹龙\u2005请注意：不要 @所有人 了。" in warned


async def test_person_who_just_left_is_not_reported_as_removed(env: BotEnvironment) -> None:
    qun = await group_with(env, "黑旋风")
    before = len(texts(env, "宋公明", qun["room"]))
    env.say("宋公明", "/踢 @黑旋风\u2005", qun["room"], ("黑旋风",))
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    await until(lambda: len(texts(env, "宋公明", qun["room"])) > before, "answered")
    assert texts(env, "宋公明", qun["room"])[before:] == ["群里没有找到“黑旋风”。"]


async def test_member_without_join_event_can_be_removed(env: BotEnvironment) -> None:
    """Without a join event, WeChat's mention identifies the member."""
    qun = await group_with(env)
    env.world.faults.event("*", lost=1.0)
    add_members(env, qun, "黑旋风")
    env.world.faults.clear()
    env.say("宋公明", "/踢 @黑旋风\u2005", qun["room"], ("黑旋风",))
    await env.receives("宋公明", "已移出：黑旋风。", qun["room"])
    assert env.id("黑旋风") not in env.room(qun["room"]).members


async def test_warning_in_another_room_is_confirmed(make_env: MakeEnv) -> None:
    """A warning sent to another room is also confirmed where the command was given."""
    env = await make_env(groups={"capacity": 4, "overflow": True})
    qun = await group_with(env, "黑旋风")
    await env.join(qun["token"], "店长")
    late = env.add_person("来晚了")
    await until(lambda: env.bot.assistants[0].directory.find("来晚了"), "known")
    await env.join(qun["token"], "来晚了")
    await env.wait_idle()
    assert late not in env.room(qun["room"]).members
    assert await asks(env, "宋公明", "/警告 @来晚了 吵", qun["room"]) == "已警告 来晚了，共 1 次（上限 3 次）。"
    kept = await record_of(env, qun, late)
    assert kept is not None
    assert kept.warnings == 1


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ("/踢黑旋风", "写法：/踢 @人"),
        ("/群名梁山", "写法：/群名 文本"),
        ("/换令牌吧", "写法：/换令牌"),
        ("/定时加 0 9 * * * 早", "写法：/定时 [加 分 时 日 月 周 文本 | 删 编号]"),
    ],
)
async def test_missing_blank_gets_usage_reply(env: BotEnvironment, said: str, usage: str) -> None:
    """A missing blank after the command gets a reply."""
    qun = await group_with(env, "黑旋风")
    assert await asks(env, "宋公明", said, qun["room"]) == usage
    name, *rest = usage.removeprefix("写法：").split(" ", 1)
    assert await asks(env, "店长", said) == " ".join([f"写法：{name} 群编号", *rest])
    assert qun_of(env, qun).topic == qun["topic"]
    before = len(texts(env, "黑旋风", qun["room"]))
    env.say("黑旋风", said, qun["room"])
    env.say("宋公明", "/开心", qun["room"])
    await asks(env, "宋公明", "/群信息", qun["room"])
    assert len(texts(env, "黑旋风", qun["room"])) == before + 3, "the owner's two and the last answer"


@pytest.mark.parametrize("digits", ["9" * 25, "9" * 5000])
async def test_invalid_numbers_are_rejected(env: BotEnvironment, digits: str) -> None:
    await group_with(env)
    assert "没有编号为" in await asks(env, "店长", "/定时 100001 删 999999")
    assert "写法：/定时" in await asks(env, "店长", f"/定时 100001 删 {digits}")
    assert await asks(env, "店长", f"/群信息 {digits}") == "写法：/群信息 群编号"


async def test_full_width_time_is_parsed(env: BotEnvironment) -> None:
    """As typed with a Chinese keyboard."""
    qun = await group_with(env)
    assert "已添加定时消息 #1" in await asks(env, "宋公明", "/定时 加 ０ ９ ＊ ＊ １，３－５ 早安，各位", qun["room"])
    assert "#1 0 9 * * 1,3-5 下次" in await asks(env, "宋公明", "/定时", qun["room"])
    [row] = await env.bot.container.timed_messages.of(qun_of(env, qun))
    assert row.text == "早安，各位"


async def test_word_blocked_elsewhere_is_reported(make_env: MakeEnv) -> None:
    """A word blocked by the config or in all groups is neither added again nor reported as unknown."""
    env = await make_env(groups={"blocked_words": ["配置词"]})
    room = (await group_with(env))["room"]
    assert "已添加所有群的" in await asks(env, "店长", "/屏蔽词 加 兼职")
    assert await asks(env, "宋公明", "/屏蔽词 加 兼 职", room) == "“兼 职”已经是所有群的屏蔽词。"
    assert await asks(env, "宋公明", "/屏蔽词 加 配置-词", room) == "“配置-词”已经是所有群的屏蔽词。"
    assert await asks(env, "店长", "/屏蔽词 加 配置词") == "“配置词”已经是所有群的屏蔽词。"
    assert await asks(env, "宋公明", "/屏蔽词 删 兼职", room) == "“兼职”是所有群的屏蔽词，请管理员私聊我删除。"
    assert "配置文件" in await asks(env, "宋公明", "/屏蔽词 删 配置 词", room)
    assert "没有屏蔽词" in await asks(env, "宋公明", "/屏蔽词 删 别的词", room)
    assert "已删除所有群的" in await asks(env, "店长", "/屏蔽词 删 兼职")


@pytest.mark.parametrize(
    ("method", "said"), [("RoomDel", "/踢 @黑旋风"), ("RoomTopic", "/群名 梁山"), ("RoomAnnounce", "/公告 聚义")]
)
async def test_wechat_rate_limit_is_reported(env: BotEnvironment, method: str, said: str) -> None:
    """Reported to the user, and the account's rate is halved."""
    qun = await group_with(env, "黑旋风")
    rate_limiter = env.bot.container.accounts.rate_limiter(env.accounts[0])
    assert rate_limiter.slow_down_factor == 1
    env.world.faults.call(method, "fail", text="操作过于频繁，请稍后再试", count=1)
    assert "操作过于频繁，请稍后再试。" in await asks(env, "宋公明", said, qun["room"])
    assert rate_limiter.slow_down_factor == 2


async def test_members_of_a_lost_group_are_not_reported_unknown(env: BotEnvironment) -> None:
    """While the assistant cannot see the members, no one is reported as unknown."""
    qun = await group_with(env, "黑旋风")
    await transfer_group(env, qun)
    env.world.rooms.remove(env.id("宋公明"), qun["room"], env.id("bot"))
    await env.receives("宋公明", "助手已不在")
    for command in ("/踢", "/警告", "/拉黑"):
        assert await asks(env, "店长", f"{command} 100001 黑旋风") == "微信没有执行：助手不在群里。"


async def test_natural_times_are_parsed(env: BotEnvironment) -> None:
    """Added at once, and answered with when they are next due; a crontab line is taken as before."""
    await group_with(env)
    assert "09:00" in await asks(env, "店长", "/定时 100001 加 每天9点 早上好")
    assert "08:30" in await asks(env, "店长", "/定时 100001 每周一 8:30 开会")
    listed = await asks(env, "店长", "/定时 100001")
    assert "#1 0 9 * * * 下次" in listed
    assert "#2 30 8 * * 1 下次" in listed


async def test_unknown_group_and_unfillable_text_are_rejected(env: BotEnvironment) -> None:
    await group_with(env)
    for command in ("/群信息 999", "/日报 999 开", "/踢 999 黑旋风"):
        assert await asks(env, "店长", command) == "没有编号为 999 的群。"
    assert "{membr}" in await asks(env, "店长", "/欢迎 100001 你好{membr}")
    assert "欢迎 {member}" in await asks(env, "店长", "/欢迎 100001")


async def test_advice_in_replies_is_valid(env: BotEnvironment) -> None:
    """Where it was given."""
    qun = await group_with(env)
    for who, where, command in (("店长", "bot", "/日报 100001 开"), ("宋公明", qun["room"], "/日报 开")):
        answer = await asks(env, who, command, where)
        advised = answer.partition("发送“")[2].partition("”")[0]
        assert await asks(env, who, advised, where) == "已停止“宋公明的群100001”的日报。"


async def test_announcement_is_posted_once(env: BotEnvironment) -> None:
    qun = await group_with(env)
    env.say("宋公明", "/公告 今晚聚义", qun["room"])
    await env.receives("宋公明", "群公告已发布。", qun["room"])
    assert len(texts(env, "宋公明", qun["room"], "今晚聚义")) == 1


async def test_keywords_are_listed_with_their_source(make_env: MakeEnv) -> None:
    """With where they answer and where they are from; those of the file cannot be deleted by a command."""
    rules = [
        {"equals": "营业时间", "reply": "九点"},
        {"contains": "发票", "reply": ["请发抬头", {"link": {"title": "t", "url": "http://a"}}], "where": "private"},
        {"regex": "订单\\d+", "reply": "好", "where": "group"},
    ]
    env = await make_env(customer_service={"keywords": rules})
    room = (await group_with(env))["room"]
    file = [
        "只说“营业时间” = 九点（配置文件）",
        "发票 = 请发抬头 http://a（只在私聊，配置文件）",
        "符合 订单\\d+ = 好（只在群里，配置文件）",
    ]
    assert await asks(env, "店长", "/关键词") == "\n".join(["所有群和私聊的关键词：", *file])
    assert await asks(env, "店长", "/关键词 加 地址=梁山") == "已添加所有群和私聊的关键词“地址”。"
    assert "已添加“宋公明的群100001”的" in await asks(env, "宋公明", "/关键词 加 价格=免费", room)
    shown = await asks(env, "宋公明", "/关键词", room)
    own = ["“宋公明的群100001”的关键词：", "价格 = 免费", "地址 = 梁山（所有群和私聊）"]
    assert shown == "\n".join([*own, *file])
    assert "请管理员私聊我删除" in await asks(env, "宋公明", "/关键词 删 地址", room)
    for word in ("发票", "订单\\d+"):
        assert await asks(env, "店长", f"/关键词 删 {word}") == f"“{word}”是配置文件里的关键词，不能在这里删除。"
    assert await asks(env, "店长", "/关键词 删 别的") == "所有群和私聊没有关键词“别的”。"
    assert await asks(env, "店长", "/关键词 删 地址") == "已删除所有群和私聊的关键词“地址”。"
