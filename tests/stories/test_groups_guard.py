"""Moderation of groups: offences, exemptions, and sanctions."""

from __future__ import annotations

import io
from typing import Any

import pytest
import segno
from PIL import Image

from sandbox.world.model import Kind
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.group_life import audit, becomes, bring, hand_over, settled, standing, texts


async def guarded(town: Town) -> dict[str, Any]:
    """A group with 黑旋风."""
    qun: dict[str, Any] = await town.make_group()
    bring(town, qun, "黑旋风")
    await becomes(town, qun, "黑旋风", "joined")
    return qun


def picture(words: str | None) -> bytes:
    """Return a PNG with or without a QR code."""
    out = io.BytesIO()
    if words is None:
        Image.effect_mandelbrot((300, 300), (-3, -2.5, 2, 2.5), 50).save(out, "PNG")
    else:
        segno.make(words, micro=False).save(out, kind="png", scale=6)
    return out.getvalue()


async def warnings(town: Town, qun: dict[str, Any], who: str = "黑旋风") -> int:
    """Return a person's number of warnings."""
    await settled(town, qun)
    kept = await standing(town, qun, who)
    return kept.warnings if kept else 0


async def test_warnings_then_removal_and_blacklisting(make_town: MakeTown) -> None:
    """Two warnings, then removal and blacklisting; later joins are rejected or removed."""
    town = await make_town(groups={"blocked_words": ["加微信"], "warn_limit": 3})
    qun = await guarded(town)
    town.say("黑旋风", "大家加微信吧", qun["room"])
    first = await town.hears("宋公明", "第 1 次警告，满 3 次将被移出", qun["room"])
    assert first.mentions == [town.id("黑旋风")]
    assert "@黑旋风" in first.text
    await town.restart_bot()
    town.say("黑旋风", "加 微 信", qun["room"])
    await town.hears("宋公明", "第 2 次警告", qun["room"])
    town.say("黑旋风", "加。微。信", qun["room"])
    await town.hears("宋公明", "黑旋风 已被移出群聊：请勿发送违规内容", qun["room"])
    assert town.id("黑旋风") not in town.room(qun["room"]).members
    await becomes(town, qun, "黑旋风", "removed")
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (403, 3005)
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "您暂时不能加入")
    bring(town, qun, "黑旋风", by="宋公明")
    await until(lambda: town.id("黑旋风") not in town.room(qun["room"]).members, "taken out again")
    await town.hears("宋公明", "在本群黑名单中", qun["room"])
    assert not texts(town, "宋公明", qun["room"], "欢迎 @黑旋风")[1:], "not welcomed again"
    assert [line.target for line in await audit(town, "warn")] == [town.id("黑旋风")] * 3
    assert [line.who for line in await audit(town, "blacklist")] == ["guard"]
    assert [line.outcome for line in await audit(town, "remove")] == ["done", "done"]


@pytest.mark.parametrize(
    ("said", "stopped"),
    [
        ("快来ＶＸ联系", True),
        ("v-x", True),
        ("加\u200b微\u200d信", True),
        ("加微 信", True),
        ("我们加油", False),
        ("微信加不了", False),
    ],
)
async def test_blocked_words_are_detected(make_town: MakeTown, said: str, stopped: bool) -> None:
    town = await make_town(groups={"blocked_words": ["加微信", "vx"]})
    qun = await guarded(town)
    town.say("黑旋风", said, qun["room"])
    if stopped:
        await town.hears("宋公明", "请勿发送违规内容", qun["room"])
    assert await warnings(town, qun) == int(stopped)


async def test_foreign_links_are_detected(make_town: MakeTown) -> None:
    """Foreign links are offences if enabled; own links and lookalikes are not."""
    town = await make_town(groups={"block": {"links": True}, "own_hosts": ["yunmof.com"]})
    qun = await guarded(town)
    for said in ("看 https://m.yunmof.com/a", f"入群 {qun['url']}", "版本 v1.2.3 报告.pdf node.js"):
        town.say("黑旋风", said, qun["room"])
    card = {"title": "我们的", "url": "https://yunmof.com/x", "description": "", "thumbnail": ""}
    town.world.chats.send_data(town.id("黑旋风"), qun["room"], Kind.LINK, card)
    assert await warnings(town, qun) == 0
    town.say("黑旋风", "https://yunmof.com@evil.com/x", qun["room"])
    await town.hears("宋公明", "请勿发送外部链接", qun["room"])
    town.world.chats.send_data(town.id("黑旋风"), qun["room"], Kind.LINK, card | {"url": "https://evil.com/x"})
    await town.hears("宋公明", "第 2 次警告", qun["room"])


async def test_blocked_words_on_link_cards_are_detected(make_town: MakeTown) -> None:
    """Blocked words in title or description count for any URL; an unreadable card passes."""
    town = await make_town(groups={"blocked_words": ["加微信"], "warn_limit": 9})
    qun = await guarded(town)
    card = {"title": "好文", "url": "https://evil.com/x", "description": "", "thumbnail": ""}
    for more in ({}, {"title": "好", "description": "加"}, {"description": "微信使用说明"}):
        town.world.chats.send_data(town.id("黑旋风"), qun["room"], Kind.LINK, card | more)
    assert await warnings(town, qun) == 0
    for number, more in enumerate(({"title": "加-微-信"}, {"description": "请加微信"}), 1):
        town.world.chats.send_data(town.id("黑旋风"), qun["room"], Kind.LINK, card | more)
        await town.hears("宋公明", f"请勿发送违规内容。这是第 {number} 次警告", qun["room"])
    town.world.faults.call("MessageUrl", "fail")
    town.world.chats.send_data(town.id("黑旋风"), qun["room"], Kind.LINK, card | {"title": "加微信"})
    assert await warnings(town, qun) == 2


async def test_links_are_allowed_by_default(town: Town) -> None:
    qun = await guarded(town)
    town.say("黑旋风", "https://evil.com/x", qun["room"])
    assert await warnings(town, qun) == 0


async def test_foreign_qr_codes_are_detected(town: Town) -> None:
    """A foreign QR code is an offence; own codes, other pictures and broken files are not."""
    qun = await guarded(town)
    me, room = town.id("黑旋风"), qun["room"]
    for data in (picture(None), picture(qun["url"]), b"\x89PNG broken", picture("x")[:90]):
        town.world.chats.send_media(me, room, Kind.IMAGE, "a.png", data)
    assert await warnings(town, qun) == 0
    town.world.chats.send_media(me, room, Kind.IMAGE, "b.png", picture("https://evil.com/qr"))
    await town.hears("宋公明", "请勿发送二维码", room)
    assert await warnings(town, qun) == 1


async def test_unreadable_picture_is_allowed(town: Town) -> None:
    qun = await guarded(town)
    town.world.faults.call("MessageImage", "fail")
    town.world.faults.call("MessageImageStream", "fail")
    town.world.faults.call("MessageFile", "fail")
    town.world.faults.call("MessageFileStream", "fail")
    town.world.chats.send_media(town.id("黑旋风"), qun["room"], Kind.IMAGE, "b.png", picture("https://evil.com/qr"))
    assert await warnings(town, qun) == 0


async def test_cards_and_mini_programs_are_detected(make_town: MakeTown) -> None:
    town = await make_town(groups={"warn_limit": 9})
    qun = await guarded(town)
    me, room = town.id("黑旋风"), qun["room"]
    town.world.chats.send_card(me, room, town.id("店长"))
    await town.hears("宋公明", "请勿发送名片", room)
    program = {"appid": "wx1", "title": "小游戏", "username": "", "page_path": "", "description": ""}
    town.world.chats.send_data(me, room, Kind.MINI_PROGRAM, program)
    await town.hears("宋公明", "请勿发送小程序", room)


def animation(words: str) -> bytes:
    """Return a GIF whose last frame is a QR code."""
    code = Image.open(io.BytesIO(picture(words))).convert("L")
    out = io.BytesIO()
    Image.new("L", code.size, 255).save(out, "GIF", save_all=True, append_images=[Image.new("L", code.size, 9), code])
    return out.getvalue()


async def test_qr_codes_in_stickers_and_files_are_detected(make_town: MakeTown) -> None:
    town = await make_town(groups={"warn_limit": 9, "blocked_words": ["加微信"]})
    qun = await guarded(town)
    me, room = town.id("黑旋风"), qun["room"]
    code, own = animation("https://evil.com/qr"), animation(qun["url"])
    town.world.chats.send_media(me, room, Kind.EMOTICON, "a.gif", own)
    town.world.chats.send_media(me, room, Kind.FILE, "报告.pdf", b"%PDF-1.4")
    assert await warnings(town, qun) == 0
    files = ((Kind.EMOTICON, "a.gif"), (Kind.FILE, "B.JPG"), (Kind.FILE, "扫码"))
    for number, (kind, name) in enumerate(files, 1):
        town.world.chats.send_media(me, room, kind, name, code)
        await town.hears("宋公明", f"请勿发送二维码。这是第 {number} 次警告", room)
    town.world.chats.send_media(me, room, Kind.FILE, "加微信.pdf", b"%PDF-1.4")
    await town.hears("宋公明", "请勿发送违规内容。这是第 4 次警告", room)


async def test_blocked_words_in_locations_and_mini_programs_are_detected(make_town: MakeTown) -> None:
    town = await make_town(groups={"blocked_words": ["加微信"], "warn_limit": 9, "block": {"mini_programs": False}})
    qun = await guarded(town)
    me, room = town.id("黑旋风"), qun["room"]
    program = {"appid": "wx1", "title": "小游戏", "username": "", "page_path": "", "description": ""}
    place = {"name": "梁山", "address": "水泊路", "latitude": 31.2, "longitude": 121.4, "accuracy": 1}
    town.world.chats.send_data(me, room, Kind.MINI_PROGRAM, program)
    town.world.chats.send_data(me, room, Kind.LOCATION, place)
    assert await warnings(town, qun) == 0
    town.world.chats.send_data(me, room, Kind.MINI_PROGRAM, program | {"title": "加微信领奖"})
    await town.hears("宋公明", "请勿发送违规内容。这是第 1 次警告", room)
    town.world.chats.send_data(me, room, Kind.LOCATION, place | {"name": "加微信"})
    await town.hears("宋公明", "请勿发送违规内容。这是第 2 次警告", room)


async def test_quoted_offence_is_attributed_correctly(make_town: MakeTown) -> None:
    """Who quotes another's offence is not the offender; who quotes their own, or hides words as a quote, is."""
    town = await make_town(groups={"blocked_words": ["加微信"], "warn_limit": 9})
    qun = await guarded(town)
    bring(town, qun, "九纹龙")
    line = "- " * 15
    refer = "<refermsg><type>1</type><chatusr>{}</chatusr><content>快加微信</content></refermsg>"
    xml = "<msg><appmsg><title>{}</title><type>57</type>{}</appmsg></msg>"
    town.say("黑旋风", "快加微信", qun["room"])
    await town.hears("宋公明", "这是第 1 次警告", qun["room"])
    for said in (
        f"「黑旋风：快加微信」\n{line}\n别发广告",
        f"「铁牛（群昵称）：快加微信」\n{line}\n别发广告",
        xml.format("别发广告", refer.format(town.id("黑旋风"))),
    ):
        town.say("九纹龙", said, qun["room"])
    assert await warnings(town, qun, "九纹龙") == 0
    for number, said in enumerate(
        (
            f"「黑旋风：快加微信」\n{line}\n看",
            xml.format("看", refer.format(town.id("黑旋风"))),
            f"「某人：加微信 12345」\n{line}\n看",
            f"「宋公明：好」\n{line}\n加微信",
            xml.format("加微信", refer.format(town.id("宋公明"))),
            xml.format("看", refer.format(town.id("宋公明")) + "<!-- 加微信 -->"),
        ),
        2,
    ):
        town.say("黑旋风", said, qun["room"])
        await town.hears("宋公明", f"这是第 {number} 次警告", qun["room"])


async def test_disabled_rules_are_not_applied(make_town: MakeTown) -> None:
    off = {"links": False, "qr_codes": False, "cards": False, "mini_programs": False}
    town = await make_town(groups={"block": off})
    qun = await guarded(town)
    me, room = town.id("黑旋风"), qun["room"]
    town.world.chats.send_card(me, room, town.id("店长"))
    town.world.chats.send_media(me, room, Kind.IMAGE, "b.png", picture("https://evil.com/qr"))
    assert await warnings(town, qun) == 0


async def test_flooding_is_counted_per_person_and_group(make_town: MakeTown) -> None:
    """Messages are counted per person and group."""
    town = await make_town(groups={"flood": {"messages": 5, "seconds": 30}})
    qun = await guarded(town)
    bring(town, qun, "店长", "九纹龙")
    other = await town.make_group("code-2")
    bring(town, other, "黑旋风")
    for n in range(5):
        town.say("黑旋风", f"消息{n}", qun["room"])
        town.say("九纹龙", f"消息{n}", qun["room"])
        town.say("黑旋风", f"消息{n}", other["room"])
    await town.quiet()
    assert await warnings(town, qun) == await warnings(town, qun, "九纹龙") == await warnings(town, other) == 0
    town.say("黑旋风", "又一条", qun["room"])
    await town.hears("宋公明", "请勿刷屏", qun["room"])
    assert await warnings(town, qun) == 1
    assert await warnings(town, other) == 0


async def test_owner_companion_and_admin_are_exempt(make_town: MakeTown) -> None:
    """Owner, companion and admin are exempt; a stranger with the owner's nickname is not."""
    town = await make_town(groups={"blocked_words": ["坏话"]})
    qun = await guarded(town)
    impostor = town.newcomer("宋公明")
    bring(town, qun, "店长", impostor)
    for who in ("宋公明", "智多星", "店长"):
        town.say(who, "坏话", qun["room"])
    town.say(impostor, "坏话", qun["room"])
    warned = await town.hears("宋公明", "第 1 次警告", qun["room"])
    assert warned.mentions == [impostor]
    await settled(town, qun)
    assert [line.target for line in await audit(town, "warn")] == [impostor]


async def test_current_owner_is_exempt_and_former_one_is_not(make_town: MakeTown) -> None:
    town = await make_town(groups={"blocked_words": ["坏话"]})
    qun = await guarded(town)
    await hand_over(town, qun, "黑旋风")
    for who in ("黑旋风", "宋公明"):
        town.say(who, "坏话", qun["room"])
    warned = await town.hears("黑旋风", "第 1 次警告", qun["room"])
    assert warned.mentions == [town.id("宋公明")]
    assert [line.target for line in await audit(town, "warn")] == [town.id("宋公明")]


async def test_rejected_removal_is_reported_to_the_owner_once(make_town: MakeTown) -> None:
    """The assistant is no longer the owner: the owner is told once per person; nobody is reported as removed."""
    town = await make_town(groups={"blocked_words": ["坏话"], "warn_limit": 1})
    qun = await guarded(town)
    await hand_over(town, qun)
    town.say("黑旋风", "坏话", qun["room"])
    await town.hears("宋公明", "没能把 黑旋风 移出“宋公明的群100001”")
    town.say("黑旋风", "还是坏话", qun["room"])
    await settled(town, qun)
    await town.restart_bot()
    assert len(texts(town, "宋公明", words="没能把 黑旋风")) == 1
    assert not texts(town, "宋公明", qun["room"], "已被移出")
    assert {line.outcome for line in await audit(town, "remove")} == {"failed"}
    town.world.rooms.transfer(town.id("宋公明"), qun["room"], town.id("bot"))
    town.say("黑旋风", "坏话", qun["room"])
    await until(lambda: town.id("黑旋风") not in town.room(qun["room"]).members, "out at last")


async def test_removal_is_retried_on_failing_gateway(make_town: MakeTown) -> None:
    town = await make_town(groups={"blocked_words": ["坏话"], "warn_limit": 1})
    qun = await guarded(town)
    town.world.faults.call("RoomDel", "lose", count=1)
    town.say("黑旋风", "坏话", qun["room"])
    await becomes(town, qun, "黑旋风", "removed")
    await town.hears("宋公明", "黑旋风 已被移出群聊", qun["room"])


async def test_removal_is_recorded_once(make_town: MakeTown) -> None:
    """The member list is read before WeChat's response arrives."""
    town = await make_town(groups={"blocked_words": ["坏话"], "warn_limit": 1})
    qun = await guarded(town)
    town.world.faults.event("room-leave", lost=1.0)
    town.world.faults.call("RoomDel", "lose_silently", count=1)
    town.say("黑旋风", "坏话", qun["room"])
    await until(lambda: town.id("黑旋风") not in town.room(qun["room"]).members, "out")
    await town.bot.container.reconcile.room(town.accounts[0], qun["room"])
    await becomes(town, qun, "黑旋风", "removed")


async def test_messages_are_counted(town: Town) -> None:
    qun = await guarded(town)
    for n in range(8):
        town.say("黑旋风", f"第{n}句", qun["room"])
    await settled(town, qun)
    await town.bot.container.daily_stats.drain()
    today = (await town.bot.container.daily_stats.days(qun["number"], 14))[-1]
    assert (today.joins, today.leaves, today.messages) == (1, 0, 9), "the owner's command is a message too"
