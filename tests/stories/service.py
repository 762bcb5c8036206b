"""Helpers for stories about customer service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from sandbox.world.model import ChatMessage, Kind
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until

STAFF_ROOM = "客服值班群"
HANDOFF = "正在为您转接人工客服，请稍候。"
CLOSED = "本次人工服务已结束。请回复 1–5 为本次服务打分，5 分为非常满意。"
MEMBER_FAQ = """
- questions: [怎么开通会员, 会员怎么办理]
  answer: 绑定手机号即可。
- questions: [会员积分怎么查]
  answer: 在“我的”里查。
- questions: [会员卡丢了怎么办]
  answer: 不用实体卡。
"""
MARKER = {"equals": "好了吗", "reply": "好了。"}  # conversations are handled in order, so this reply comes last


def words(messages: list[ChatMessage]) -> list[str]:
    """Return the texts of messages; other kinds are named. System lines are left out."""
    return [m.text if m.kind is Kind.TEXT else f"<{m.kind}>" for m in messages if m.kind is not Kind.NOTE]


class Chats(Protocol):
    """People who talk to an assistant, on either channel."""

    def say(self, who: str, text: str, to: str = "bot", mentions: Iterable[str] = ()) -> object: ...
    def seen(self, who: str, chat: str = "bot") -> list[ChatMessage]: ...


async def replies_to(env: Chats, who: str, say: str | None = None, chat: str = "bot") -> list[str]:
    """Send a message and return all replies to it, up to the reply to a marker sent right after it."""
    before = len(words(env.seen(who, chat)))
    mentions = ["bot"] if chat != "bot" else []
    if say is not None:
        env.say(who, say, chat, mentions)
    env.say(who, "好了吗", chat, mentions)
    await until(lambda: any("好了。" in w for w in words(env.seen(who, chat))[before:]), f"{who} hears the marker")
    return [w for w in words(env.seen(who, chat))[before:] if "好了。" not in w]


def staff_room(env: BotEnvironment, topic: str = STAFF_ROOM) -> str:
    """Create a staff room of 店长 (an admin) with 宋公明 and the bot; return its id."""
    room = env.world.rooms.create(env.id("店长"), [env.id("宋公明"), env.id("bot")], topic)
    return str(room.id)


async def known(env: BotEnvironment, room_id: str) -> None:
    """Wait until the bot knows a group and its topic."""
    directory = env.bot.container.accounts.get(env.accounts[0]).directory
    await until(lambda: directory.rooms.get(room_id) and directory.rooms[room_id].topic, "the bot knows the group")


def service(**more: Any) -> dict[str, Any]:
    """Return a customer_service section with an office that is always open."""
    always = {"days": "mon-sun", "from": "00:00", "to": "24:00"}
    return {"keywords": [MARKER], "handoff": {"hours": always, **more.pop("handoff", {})}, **more}


async def with_staff_room(make_env: MakeEnv, **more: Any) -> tuple[BotEnvironment, str]:
    """Start a bot with a staff room and an office that is always open; return the room's id with it."""
    env = await make_env(customer_service=service(**more))
    room = staff_room(env)
    await known(env, room)
    return env, room


async def ask_person(env: BotEnvironment, room: str, who: str = "黑旋风", number: int = 1) -> None:
    """Open a ticket for a person."""
    env.say(who, "人工")
    await env.receives("宋公明", f"【#{number} {who}】请求人工服务", room)
    await env.receives(who, HANDOFF)


async def with_ticket(make_env: MakeEnv, **more: Any) -> tuple[BotEnvironment, str]:
    """Do the same, and open ticket #1 of 黑旋风."""
    env, room = await with_staff_room(make_env, **more)
    env.say("黑旋风", "人工")
    await env.receives("宋公明", "【#1 黑旋风】请求人工服务", room)
    return env, room
