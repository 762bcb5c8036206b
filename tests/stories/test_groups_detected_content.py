"""What is an offence in a group: words, links, cards, QR codes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from sandbox.world.model import Kind
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import (
    add_members,
    guarded,
    picture,
    warnings,
)


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
async def test_blocked_words_are_detected(make_env: MakeEnv, said: str, stopped: bool) -> None:
    env = await make_env(groups={"blocked_words": ["加微信", "vx"]})
    qun = await guarded(env)
    env.say("黑旋风", said, qun["room"])
    if stopped:
        await env.receives("宋公明", "请勿发送违规内容", qun["room"])
    assert await warnings(env, qun) == int(stopped)


async def test_foreign_links_are_detected(make_env: MakeEnv) -> None:
    """Foreign links are offences if enabled; own links and lookalikes are not."""
    env = await make_env(groups={"block": {"links": True}, "own_hosts": ["yunmof.com"]})
    qun = await guarded(env)
    for said in ("看 https://m.yunmof.com/a", f"入群 {qun['url']}", "版本 v1.2.3 报告.pdf node.js"):
        env.say("黑旋风", said, qun["room"])
    card = {"title": "我们的", "url": "https://yunmof.com/x", "description": "", "thumbnail": ""}
    env.world.chats.send_data(env.id("黑旋风"), qun["room"], Kind.LINK, card)
    assert await warnings(env, qun) == 0
    env.say("黑旋风", "https://yunmof.com@evil.com/x", qun["room"])
    await env.receives("宋公明", "请勿发送外部链接", qun["room"])
    env.world.chats.send_data(env.id("黑旋风"), qun["room"], Kind.LINK, card | {"url": "https://evil.com/x"})
    await env.receives("宋公明", "第 2 次警告", qun["room"])


async def test_blocked_words_on_link_cards_are_detected(make_env: MakeEnv) -> None:
    """Blocked words in title or description count for any URL; an unreadable card passes."""
    env = await make_env(groups={"blocked_words": ["加微信"], "warn_limit": 9})
    qun = await guarded(env)
    card = {"title": "好文", "url": "https://evil.com/x", "description": "", "thumbnail": ""}
    for more in ({}, {"title": "好", "description": "加"}, {"description": "微信使用说明"}):
        env.world.chats.send_data(env.id("黑旋风"), qun["room"], Kind.LINK, card | more)
    assert await warnings(env, qun) == 0
    for number, more in enumerate(({"title": "加-微-信"}, {"description": "请加微信"}), 1):
        env.world.chats.send_data(env.id("黑旋风"), qun["room"], Kind.LINK, card | more)
        await env.receives("宋公明", f"请勿发送违规内容。这是第 {number} 次警告", qun["room"])
    env.world.faults.call("MessageUrl", "fail")
    env.world.chats.send_data(env.id("黑旋风"), qun["room"], Kind.LINK, card | {"title": "加微信"})
    assert await warnings(env, qun) == 2


async def test_links_are_allowed_by_default(env: BotEnvironment) -> None:
    qun = await guarded(env)
    env.say("黑旋风", "https://evil.com/x", qun["room"])
    assert await warnings(env, qun) == 0


async def test_foreign_qr_codes_are_detected(env: BotEnvironment) -> None:
    """A foreign QR code is an offence; own codes, other pictures and broken files are not."""
    qun = await guarded(env)
    me, room = env.id("黑旋风"), qun["room"]
    for data in (picture(None), picture(qun["url"]), b"\x89PNG broken", picture("x")[:90]):
        env.world.chats.send_media(me, room, Kind.IMAGE, "a.png", data)
    assert await warnings(env, qun) == 0
    env.world.chats.send_media(me, room, Kind.IMAGE, "b.png", picture("https://evil.com/qr"))
    await env.receives("宋公明", "请勿发送二维码", room)
    assert await warnings(env, qun) == 1


async def test_unreadable_picture_is_allowed(env: BotEnvironment) -> None:
    qun = await guarded(env)
    env.world.faults.call("MessageImage", "fail")
    env.world.faults.call("MessageImageStream", "fail")
    env.world.faults.call("MessageFile", "fail")
    env.world.faults.call("MessageFileStream", "fail")
    env.world.chats.send_media(env.id("黑旋风"), qun["room"], Kind.IMAGE, "b.png", picture("https://evil.com/qr"))
    assert await warnings(env, qun) == 0


async def test_cards_and_mini_programs_are_detected(make_env: MakeEnv) -> None:
    env = await make_env(groups={"warn_limit": 9})
    qun = await guarded(env)
    me, room = env.id("黑旋风"), qun["room"]
    env.world.chats.send_card(me, room, env.id("店长"))
    await env.receives("宋公明", "请勿发送名片", room)
    program = {"appid": "wx1", "title": "小游戏", "username": "", "page_path": "", "description": ""}
    env.world.chats.send_data(me, room, Kind.MINI_PROGRAM, program)
    await env.receives("宋公明", "请勿发送小程序", room)


def animation(text: str) -> bytes:
    """Return a GIF whose last frame is a QR code."""
    code = Image.open(io.BytesIO(picture(text))).convert("L")
    out = io.BytesIO()
    Image.new("L", code.size, 255).save(out, "GIF", save_all=True, append_images=[Image.new("L", code.size, 9), code])
    return out.getvalue()


async def test_qr_codes_in_stickers_and_files_are_detected(make_env: MakeEnv) -> None:
    env = await make_env(groups={"warn_limit": 9, "blocked_words": ["加微信"]})
    qun = await guarded(env)
    me, room = env.id("黑旋风"), qun["room"]
    code, own = animation("https://evil.com/qr"), animation(qun["url"])
    env.world.chats.send_media(me, room, Kind.EMOTICON, "a.gif", own)
    env.world.chats.send_media(me, room, Kind.FILE, "报告.pdf", b"%PDF-1.4")
    assert await warnings(env, qun) == 0
    files = ((Kind.EMOTICON, "a.gif"), (Kind.FILE, "B.JPG"), (Kind.FILE, "扫码"))
    for number, (kind, name) in enumerate(files, 1):
        env.world.chats.send_media(me, room, kind, name, code)
        await env.receives("宋公明", f"请勿发送二维码。这是第 {number} 次警告", room)
    env.world.chats.send_media(me, room, Kind.FILE, "加微信.pdf", b"%PDF-1.4")
    await env.receives("宋公明", "请勿发送违规内容。这是第 4 次警告", room)


async def test_blocked_words_in_locations_and_mini_programs_are_detected(make_env: MakeEnv) -> None:
    env = await make_env(groups={"blocked_words": ["加微信"], "warn_limit": 9, "block": {"mini_programs": False}})
    qun = await guarded(env)
    me, room = env.id("黑旋风"), qun["room"]
    program = {"appid": "wx1", "title": "小游戏", "username": "", "page_path": "", "description": ""}
    place = {"name": "梁山", "address": "水泊路", "latitude": 31.2, "longitude": 121.4, "accuracy": 1}
    env.world.chats.send_data(me, room, Kind.MINI_PROGRAM, program)
    env.world.chats.send_data(me, room, Kind.LOCATION, place)
    assert await warnings(env, qun) == 0
    env.world.chats.send_data(me, room, Kind.MINI_PROGRAM, program | {"title": "加微信领奖"})
    await env.receives("宋公明", "请勿发送违规内容。这是第 1 次警告", room)
    env.world.chats.send_data(me, room, Kind.LOCATION, place | {"name": "加微信"})
    await env.receives("宋公明", "请勿发送违规内容。这是第 2 次警告", room)


async def test_quoted_offence_is_attributed_correctly(make_env: MakeEnv) -> None:
    """Who quotes another's offence is not the offender; who quotes their own, or hides words as a quote, is."""
    env = await make_env(groups={"blocked_words": ["加微信"], "warn_limit": 9})
    qun = await guarded(env)
    add_members(env, qun, "九纹龙")
    line = "- " * 15
    refer = "<refermsg><type>1</type><chatusr>{}</chatusr><content>快加微信</content></refermsg>"
    xml = "<msg><appmsg><title>{}</title><type>57</type>{}</appmsg></msg>"
    env.say("黑旋风", "快加微信", qun["room"])
    await env.receives("宋公明", "这是第 1 次警告", qun["room"])
    for said in (
        f"「黑旋风：快加微信」\n{line}\n别发广告",
        f"「铁牛（群昵称）：快加微信」\n{line}\n别发广告",
        xml.format("别发广告", refer.format(env.id("黑旋风"))),
    ):
        env.say("九纹龙", said, qun["room"])
    assert await warnings(env, qun, "九纹龙") == 0
    for number, said in enumerate(
        (
            f"「黑旋风：快加微信」\n{line}\n看",
            xml.format("看", refer.format(env.id("黑旋风"))),
            f"「某人：加微信 12345」\n{line}\n看",
            f"「宋公明：好」\n{line}\n加微信",
            xml.format("加微信", refer.format(env.id("宋公明"))),
            xml.format("看", refer.format(env.id("宋公明")) + "<!-- 加微信 -->"),
        ),
        2,
    ):
        env.say("黑旋风", said, qun["room"])
        await env.receives("宋公明", f"这是第 {number} 次警告", qun["room"])
