"""Tickets while something is interrupted: the bot is down, or loses its staff room; and customers who change names."""

from __future__ import annotations

from models.support import TicketState
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.service import with_staff_room, words
from tests.stories.test_support_handover import HANDOFF, ask_person

HOUR = 3600.0
WAITING = "暂时联系不上人工客服"


def ticket_state(town: Town, number: int = 1) -> str:
    found = [one.state for one in town.bot.container.tickets if one.id == number]
    return found[0] if found else TicketState.CLOSED


async def test_idle_time_pauses_during_downtime(make_town: MakeTown) -> None:
    """While the bot is down, and while the account is not online."""
    town, room = await with_staff_room(make_town, handoff={"idle_minutes": 10})
    await ask_person(town, room)
    town.say("宋公明", "#1 您好", room)
    await town.hears("黑旋风", "您好")
    await town.quiet()
    close = town.bot.container.idle_tickets.close
    assert await close() == 0
    gate = town.sandbox.servers[town.accounts[0]]
    await gate.stop()
    await until(lambda: not town.bot.container.accounts.is_online(town.accounts[0]), "offline")
    for _ in range(3):
        town.ahead += 300
        assert await close() == 0
    await gate.start()
    await town.ready()
    await town.stop_bot()
    town.ahead += HOUR
    await town.start_bot()
    close = town.bot.container.idle_tickets.close
    assert [await close() for _ in range(2)] == [0, 0]
    assert ticket_state(town) == TicketState.OPEN
    for state in (TicketState.OPEN, TicketState.OPEN, TicketState.CLOSED):  # both sides can speak: this time counts
        town.ahead += 240
        await close()  # the scheduler may have been first
        assert ticket_state(town) == state


async def test_assistant_removed_from_the_staff_room(make_town: MakeTown) -> None:
    """The customer and the admins are told, the ticket waits, and goes on in the next room; no new one is promised."""
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    town.world.rooms.remove(town.id("店长"), room, town.id("bot"))
    await until(lambda: room not in town.bot.assistants[0].directory.rooms, "gone")
    town.say("黑旋风", "还在吗")
    await town.hears("黑旋风", WAITING)
    await town.hears("店长", "#1 黑旋风 在等待人工服务")
    town.world.people.befriend(town.id("九纹龙"), town.id("bot"))
    town.say("九纹龙", "人工")
    await town.hears("九纹龙", WAITING)
    assert HANDOFF not in words(town.seen("九纹龙"))
    town.world.rooms.let_in(town.room(room), [town.id("bot")], town.id("店长"))
    await until(lambda: room in town.bot.assistants[0].directory.rooms, "back")
    await town.bot.container.waiting_tickets.announce()
    shown = await town.hears("宋公明", "黑旋风：还在吗", room)
    assert "【#1 黑旋风】" in shown.text


async def test_renamed_customer_keeps_the_ticket(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    town.world.people.rename(town.id("黑旋风"), "李逵")
    await until(lambda: town.bot.assistants[0].directory.contacts[town.id("黑旋风")].name == "李逵", "known")
    town.say("黑旋风", "是我")
    await town.hears("宋公明", "【#1 李逵】是我", room)
    town.say("宋公明", "#1 结束", room)
    await town.hears("宋公明", "#1 李逵 已结束", room)
