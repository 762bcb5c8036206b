"""Reminders of customers who wait for a first answer."""

from __future__ import annotations

import pytest

from models.support import TicketState
from tests.services.parts import ACCOUNT, STAFF, ZHI, OpenParts, Parts
from tests.services.staffed import (
    ADMIN,
    CLOSED_AT_NIGHT,
    HOOK,
    ROOM,
    appoint_admin,
    close,
    in_memory,
    open_staff_room,
    open_ticket,
)
from wechat.interface import State

MINUTE = 60.0


@pytest.fixture
async def busy(open_parts: OpenParts) -> Parts:
    """With a staff room and an admin; reminders after the usual five minutes."""
    parts = await open_parts(webhooks=[HOOK])
    await open_staff_room(parts, ZHI)
    appoint_admin(parts)
    return parts


async def remind(parts: Parts, minutes: float) -> int:
    parts.clock.now += minutes * MINUTE
    return await parts.container.reminders.run()


async def test_staff_then_admins_then_staff_are_reminded(busy: Parts) -> None:
    ticket = await open_ticket(busy)
    texts = busy.container.config.texts
    assert await remind(busy, 4.9) == 0
    assert await remind(busy, 0.1) == 1
    staff = texts.ticket_remind.format(number=1, name="黑旋风", minutes=5)
    assert await busy.queued_texts(ROOM) == [staff]
    job = next(job for job in await busy.queued() if job.key == ROOM)
    assert (sorted(job.body["mentions"]), job.body["relays"]) == ([STAFF, ZHI], 1), "nobody is on duty"
    assert (in_memory(busy, ticket).reminders, in_memory(busy, ticket).reminded_at) == (1, busy.clock.now)
    assert await remind(busy, 4.9) == 0
    assert await remind(busy, 0.1) == 1
    assert await busy.queued_texts(ADMIN) == [texts.ticket_remind_admin.format(number=1, name="黑旋风", minutes=10)]
    assert await remind(busy, 59.9) == 0
    assert await remind(busy, 0.1) == 1
    assert len(await busy.queued_texts(ROOM)) == 2
    events = [job.body for job in await busy.queued("hook")]
    assert [(event["type"], event["data"]["minutes"]) for event in events] == [
        ("ticket.waiting", 5), ("ticket.waiting", 10), ("ticket.waiting", 70),
    ]  # fmt: skip


async def test_people_on_duty_are_reminded(open_parts: OpenParts) -> None:
    parts = await open_parts(customer_service={"faq": "", "handoff": {"on_duty": ["智多星"], "remind_minutes": 1}})
    await open_staff_room(parts, ZHI)
    await open_ticket(parts, name="")
    assert await remind(parts, 1) == 1
    (job,) = await parts.queued()
    assert job.body["mentions"] == [ZHI]
    assert job.body["text"] == parts.container.config.texts.ticket_remind.format(number=1, name="客户", minutes=1)


async def test_staff_are_reminded_again_without_admins(open_parts: OpenParts) -> None:
    parts = await open_parts()
    await open_staff_room(parts)
    await open_ticket(parts)
    assert [await remind(parts, 5), await remind(parts, 5)] == [1, 1]
    assert len(await parts.queued_texts(ROOM)) == 2


async def test_admins_are_reminded_of_a_ticket_without_a_room(parts: Parts) -> None:
    appoint_admin(parts)
    await open_ticket(parts, state=TicketState.WAITING, room_id="")
    assert await remind(parts, 5) == 1
    assert len(await parts.queued_texts(ADMIN)) == 1
    (job,) = await parts.queued()
    assert job.key == ADMIN


async def test_waiting_ticket_about_to_be_announced_is_not_reminded_of(busy: Parts) -> None:
    ticket = await open_ticket(busy, state=TicketState.WAITING, room_id="")
    assert await remind(busy, 5) == 0
    await busy.write(lambda s: busy.container.tickets.change(s, 1, refusals=1))
    assert await remind(busy, 0) == 1, "the room rejected it"
    assert len(await busy.queued_texts(ADMIN)) == 1
    assert await busy.queued_texts(ROOM) == []
    assert in_memory(busy, ticket).reminders == 1


async def test_time_counts_from_the_announcement(busy: Parts) -> None:
    await open_ticket(busy, announced_at=busy.clock.now + 2 * MINUTE)
    assert await remind(busy, 5) == 0
    assert await remind(busy, 2) == 1


@pytest.mark.parametrize("why", ["answered", "night", "offline", "removed"])
async def test_no_reminder(busy: Parts, why: str) -> None:
    await open_ticket(busy, answered_at=busy.clock.now if why == "answered" else None)
    if why == "offline":
        busy.wechat.state = State.CONNECTING
    elif why == "removed":
        busy.container.accounts.remove(ACCOUNT)
    assert await remind(busy, CLOSED_AT_NIGHT / MINUTE if why == "night" else 5) == 0
    assert await busy.queued() == []


async def test_ticket_answered_meanwhile_is_not_reminded_of(busy: Parts) -> None:
    ticket = await open_ticket(busy)
    busy.clock.now += 5 * MINUTE
    assert busy.container.reminders._is_due(ticket)
    await busy.write(lambda s: busy.container.tickets.change(s, 1, answered_at=busy.clock.now))
    assert not await busy.write(lambda s: busy.container.reminders._remind(s, 1))
    assert not await busy.write(lambda s: busy.container.reminders._remind(s, 99))
    await close(busy, ticket)
    assert not await busy.write(lambda s: busy.container.reminders._remind(s, 1))
    assert await busy.queued() == []
