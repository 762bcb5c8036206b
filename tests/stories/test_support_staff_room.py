"""The staff room is identified by its id; another group with its topic is not one."""

from __future__ import annotations

from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.service import STAFF_ROOM, known, replies_to, service, staff_room, words


async def test_customers_group_with_that_topic_is_no_staff_room(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service())
    room = env.world.rooms.create(env.id("黑旋风"), [env.id("bot"), env.id("宋公明")], STAFF_ROOM).id
    await known(env, room)
    env.say("智多星", "人工")
    await env.receives("智多星", "暂时联系不上人工客服")
    env.say("黑旋风", "#1 我是客服", room)
    env.say("黑旋风", "#", room)
    await replies_to(env, "智多星")
    assert not [said for said in words(env.seen("黑旋风", room)) if "#1" in said or "人工" in said]
    assert "我是客服" not in "".join(words(env.seen("智多星")))
    assert env.bot.container.staff_rooms.of(env.accounts[0]) is None


async def test_second_group_with_that_topic_changes_nothing(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service())
    room = staff_room(env)
    await known(env, room)
    assert env.bot.container.staff_rooms.of(env.accounts[0]) is not None
    other = env.world.rooms.create(env.id("黑旋风"), [env.id("bot"), env.id("宋公明")], STAFF_ROOM).id
    await known(env, other)
    await env.restart_bot()
    env.say("智多星", "人工")
    await env.receives("店长", "【#1 智多星】请求人工服务", room)
    assert not [said for said in words(env.seen("黑旋风", other)) if "#1" in said]


async def test_admin_binds_the_staff_room(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service())
    room = env.world.rooms.create(env.id("宋公明"), [env.id("bot"), env.id("店长")], "值班").id
    await known(env, room)
    env.say("店长", "/客服群")
    await env.receives("店长", "还没有客服群。")
    env.say("店长", "/绑定客服群")
    await env.receives("店长", "请在要设为客服群的群里发送")
    env.say("宋公明", "/绑定客服群", room)  # its owner in WeChat, but not an admin
    await env.receives("宋公明", "您没有权限执行此命令。", room)
    env.say("店长", "/绑定客服群", room)
    await env.receives("店长", "已把本群设为客服群", room)
    env.say("店长", "/绑定客服群", room)  # repeating has no effect
    await say_twice(env, "已把本群设为客服群", room)
    env.say("店长", "/客服群")
    await env.receives("店长", "客服群：值班（3 人）")
    await env.restart_bot()
    env.say("黑旋风", "人工")
    await env.receives("宋公明", "【#1 黑旋风】请求人工服务", room)
    env.say("宋公明", "#1 您好", room)
    await env.receives("黑旋风", "您好")


async def test_binding_another_room_replaces_the_first(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service())
    old = staff_room(env)
    await known(env, old)
    env.say("黑旋风", "人工")
    await env.receives("店长", "【#1 黑旋风】请求人工服务", old)
    new = env.world.rooms.create(env.id("宋公明"), [env.id("bot"), env.id("店长")], "新客服群").id
    await known(env, new)
    env.say("店长", "/绑定客服群", new)
    await env.receives("店长", "已把本群设为客服群", new)
    env.say("黑旋风", "还在吗还在吗")
    await env.receives("店长", "【#1 黑旋风】还在吗还在吗", new)
    env.say("宋公明", "#1 从旧群里说", old)
    env.say("宋公明", "#1 从新群里说", new)
    await env.receives("黑旋风", "从新群里说")
    assert "从旧群里说" not in "".join(words(env.seen("黑旋风")))


async def test_group_cannot_be_renamed_to_the_staff_topic(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service())
    qun = await env.make_group()
    env.say("宋公明", f"/群名 {STAFF_ROOM}", qun["room"])
    await env.receives("宋公明", f"“{STAFF_ROOM}”是客服群的名字，不能用作其他群的群名。", qun["room"])
    assert env.world.rooms.get(qun["room"]).topic != STAFF_ROOM
    env.say("宋公明", "/群名 客服值班群的朋友", qun["room"])
    await env.receives("宋公明", "群名已改为“客服值班群的朋友”。", qun["room"])


async def say_twice(env: BotEnvironment, text: str, room: str) -> None:
    await env.wait_idle()
    assert sum(text in said for said in words(env.seen("店长", room))) == 2
