"""Helpers for stories about groups."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
import segno
from PIL import Image
from sqlmodel import select

from models.durable import Action
from models.groups import MemberRecord, Membership, MemberState, Qun
from sandbox.world.model import Kind
from services.groups.membership_rows import membership_of
from tests.stories.conftest import BotEnvironment
from tests.waiting import until


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

    await until(look, lambda: f"{who} is {seen!r}, not {state!r}")


async def members(env: BotEnvironment, qun: dict[str, Any]) -> set[str]:
    """Return the members of a group by the database."""
    wanted = select(Membership.contact_id).where(
        Membership.number == qun["number"], Membership.state == MemberState.JOINED
    )
    return {peak for peak in await env.bot.container.store.read(lambda s: s.exec(wanted).all()) if peak}


async def record_of(env: BotEnvironment, qun: dict[str, Any], who: str) -> MemberRecord | None:
    """Return a person's record in a group."""
    return await env.bot.container.store.read(lambda s: s.get(MemberRecord, (qun["number"], env.id(who))))


async def audit(env: BotEnvironment, kind: str) -> list[Action]:
    """Return the audit entries of a kind."""
    return list(await env.bot.container.store.read(lambda s: s.exec(select(Action).where(Action.kind == kind)).all()))


def texts(env: BotEnvironment, who: str, chat: str = "bot", text: str = "") -> list[str]:
    """Return the messages with `text` that a person sees in a chat."""
    return [m.text for m in env.seen(who, chat) if text in m.text and m.kind is Kind.TEXT]


def add_members(env: BotEnvironment, qun: dict[str, Any], *people: str, by: str = "bot") -> None:
    """Add people to a group as another person, without the assistant."""
    room = env.room(qun["room"])
    env.world.rooms.admit_members(room, [env.id(person) for person in people], env.id(by))


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


async def group_with(env: BotEnvironment, *people: str) -> dict[str, Any]:
    """A group with some members."""
    qun: dict[str, Any] = await env.make_group()
    if people:
        add_members(env, qun, *people)
        for person in people:
            await wait_for_state(env, qun, person, "joined")
    await env.wait_idle()
    return qun


async def asks(env: BotEnvironment, who: str, text: str, where: str = "bot", mentions: tuple[str, ...] = ()) -> str:
    """Send a command; return the one message in reply."""
    before = len(texts(env, who, where))
    env.say(who, text, where, mentions)
    await until(lambda: len(texts(env, who, where)) > before, f"{text} is answered")
    await env.wait_idle()
    received = texts(env, who, where)[before:]
    assert len(received) == 1, received
    return received[0]


class HeldCall:
    """Holds the first call of a name to WeChat: `begun` is set when it is made, and it goes on once `goes_on` is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, env: BotEnvironment, name: str) -> None:
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()
        wechat = env.bot.assistants[0]
        call = getattr(wechat, name)

        async def hold(*arguments: Any) -> Any:
            monkeypatch.setattr(wechat, name, call)
            self.begun.set()
            await self.goes_on.wait()
            return await call(*arguments)

        monkeypatch.setattr(wechat, name, hold)


async def guarded(env: BotEnvironment) -> dict[str, Any]:
    """A group with 黑旋风."""
    qun: dict[str, Any] = await env.make_group()
    add_members(env, qun, "黑旋风")
    await wait_for_state(env, qun, "黑旋风", "joined")
    return qun


def picture(text: str | None) -> bytes:
    """Return a PNG with or without a QR code."""
    out = io.BytesIO()
    if text is None:
        Image.effect_mandelbrot((300, 300), (-3, -2.5, 2, 2.5), 50).save(out, "PNG")
    else:
        segno.make(text, micro=False).save(out, kind="png", scale=6)
    return out.getvalue()


async def warnings(env: BotEnvironment, qun: dict[str, Any], who: str = "黑旋风") -> int:
    """Return a person's number of warnings."""
    await wait_for_group(env, qun)
    record = await record_of(env, qun, who)
    return record.warnings if record else 0
