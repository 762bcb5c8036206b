"""Helpers for stories about customer service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.world.model import ChatMessage, Kind
from tests.stories.conftest import MakeTown, Town, until
from tests.waiting import SECONDS

STAFF_ROOM = "客服值班群"
MARKER = {"equals": "好了吗", "reply": "好了。"}  # conversations are handled in order, so this reply comes last


def words(messages: list[ChatMessage]) -> list[str]:
    """Return the texts of messages; other kinds are named. System lines are left out."""
    return [m.text if m.kind is Kind.TEXT else f"<{m.kind}>" for m in messages if m.kind is not Kind.NOTE]


async def answers(town: Town, who: str, say: str | None = None, chat: str = "bot") -> list[str]:
    """Send a message and return all replies to it, up to the reply to a marker sent right after it."""
    before = len(words(town.seen(who, chat)))
    mentions = ["bot"] if chat != "bot" else []
    if say is not None:
        town.say(who, say, chat, mentions)
    town.say(who, "好了吗", chat, mentions)
    await until(lambda: any("好了。" in w for w in words(town.seen(who, chat))[before:]), f"{who} hears the marker")
    return [w for w in words(town.seen(who, chat))[before:] if "好了。" not in w]


async def until_done(do: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Repeat until the result is true; return it."""
    deadline = time.monotonic() + SECONDS
    while True:
        if value := await do():
            return value
        assert time.monotonic() < deadline, f"did not come true: {what}"
        await asyncio.sleep(0.05)


def staff_room(town: Town, topic: str = STAFF_ROOM) -> str:
    """Create a staff room of 店长 (an admin) with 宋公明 and the bot; return its id."""
    room = town.world.rooms.create(town.id("店长"), [town.id("宋公明"), town.id("bot")], topic)
    return str(room.id)


async def known(town: Town, room_id: str) -> None:
    """Wait until the bot knows a group and its topic."""
    directory = town.bot.container.accounts.get(town.accounts[0]).directory
    await until(lambda: directory.rooms.get(room_id) and directory.rooms[room_id].topic, "the bot knows the group")


def service(**more: Any) -> dict[str, Any]:
    """Return a customer_service section whose office is always open."""
    always = {"days": "mon-sun", "from": "00:00", "to": "24:00"}
    return {"keywords": [MARKER], "handoff": {"hours": always, **more.pop("handoff", {})}, **more}


async def with_staff_room(make_town: MakeTown, **more: Any) -> tuple[Town, str]:
    """Start a bot with a staff room and an office that is always open; return the room's id with it."""
    town = await make_town(customer_service=service(**more))
    room = staff_room(town)
    await known(town, room)
    return town, room


async def with_ticket(make_town: MakeTown, **more: Any) -> tuple[Town, str]:
    """Do the same, and open ticket #1 of 黑旋风."""
    town, room = await with_staff_room(make_town, **more)
    town.say("黑旋风", "人工")
    await town.hears("宋公明", "【#1 黑旋风】请求人工服务", room)
    return town, room
