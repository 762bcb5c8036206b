"""Joins that begin in WeChat, and binding the first admin."""

from __future__ import annotations

import pytest

from services.groups.join_tokens import find_token
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until

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


async def test_token_in_friend_request(env: BotEnvironment) -> None:
    """Accepted, greeted, added, welcomed."""
    qun = await env.make_group()
    env.world.people.ask(env.id("九纹龙"), env.id("bot"), f"我是九纹龙 {qun['token']}")
    await until(lambda: env.id("九纹龙") in env.room(qun["room"]).members, "九纹龙 is in the group")
    await env.receives("宋公明", "欢迎 @九纹龙", qun["room"])
    await env.receives("九纹龙", "您好，我是weimi1001")
    await env.wait_idle()
    assert sum("您好，我是" in m.text for m in env.seen("九纹龙")) == 1


async def test_group_member_sends_friend_request_with_the_token(make_env: MakeEnv) -> None:
    """Added by another member: accepted because of the token, and notified; a blacklisted person is not."""
    env = await make_env(customer_service={"accept": {"words": ["合作"]}})
    qun = await env.make_group()
    stranger = env.add_person("没头脑", friend=False)
    people = [env.id("九纹龙"), stranger]
    env.world.rooms.admit_members(env.room(qun["room"]), people, env.id("宋公明"))
    await env.receives("宋公明", "欢迎 @没头脑", qun["room"])
    env.say("宋公明", "/拉黑 @没头脑", qun["room"])
    await env.receives("宋公明", "已拉黑", qun["room"])
    for who in people:
        env.world.people.ask(who, env.id("bot"), qun["token"])
    await env.receives("九纹龙", "您好，我是weimi1001")
    await env.receives("九纹龙", "您已经在“宋公明的群100001”里了")
    await env.wait_idle()
    assert not env.world.people.are_friends(stranger, env.id("bot"))


async def test_wrong_token_in_friend_request_is_reported(env: BotEnvironment) -> None:
    """Accepted like others, notified of the blacklist, and not added."""
    qun = await env.make_group()
    env.world.people.ask(env.id("九纹龙"), env.id("bot"), WRONG)
    await env.receives("九纹龙", "入群令牌无效")
    assert env.id("九纹龙") not in env.room(qun["room"]).members


async def test_friend_sends_the_token(env: BotEnvironment) -> None:
    qun = await env.make_group()
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "正在拉您进群")
    await env.receives("宋公明", "欢迎 @黑旋风", qun["room"])
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "您已经在")
    await env.wait_idle()
    assert sum("欢迎" in m.text for m in env.seen("宋公明", qun["room"])) == 1


async def test_five_wrong_tokens_block_for_an_hour(env: BotEnvironment) -> None:
    qun = await env.make_group()
    for _ in range(7):
        env.say("黑旋风", WRONG)
    await env.wait_idle()
    assert sum("入群令牌无效" in m.text for m in env.seen("黑旋风")) == 5
    env.say("黑旋风", qun["token"])
    await env.wait_idle()
    assert env.id("黑旋风") not in env.room(qun["room"]).members
    await env.restart_bot()
    env.ahead = 3700
    env.say("黑旋风", qun["token"])
    await until(lambda: env.id("黑旋风") in env.room(qun["room"]).members, "let in an hour later")


async def test_expired_token_is_reported(env: BotEnvironment) -> None:
    qun = await env.make_group()
    await env.bot.container.groups.change(qun["number"], token_expires_at=1.0)
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "入群令牌已过期")
    assert env.id("黑旋风") not in env.room(qun["room"]).members


async def test_token_accepted_before_restart_is_kept(env: BotEnvironment) -> None:
    """The request was stored, so the person is added although the bot was down."""
    qun = await env.make_group()
    env.world.faults.call("RoomAdd", "hang", count=1)
    env.say("黑旋风", qun["token"])
    await env.receives("黑旋风", "正在拉您进群")
    await until(lambda: not env.world.faults.calls, "the call is on its way, and hangs")
    await env.restart_bot()
    await until(lambda: env.id("黑旋风") in env.room(qun["room"]).members, "let in after the restart")


async def test_first_admin_binds_with_the_code(make_env: MakeEnv) -> None:
    env = await make_env(admins=[])
    code = env.bot.container.admins.code
    assert code
    env.say("黑旋风", "绑定 NOTTHIS1")
    await env.receives("黑旋风", "绑定码不正确或已失效")
    assert not env.bot.container.accounts.is_admin("weimi1001", env.id("黑旋风"))
    env.say("宋公明", f"绑定 {code}")
    await env.receives("宋公明", "绑定成功")
    assert env.bot.container.accounts.is_admin("weimi1001", env.id("宋公明"))
    env.say("黑旋风", f"绑定 {code}")
    await env.wait_idle()
    assert not env.bot.container.accounts.is_admin("weimi1001", env.id("黑旋风"))
    await env.restart_bot()
    assert env.bot.container.admins.code == ""
    assert env.bot.container.accounts.is_admin("weimi1001", env.id("宋公明"))


@pytest.mark.parametrize("sent", ["绑定{code}", "绑定：{code}", "绑定  {lower}", "绑定　{code} "])
async def test_code_is_recognised_in_any_notation(make_env: MakeEnv, sent: str) -> None:
    env = await make_env(admins=[])
    code = env.bot.container.admins.code
    env.say("宋公明", sent.format(code=code, lower=code.lower()))
    await env.receives("宋公明", "绑定成功")


async def test_admin_code_expires(make_env: MakeEnv) -> None:
    env = await make_env(admins=[])
    code = env.bot.container.admins.code
    env.ahead = 31 * 60
    env.say("宋公明", f"绑定 {code}")
    await env.receives("宋公明", "绑定码不正确或已失效")
    assert not env.bot.container.accounts.is_admin("weimi1001", env.id("宋公明"))


async def test_ten_wrong_codes_invalidate_the_code(make_env: MakeEnv) -> None:
    env = await make_env(admins=[])
    code = env.bot.container.admins.code
    for number in range(10):
        env.say("黑旋风", f"绑定 WRONG22{number}")
    await env.wait_idle()
    env.say("宋公明", f"绑定 {code}")
    await env.receives("宋公明", "绑定码不正确或已失效")
    assert not env.bot.container.accounts.is_admin("weimi1001", env.id("宋公明"))


async def test_concurrent_codes_bind_one_admin(make_env: MakeEnv) -> None:
    env = await make_env(admins=[])
    both = ("宋公明", "黑旋风")
    for who in both:
        env.say(who, f"绑定 {env.bot.container.admins.code}")
    await env.wait_idle()
    assert [env.bot.container.accounts.is_admin("weimi1001", env.id(who)) for who in both].count(True) == 1
    assert ["绑定成功" in message.text for who in both for message in env.seen(who)].count(True) == 1
