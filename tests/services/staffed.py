"""A staff room, an admin, and messages of customers, for tests of tickets."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlmodel import col, select

from models.durable import Action
from models.support import Ticket, TicketState
from services.messaging.media import StoredFile
from tests.services.parts import ACCOUNT, SONG, STAFF, XUAN, Parts
from wechat.entities import Room
from wechat.events import MessageKind, PrivateMessage

ROOM = "staff@chatroom"
ADMIN = SONG
HOOK = {"name": "erp", "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}
CLOSED_AT_NIGHT = 12 * 3600.0  # from the test clock's time, 16:00 in Shanghai, to a time outside the office hours


async def open_staff_room(parts: Parts, *members: str) -> Room:
    """Put the account into a staff room with the manager and `members`."""
    room = Room(ROOM, "客服", "wxid_boss", (), {parts.wechat.self_id, STAFF, *members})
    parts.wechat.directory.put_room(room)
    await parts.write(lambda s: parts.container.staff_rooms.bind(s, ACCOUNT, ROOM, "test"))
    return room


def appoint_admin(parts: Parts) -> None:
    """Make ADMIN an admin."""
    parts.container.accounts.bind_admin(ADMIN)


def message(parts: Parts, text: str, *, id: str = "", who: str = XUAN, **values: Any) -> PrivateMessage:
    """A message of a customer, sent now."""
    at = datetime.fromtimestamp(parts.clock.now, UTC)
    fields = {"name": "黑旋风", "text": text, "kind": MessageKind.TEXT, **values}
    return PrivateMessage(account=ACCOUNT, id=id or f"m-{text}", at=at, contact_id=who, **fields)


async def receive(parts: Parts, *texts: str, ticket: int | None = None, **values: Any) -> None:
    """Store messages of a customer."""
    for text in texts:
        record = partial(
            parts.container.conversations.record_incoming, message=message(parts, text, **values), ticket=ticket
        )
        await parts.write(record)


async def receive_file(parts: Parts, file: StoredFile, kind: MessageKind, id: str = "m-file") -> None:
    """Store a file of a customer."""
    said = message(parts, "", id=id, kind=kind)
    await parts.write(lambda s: parts.container.conversations.record_incoming(s, said, stored_file=file))


async def open_ticket(parts: Parts, who: str = XUAN, name: str = "黑旋风", **values: Any) -> Ticket:
    """An open ticket in the staff room."""
    fields = {"state": TicketState.OPEN, "room_id": ROOM, **values}
    return await parts.write(
        lambda s: parts.container.tickets.add(s, account=ACCOUNT, contact_id=who, name=name, **fields)
    )


async def waiting_ticket(parts: Parts, **values: Any) -> Ticket:
    """Open a ticket that has not been shown in a staff room."""
    return await open_ticket(parts, **{"state": TicketState.WAITING, "room_id": "", **values})


def in_memory(parts: Parts, ticket: Ticket) -> Ticket:
    """An unfinished ticket as it is in memory."""
    found = parts.container.tickets.get(ticket.id or 0)
    assert found is not None
    return found


async def stored(parts: Parts, ticket: Ticket) -> Ticket:
    """A ticket as it is in the database."""
    return await parts.read(lambda s: s.get_one(Ticket, ticket.id))


async def close(parts: Parts, ticket: Ticket) -> None:
    """Close a ticket without messages."""
    values = {"state": TicketState.CLOSED, "closed_at": parts.clock.now, "closed_by": STAFF}
    assert await parts.write(lambda s: parts.container.tickets.change(s, ticket.id or 0, **values))


async def audited(parts: Parts, *kinds: str) -> list[Action]:
    """The entries of the audit log of these kinds, oldest first."""
    query = select(Action).where(col(Action.kind).in_(kinds)).order_by(col(Action.id))
    return list(await parts.read(lambda s: s.exec(query).all()))
