"""Checks of content that has to be fetched: queued, run by the outbox, and warned for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from sqlmodel import select

from models.durable import OutboxItem, Priority
from models.groups import Qun
from services.moderation.moderator import Offence
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts
from tests.services.room_wechat import actions
from tests.waiting import until
from wechat.events import GroupMessage, MessageKind
from wechat.interface import State

QUEUE = f"look:{ACCOUNT}"


class Checks:
    """Stands for the fetching and judging of content: `offence` of every message, `hold` delays the answers."""

    def __init__(self, parts: Parts) -> None:
        self.asked: list[tuple[str, str, str, int]] = []
        self.offence: Offence | None = None
        self.hold: asyncio.Event | None = None
        parts.container.moderator.check_content = self.check  # type: ignore[method-assign]

    async def check(self, account: str, message_id: str, kind: str, qun: Qun) -> Offence | None:
        self.asked.append((account, message_id, kind, qun.number))
        if self.hold is not None:
            await self.hold.wait()
        return self.offence

    def messages(self) -> list[str]:
        return [message_id for _, message_id, _, _ in self.asked]


def message(room_id: str, number: int = 7) -> GroupMessage:
    return GroupMessage(
        account=ACCOUNT, id=f"m{number}", at=datetime(2027, 1, 1, tzinfo=UTC), contact_id=XUAN, name="黑旋风",
        text="", kind=MessageKind.IMAGE, room_id=room_id,
    )  # fmt: skip


async def queue(parts: Parts, *events: GroupMessage) -> None:
    for event in events:
        await parts.write(partial(parts.container.deferred_checks.queue, event=event))


@asynccontextmanager
async def running_outbox(parts: Parts) -> AsyncIterator[None]:
    await parts.container.outbox.load()
    await parts.container.outbox.start()
    try:
        yield
    finally:
        await parts.container.outbox.stop(0)


async def all_checked(parts: Parts) -> None:
    await until(lambda: not parts.container.outbox.waiting().get(QUEUE), "all checks have ended")


async def test_queued_check_is_run_and_its_offence_warned(parts: Parts) -> None:
    checks, qun = Checks(parts), await parts.group()
    checks.offence = Offence.QR_CODE
    room_id, texts = parts.room_id(qun), parts.container.config.texts
    await queue(parts, message(room_id))
    (row,) = await parts.read(lambda s: s.exec(select(OutboxItem).where(OutboxItem.queue == QUEUE)).all())
    assert (row.key, row.priority) == ("m7", Priority.NOTICE)
    assert json.loads(row.body) == {
        "message": "m7", "kind": "image", "room": room_id, "from": XUAN, "name": "黑旋风",
    }  # fmt: skip
    async with running_outbox(parts):
        await all_checked(parts)
        await until(lambda: parts.wechat.sent, "warned")
    assert checks.asked == [(ACCOUNT, "m7", "image", qun.number)]
    (entry,) = await actions(parts, "warn")
    assert (entry.who, entry.target) == ("guard", XUAN)
    assert entry.detail == {
        "number": str(qun.number), "reason": texts.offence_qr_code, "count": "1", "rule": "qr_code",
    }  # fmt: skip
    (to, text, mentions) = parts.wechat.sent[0]
    assert (to, mentions) == (room_id, (XUAN,))
    assert texts.offence_qr_code in text


async def test_content_without_offence_is_not_warned(parts: Parts) -> None:
    checks, qun = Checks(parts), await parts.group()
    await queue(parts, message(parts.room_id(qun)))
    async with running_outbox(parts):
        await all_checked(parts)
    assert checks.messages() == ["m7"]
    assert await actions(parts, "warn") == []


async def test_message_of_no_group_is_not_fetched(parts: Parts) -> None:
    """The group may have been closed meanwhile."""
    checks = Checks(parts)
    checks.offence = Offence.QR_CODE
    await queue(parts, message("gone@chatroom"))
    async with running_outbox(parts):
        await all_checked(parts)
    assert checks.asked == []


async def test_check_waits_for_the_account(parts: Parts) -> None:
    checks, qun = Checks(parts), await parts.group()
    parts.wechat.state = State.CONNECTING
    await queue(parts, message(parts.room_id(qun)))
    async with running_outbox(parts):
        for _ in range(3):
            await parts.write(lambda _s: None)  # time in which it would be run
        assert checks.asked == []
        parts.wechat.state = State.ONLINE
        parts.container.outbox.wake_account(ACCOUNT)
        await all_checked(parts)
    assert checks.messages() == ["m7"]


async def test_two_messages_are_checked_at_a_time(parts: Parts) -> None:
    checks, qun = Checks(parts), await parts.group()
    hold = checks.hold = asyncio.Event()
    await queue(parts, *(message(parts.room_id(qun), number) for number in (1, 2, 3)))
    async with running_outbox(parts):
        await until(lambda: len(checks.asked) >= 2, "two have begun")
        for _ in range(3):
            await parts.write(lambda _s: None)
        assert checks.messages() == ["m1", "m2"], "more would take too much memory"
        hold.set()
        await all_checked(parts)
    assert checks.messages() == ["m1", "m2", "m3"]


async def test_check_survives_a_restart(open_parts: OpenParts) -> None:
    parts = await open_parts()
    qun = await parts.group()
    await queue(parts, message(parts.room_id(qun)))
    restarted = await open_parts(parts.wechat)
    checks = Checks(restarted)
    async with running_outbox(restarted):
        await all_checked(restarted)
    assert checks.messages() == ["m7"]
