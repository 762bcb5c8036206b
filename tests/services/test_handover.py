"""Opening tickets for customers who ask for a person, and recording what staff do in their own client."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlmodel import select

from models.conversations import StoredMessage
from models.support import TicketState
from services.messaging.body_type import BodyType
from services.support.staff_client import SESSION, StaffClient
from tests.services.parts import ACCOUNT, STAFF, XUAN, OpenParts, Parts
from tests.services.staffed import (
    ADMIN,
    CLOSED_AT_NIGHT,
    HOOK,
    ROOM,
    appoint_admin,
    in_memory,
    open_staff_room,
    open_ticket,
    receive,
    stored,
)
from wechat.events import MessageKind, SessionChanged, SessionStep, StaffMessage
from wechat.interface import PUPPET, Capability, State


async def ask(parts: Parts, name: str = "黑旋风") -> None:
    await parts.write(partial(parts.container.handover.open, account=ACCOUNT, contact_id=XUAN, name=name))


async def test_ticket_shows_six_earlier_messages(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    await open_staff_room(parts)
    await receive(parts, *[f"第{number}句" for number in range(8)])
    await ask(parts)
    (shown,) = await parts.queued_texts(ROOM)
    assert "第2句" in shown and "第1句" not in shown
    ticket = parts.container.tickets.of(ACCOUNT, XUAN)
    assert ticket is not None and (ticket.name, ticket.state) == ("黑旋风", TicketState.OPEN)
    (event,) = await parts.queued("hook")
    assert (event.body["type"], event.key, event.body["data"]["contact_id"]) == ("ticket.opened", "ticket 1", XUAN)


async def test_ticket_of_a_person_without_messages(parts: Parts) -> None:
    ticket = await parts.write(lambda s: parts.container.handover.add(s, ACCOUNT, XUAN, "黑旋风"))
    assert (ticket.told, ticket.state) == (0, TicketState.WAITING)
    assert await parts.queued() == []


async def test_ticket_starts_before_the_earliest_shown_message(parts: Parts) -> None:
    await receive(parts, "一", "二")
    ticket = await parts.write(lambda s: parts.container.handover.add(s, ACCOUNT, XUAN, "黑旋风"))
    assert ticket.told == 0


async def test_customer_without_a_staff_room_waits(parts: Parts) -> None:
    appoint_admin(parts)
    await ask(parts)
    texts = parts.container.config.texts
    assert await parts.queued_texts(XUAN) == [texts.handoff_waiting]
    assert await parts.queued_texts(ADMIN) == [texts.no_staff_room.format(number=1, name="黑旋风")]
    await ask(parts)
    assert await parts.queued_texts(XUAN) == [texts.handoff_waiting] * 2
    assert len(await parts.queued_texts(ADMIN)) == 1, "admins are notified once"


async def test_admins_are_not_notified_while_the_groups_are_unknown(parts: Parts) -> None:
    appoint_admin(parts)
    parts.wechat.state = State.SYNCING
    await ask(parts)
    assert await parts.queued_texts(ADMIN) == []
    assert len(await parts.queued_texts(XUAN)) == 1


async def test_customer_outside_office_hours_is_notified_of_the_next_opening(parts: Parts) -> None:
    await open_staff_room(parts)
    parts.clock.now += CLOSED_AT_NIGHT
    await ask(parts)
    texts = parts.container.config.texts
    assert await parts.queued_texts(XUAN) == [texts.handoff_away.format(time="今天 09:00")]
    assert await parts.queued_texts(ROOM) == []
    parts.clock.now -= CLOSED_AT_NIGHT
    await ask(parts)
    assert len(await parts.queued_texts(ROOM)) == 1, "the waiting ticket is announced"
    assert len(list(parts.container.tickets)) == 1


async def test_channel_without_groups_needs_no_staff_room(parts: Parts) -> None:
    appoint_admin(parts)
    parts.wechat.capabilities = PUPPET - {Capability.ROOM_MESSAGES}
    await ask(parts)
    texts = parts.container.config.texts
    assert await parts.queued_texts(XUAN) == [texts.handoff]
    assert await parts.queued_texts(ADMIN) == [texts.ticket_in_console.format(number=1, name="黑旋风")]
    parts.clock.now += CLOSED_AT_NIGHT
    await ask(parts)
    assert (await parts.queued_texts(XUAN))[1:] == [texts.handoff_away.format(time="今天 09:00")]


# ---- the staff's own client ----


def client(parts: Parts) -> StaffClient:
    return parts.container.staff_client


def changed(parts: Parts, step: SessionStep, staff: str = STAFF) -> SessionChanged:
    return SessionChanged(ACCOUNT, "e1", datetime.fromtimestamp(parts.clock.now, UTC), XUAN, step, staff)


def said(parts: Parts, text: str, **values: Any) -> StaffMessage:
    at = datetime.fromtimestamp(parts.clock.now, UTC)
    return StaffMessage(ACCOUNT, f"m-{text}", at, XUAN, STAFF, text, **values)


async def test_session_taken_by_staff_is_a_ticket(parts: Parts) -> None:
    await parts.write(lambda s: client(parts).session_taken_over(s, changed(parts, SessionStep.TAKEN)))
    ticket = parts.container.tickets.of(ACCOUNT, XUAN)
    assert ticket is not None
    assert (ticket.name, ticket.state, ticket.staff_id, ticket.staff_name) == (
        "黑旋风",
        TicketState.OPEN,
        STAFF,
        "店长",
    )
    assert ticket.answered_at is None
    await parts.write(lambda s: client(parts).session_taken_over(s, changed(parts, SessionStep.TAKEN, "wxid_other")))
    assert (in_memory(parts, ticket).staff_id, in_memory(parts, ticket).staff_name) == ("wxid_other", "wxid_other")
    await parts.write(lambda s: client(parts).session_taken_over(s, changed(parts, SessionStep.TAKEN, "")))
    assert in_memory(parts, ticket).staff_id == "wxid_other", "it is not known who took it"


async def test_session_of_an_unknown_contact(parts: Parts) -> None:
    del parts.wechat.directory.contacts[XUAN]
    parts.wechat.knows("wxid_nameless", "")
    await parts.write(lambda s: client(parts).session_taken_over(s, changed(parts, SessionStep.TAKEN, "wxid_nameless")))
    ticket = parts.container.tickets.of(ACCOUNT, XUAN)
    assert ticket is not None and (ticket.name, ticket.staff_name) == ("", "wxid_nameless")


async def test_staff_message_is_stored_with_the_ticket(parts: Parts) -> None:
    ticket = await open_ticket(parts, state=TicketState.WAITING, quiet_seconds=60.0)
    parts.clock.now += 5
    first = parts.clock.now
    await parts.write(lambda s: client(parts).record(s, said(parts, "您好")))
    parts.clock.now += 5
    await parts.write(lambda s: client(parts).record(s, said(parts, "图.jpg", kind=MessageKind.IMAGE)))
    now = in_memory(parts, ticket)
    assert (now.state, now.answered_at, now.last_at, now.quiet_seconds) == (TicketState.OPEN, first, first + 5, 0)
    rows = await parts.read(lambda s: s.exec(select(StoredMessage)).all())
    assert [(row.conversation, row.by, row.staff, row.kind, row.text, row.ticket) for row in rows] == [
        (XUAN, "", STAFF, "text", "您好", 1),
        (XUAN, "", STAFF, "image", "图.jpg", 1),
    ]
    assert rows[1].message_id == "m-图.jpg"
    assert await parts.queued() == [], "WeChat has delivered them"


async def test_ended_session_closes_the_ticket(parts: Parts) -> None:
    parts.wechat.capabilities = PUPPET | {Capability.SESSIONS}
    ticket = await open_ticket(parts, room_id="")
    await parts.write(lambda s: client(parts).ended(s, changed(parts, SessionStep.ENDED)))
    row = await stored(parts, ticket)
    assert (row.state, row.closed_by) == (TicketState.CLOSED, STAFF)
    assert [job.body["type"] for job in await parts.queued()] == [BodyType.TEXT], "the session is not ended again"
    await parts.write(lambda s: client(parts).ended(s, changed(parts, SessionStep.ENDED)))
    assert len(await parts.queued()) == 1
    other = await open_ticket(parts, room_id="")
    await parts.write(lambda s: client(parts).ended(s, changed(parts, SessionStep.ENDED, "")))
    assert (await stored(parts, other)).closed_by == SESSION
