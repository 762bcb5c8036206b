"""Tickets while something is interrupted: the bot is down, or loses its staff room; and customers who change names."""

from __future__ import annotations

from models.support import TicketState
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.service import HANDOFF, ask_person, with_staff_room, words
from tests.waiting import until

HOUR = 3600.0
WAITING = "暂时联系不上人工客服"


def ticket_state(env: BotEnvironment, number: int = 1) -> str:
    found = [ticket.state for ticket in env.bot.container.tickets if ticket.id == number]
    return found[0] if found else TicketState.CLOSED


async def test_idle_time_pauses_during_downtime(make_env: MakeEnv) -> None:
    """While the bot is down, and while the account is not online."""
    env, room = await with_staff_room(make_env, handoff={"idle_minutes": 10})
    await ask_person(env, room)
    env.say("宋公明", "#1 您好", room)
    await env.receives("黑旋风", "您好")
    await env.wait_idle()
    close = env.bot.container.idle_tickets.close
    assert await close() == 0
    gate = env.sandbox.servers[env.accounts[0]]
    await gate.stop()
    await until(lambda: not env.bot.container.accounts.is_online(env.accounts[0]), "offline")
    for _ in range(3):
        env.ahead += 300
        assert await close() == 0
    await gate.start()
    await env.ready()
    await env.stop_bot()
    env.ahead += HOUR
    await env.start_bot()
    close = env.bot.container.idle_tickets.close
    assert [await close() for _ in range(2)] == [0, 0]
    assert ticket_state(env) == TicketState.OPEN
    for state in (TicketState.OPEN, TicketState.OPEN, TicketState.CLOSED):  # both sides can speak: this time counts
        env.ahead += 240
        await close()
        assert ticket_state(env) == state


async def test_assistant_removed_from_the_staff_room(make_env: MakeEnv) -> None:
    """The customer and the admins are notified; the ticket waits for the next room; none is promised."""
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    env.world.rooms.remove(env.id("店长"), room, env.id("bot"))
    await until(lambda: room not in env.bot.assistants[0].directory.rooms, "gone")
    env.say("黑旋风", "还在吗")
    await env.receives("黑旋风", WAITING)
    await env.receives("店长", "#1 黑旋风 在等待人工服务")
    env.world.people.befriend(env.id("九纹龙"), env.id("bot"))
    env.say("九纹龙", "人工")
    await env.receives("九纹龙", WAITING)
    assert HANDOFF not in words(env.seen("九纹龙"))
    env.world.rooms.admit_members(env.room(room), [env.id("bot")], env.id("店长"))
    await until(lambda: room in env.bot.assistants[0].directory.rooms, "back")
    await env.bot.container.waiting_tickets.announce()
    shown = await env.receives("宋公明", "黑旋风：还在吗", room)
    assert "【#1 黑旋风】" in shown.text


async def test_renamed_customer_keeps_the_ticket(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    env.world.people.rename(env.id("黑旋风"), "李逵")
    await until(lambda: env.bot.assistants[0].directory.contacts[env.id("黑旋风")].name == "李逵", "known")
    env.say("黑旋风", "是我")
    await env.receives("宋公明", "【#1 李逵】是我", room)
    env.say("宋公明", "#1 结束", room)
    await env.receives("宋公明", "#1 李逵 已结束", room)
