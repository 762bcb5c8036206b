"""Joins that begin in WeChat, and binding the first admin."""

from __future__ import annotations

import pytest

from services.groups.join_tokens import find_token
from tests.stories.conftest import MakeTown, Town, until

WRONG = "NTkxNjkwNzE4RDY2"


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (WRONG, WRONG),
        (f"我要入群 {WRONG}，谢谢", WRONG),
        (f"令牌：{WRONG}", WRONG),
        (f"{WRONG}A", None),
        ("AAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA"),
        ("2024112512345678", None),
        ("YWJjZGVmZ2hpams=", None),
        ("hello there, all of you", None),
        ("", None),
    ],
)
def test_tokens_are_found_in_any_notation(text: str, token: str | None) -> None:
    assert find_token(text) == token


async def test_token_in_friend_request(town: Town) -> None:
    """Accepted, greeted, added, welcomed."""
    qun = await town.make_group()
    town.world.people.ask(town.id("九纹龙"), town.id("bot"), f"我是九纹龙 {qun['token']}")
    await until(lambda: town.id("九纹龙") in town.room(qun["room"]).members, "九纹龙 is in the group")
    await town.hears("宋公明", "欢迎 @九纹龙", qun["room"])
    await town.hears("九纹龙", "您好，我是weimi1001")
    await town.quiet()
    assert sum("您好，我是" in m.text for m in town.seen("九纹龙")) == 1


async def test_group_member_sends_friend_request_with_the_token(make_town: MakeTown) -> None:
    """Added by someone else: accepted because of the token, and told; a blacklisted person is not."""
    town = await make_town(customer_service={"accept": {"words": ["合作"]}})
    qun = await town.make_group()
    stranger = town.newcomer("没头脑", friend=False)
    people = [town.id("九纹龙"), stranger]
    town.world.rooms.let_in(town.room(qun["room"]), people, town.id("宋公明"))
    await town.hears("宋公明", "欢迎 @没头脑", qun["room"])
    town.say("宋公明", "/拉黑 @没头脑", qun["room"])
    await town.hears("宋公明", "已拉黑", qun["room"])
    for who in people:
        town.world.people.ask(who, town.id("bot"), qun["token"])
    await town.hears("九纹龙", "您好，我是weimi1001")
    await town.hears("九纹龙", "您已经在“宋公明的群100001”里了")
    await town.quiet()
    assert not town.world.people.are_friends(stranger, town.id("bot"))


async def test_wrong_token_in_friend_request_is_reported(town: Town) -> None:
    """Accepted like others, told about it, and not added."""
    qun = await town.make_group()
    town.world.people.ask(town.id("九纹龙"), town.id("bot"), WRONG)
    await town.hears("九纹龙", "入群令牌无效")
    assert town.id("九纹龙") not in town.room(qun["room"]).members


async def test_friend_sends_the_token(town: Town) -> None:
    qun = await town.make_group()
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "正在拉您进群")
    await town.hears("宋公明", "欢迎 @黑旋风", qun["room"])
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "您已经在")
    await town.quiet()
    assert sum("欢迎" in m.text for m in town.seen("宋公明", qun["room"])) == 1


async def test_five_wrong_tokens_block_for_an_hour(town: Town) -> None:
    qun = await town.make_group()
    for _ in range(7):
        town.say("黑旋风", WRONG)
    await town.quiet()
    assert sum("入群令牌无效" in m.text for m in town.seen("黑旋风")) == 5
    town.say("黑旋风", qun["token"])
    await town.quiet()
    assert town.id("黑旋风") not in town.room(qun["room"]).members
    await town.restart_bot()
    town.ahead = 3700
    town.say("黑旋风", qun["token"])
    await until(lambda: town.id("黑旋风") in town.room(qun["room"]).members, "let in an hour later")


async def test_expired_token_is_reported(town: Town) -> None:
    qun = await town.make_group()
    await town.bot.container.groups.change(qun["number"], token_expires_at=1.0)
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "入群令牌已过期")
    assert town.id("黑旋风") not in town.room(qun["room"]).members


async def test_token_accepted_before_restart_is_kept(town: Town) -> None:
    """The request was stored, so the person is added although the bot was down meanwhile."""
    qun = await town.make_group()
    town.world.faults.call("RoomAdd", "hang", count=1)
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "正在拉您进群")
    await until(lambda: not town.world.faults.calls, "the call is on its way, and hangs")
    await town.restart_bot()
    await until(lambda: town.id("黑旋风") in town.room(qun["room"]).members, "let in after the restart")


async def test_first_admin_binds_with_the_code(make_town: MakeTown) -> None:
    town = await make_town(admins=[])
    code = town.bot.container.admins.code
    assert code
    town.say("黑旋风", "绑定 NOTTHIS1")
    await town.hears("黑旋风", "绑定码不正确或已失效")
    assert not town.bot.container.accounts.is_admin("weimi1001", town.id("黑旋风"))
    town.say("宋公明", f"绑定 {code}")
    await town.hears("宋公明", "绑定成功")
    assert town.bot.container.accounts.is_admin("weimi1001", town.id("宋公明"))
    town.say("黑旋风", f"绑定 {code}")
    await town.quiet()
    assert not town.bot.container.accounts.is_admin("weimi1001", town.id("黑旋风"))
    await town.restart_bot()
    assert town.bot.container.admins.code == ""
    assert town.bot.container.accounts.is_admin("weimi1001", town.id("宋公明"))


@pytest.mark.parametrize("sent", ["绑定{code}", "绑定：{code}", "绑定  {lower}", "绑定　{code} "])
async def test_code_is_recognised_in_any_notation(make_town: MakeTown, sent: str) -> None:
    town = await make_town(admins=[])
    code = town.bot.container.admins.code
    town.say("宋公明", sent.format(code=code, lower=code.lower()))
    await town.hears("宋公明", "绑定成功")


async def test_code_expires(make_town: MakeTown) -> None:
    town = await make_town(admins=[])
    code = town.bot.container.admins.code
    town.ahead = 31 * 60
    town.say("宋公明", f"绑定 {code}")
    await town.hears("宋公明", "绑定码不正确或已失效")
    assert not town.bot.container.accounts.is_admin("weimi1001", town.id("宋公明"))


async def test_ten_wrong_codes_invalidate_the_code(make_town: MakeTown) -> None:
    town = await make_town(admins=[])
    code = town.bot.container.admins.code
    for number in range(10):
        town.say("黑旋风", f"绑定 WRONG22{number}")
    await town.quiet()
    town.say("宋公明", f"绑定 {code}")
    await town.hears("宋公明", "绑定码不正确或已失效")
    assert not town.bot.container.accounts.is_admin("weimi1001", town.id("宋公明"))


async def test_concurrent_codes_bind_one_admin(make_town: MakeTown) -> None:
    town = await make_town(admins=[])
    both = ("宋公明", "黑旋风")
    for who in both:
        town.say(who, f"绑定 {town.bot.container.admins.code}")
    await town.quiet()
    assert [town.bot.container.accounts.is_admin("weimi1001", town.id(who)) for who in both].count(True) == 1
    assert ["绑定成功" in message.text for who in both for message in town.seen(who)].count(True) == 1
