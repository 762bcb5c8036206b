"""The staff room is identified by its id; another group with its topic is not one."""

from __future__ import annotations

from tests.stories.conftest import MakeTown, Town
from tests.stories.service import STAFF_ROOM, answers, known, service, staff_room, words


async def test_customers_group_with_that_topic_is_no_staff_room(make_town: MakeTown) -> None:
    town = await make_town(customer_service=service())
    room = town.world.rooms.create(town.id("黑旋风"), [town.id("bot"), town.id("宋公明")], STAFF_ROOM).id
    await known(town, room)
    town.say("智多星", "人工")
    await town.hears("智多星", "暂时联系不上人工客服")
    town.say("黑旋风", "#1 我是客服", room)
    town.say("黑旋风", "#", room)
    await answers(town, "智多星")
    assert not [said for said in words(town.seen("黑旋风", room)) if "#1" in said or "人工" in said]
    assert "我是客服" not in "".join(words(town.seen("智多星")))
    assert town.bot.container.staff_rooms.of(town.accounts[0]) is None


async def test_second_group_with_that_topic_changes_nothing(make_town: MakeTown) -> None:
    town = await make_town(customer_service=service())
    room = staff_room(town)
    await known(town, room)
    assert town.bot.container.staff_rooms.of(town.accounts[0]) is not None
    other = town.world.rooms.create(town.id("黑旋风"), [town.id("bot"), town.id("宋公明")], STAFF_ROOM).id
    await known(town, other)
    await town.restart_bot()
    town.say("智多星", "人工")
    await town.hears("店长", "【#1 智多星】请求人工服务", room)
    assert not [said for said in words(town.seen("黑旋风", other)) if "#1" in said]


async def test_admin_binds_the_staff_room(make_town: MakeTown) -> None:
    town = await make_town(customer_service=service())
    room = town.world.rooms.create(town.id("宋公明"), [town.id("bot"), town.id("店长")], "值班").id
    await known(town, room)
    town.say("店长", "/客服群")
    await town.hears("店长", "还没有客服群。")
    town.say("店长", "/绑定客服群")
    await town.hears("店长", "请在要设为客服群的群里发送")
    town.say("宋公明", "/绑定客服群", room)  # its owner in WeChat, but not an admin
    await town.hears("宋公明", "您没有权限执行此命令。", room)
    town.say("店长", "/绑定客服群", room)
    await town.hears("店长", "已把本群设为客服群", room)
    town.say("店长", "/绑定客服群", room)  # repeating has no effect
    await _twice(town, "已把本群设为客服群", room)
    town.say("店长", "/客服群")
    await town.hears("店长", "客服群：值班（3 人）")
    await town.restart_bot()
    town.say("黑旋风", "人工")
    await town.hears("宋公明", "【#1 黑旋风】请求人工服务", room)
    town.say("宋公明", "#1 您好", room)
    await town.hears("黑旋风", "您好")


async def test_binding_another_room_replaces_the_first(make_town: MakeTown) -> None:
    town = await make_town(customer_service=service())
    old = staff_room(town)
    await known(town, old)
    town.say("黑旋风", "人工")
    await town.hears("店长", "【#1 黑旋风】请求人工服务", old)
    new = town.world.rooms.create(town.id("宋公明"), [town.id("bot"), town.id("店长")], "新客服群").id
    await known(town, new)
    town.say("店长", "/绑定客服群", new)
    await town.hears("店长", "已把本群设为客服群", new)
    town.say("黑旋风", "还在吗还在吗")
    await town.hears("店长", "【#1 黑旋风】还在吗还在吗", new)
    town.say("宋公明", "#1 从旧群里说", old)
    town.say("宋公明", "#1 从新群里说", new)
    await town.hears("黑旋风", "从新群里说")
    assert "从旧群里说" not in "".join(words(town.seen("黑旋风")))


async def test_group_cannot_be_renamed_to_the_staff_topic(make_town: MakeTown) -> None:
    town = await make_town(customer_service=service())
    qun = await town.make_group()
    town.say("宋公明", f"/群名 {STAFF_ROOM}", qun["room"])
    await town.hears("宋公明", f"“{STAFF_ROOM}”是客服群的名字，不能用作其他群的群名。", qun["room"])
    assert town.world.rooms.get(qun["room"]).topic != STAFF_ROOM
    town.say("宋公明", "/群名 客服值班群的朋友", qun["room"])
    await town.hears("宋公明", "群名已改为“客服值班群的朋友”。", qun["room"])


async def _twice(town: Town, text: str, room: str) -> None:
    await town.quiet()
    assert sum(text in said for said in words(town.seen("店长", room))) == 2
