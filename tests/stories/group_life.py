"""Helpers for stories about groups."""

from __future__ import annotations

from typing import Any

from sqlmodel import select

from models.durable import Action
from models.groups import MemberRecord, Membership, MemberState, Qun
from sandbox.world.model import Kind
from services.groups.membership_rows import membership_of
from tests.stories.conftest import BotEnvironment, until
from tests.waiting import SECONDS


def qun_of(env: BotEnvironment, qun: dict[str, Any]) -> Qun:
    """Return the group's row."""
    kept = env.bot.container.groups.by_number(qun["number"])
    assert kept is not None
    return kept


async def state_of(env: BotEnvironment, qun: dict[str, Any], who: str) -> str:
    """Return a person's membership state; "" if there is none."""
    row = await env.bot.container.store.read(lambda s: membership_of(s, qun["number"], env.id(who)))
    return row.state if row else ""


async def wait_for_state(env: BotEnvironment, qun: dict[str, Any], who: str, state: str) -> None:
    """Wait until a person has a membership state."""
    seen = ""

    async def look() -> bool:
        nonlocal seen
        seen = await state_of(env, qun, who)
        return seen == state

    await holds(look, lambda: f"{who} is {seen!r}, not {state!r}")


async def holds(look: Any, what: Any) -> None:
    """Wait until an async condition is true."""
    import asyncio
    import time

    deadline = time.monotonic() + SECONDS
    while not await look():
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.03)


async def members(env: BotEnvironment, qun: dict[str, Any]) -> set[str]:
    """Return the members of a group by the database."""
    wanted = select(Membership.contact_id).where(
        Membership.number == qun["number"], Membership.state == MemberState.JOINED
    )
    return {one for one in await env.bot.container.store.read(lambda s: s.exec(wanted).all()) if one}


async def record_of(env: BotEnvironment, qun: dict[str, Any], who: str) -> MemberRecord | None:
    """Return a person's record in a group."""
    return await env.bot.container.store.read(lambda s: s.get(MemberRecord, (qun["number"], env.id(who))))


async def audit(env: BotEnvironment, kind: str) -> list[Action]:
    """Return the audit entries of a kind."""
    return list(await env.bot.container.store.read(lambda s: s.exec(select(Action).where(Action.kind == kind)).all()))


def texts(env: BotEnvironment, who: str, chat: str = "bot", words: str = "") -> list[str]:
    """Return the messages with `words` that a person sees in a chat."""
    return [m.text for m in env.seen(who, chat) if words in m.text and m.kind is Kind.TEXT]


def add_members(env: BotEnvironment, qun: dict[str, Any], *people: str, by: str = "bot") -> None:
    """Add people to a group as another person, without the assistant."""
    room = env.room(qun["room"])
    env.world.rooms.let_in(room, [env.id(one) for one in people], env.id(by))


async def transfer_group(env: BotEnvironment, qun: dict[str, Any], to: str = "宋公明") -> None:
    """Transfer the group from the assistant to another owner."""
    env.world.rooms.transfer(env.id("bot"), qun["room"], env.id(to))
    directory = env.bot.assistants[0].directory
    await until(lambda: directory.rooms[qun["room"]].owner_id == env.id(to), "the new owner is known")


async def wait_for_group(env: BotEnvironment, qun: dict[str, Any]) -> None:
    """Wait until all earlier messages in the group are handled, by the answer to a command of its owner."""
    before = len(texts(env, "宋公明", qun["room"], "群编号："))
    env.say("宋公明", "/群信息", qun["room"])
    await until(lambda: len(texts(env, "宋公明", qun["room"], "群编号：")) > before, "the owner is answered")
    await env.wait_idle()
