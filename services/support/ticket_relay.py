"""Relays messages of customers to staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, func, select

from config.texts import Texts
from models.conversations import StoredMessage
from models.support import Ticket, TicketState
from services.clock import Clock
from services.messaging.media import FETCHED, StoredFile
from services.messaging.messages import file
from services.support.announcements import TicketAnnouncements
from services.support.staffing import Staffing
from services.support.ticket_history import TicketHistory
from services.support.ticket_messages import TicketMessages
from services.support.ticket_texts import head, join_lines
from services.support.tickets import TicketClosed, Tickets

UNAVAILABLE: Final = "（没能取得）"  # appended to a message whose file could not be fetched


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """A message to relay. `line`: its text or a description; `name`: the customer's current name."""

    kind: str
    line: str
    name: str
    media: StoredFile | None = None
    media_follows: bool = False  # the file is still being fetched


class TicketRelay:
    """Posts the messages of customers with an open ticket in the staff room."""

    def __init__(
        self,
        tickets: Tickets,
        staffing: Staffing,
        history: TicketHistory,
        announcements: TicketAnnouncements,
        outgoing: TicketMessages,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._tickets = tickets
        self._staffing = staffing
        self._history = history
        self._announcements = announcements
        self._outgoing = outgoing
        self._texts = texts
        self._clock = clock

    def relay(self, session: Session, ticket: Ticket, message: CustomerMessage) -> None:
        """Relay a message, inside a transaction; staff see messages of a waiting ticket when it is announced.

        Raises TicketClosed, also if that is closed in this same commit.
        """
        name = message.name
        if name and name != ticket.name and self._tickets.change(session, ticket.id or 0, name=name):
            ticket = Ticket(**{**ticket.model_dump(), "name": name})
        row = session.get(Ticket, ticket.id)  # read again, because the ticket may be announced in this same commit
        if row is not None and row.state == TicketState.CLOSED:
            raise TicketClosed(ticket.id or 0)
        if row is None or row.state == TicketState.WAITING:
            return
        room_id = self._room_id(ticket)
        if not room_id and not self._staffing.needs_room(ticket.account):
            self._tickets.change(session, ticket.id or 0, last_at=self._clock(), quiet_seconds=0)
            return
        if not room_id:
            self._wait_for_room(session, ticket)
            return
        self._tickets.change(session, ticket.id or 0, last_at=self._clock(), room_id=room_id, quiet_seconds=0)
        line = self._history.format_message(session, ticket, message.kind, message.line)
        if message.media is None and message.kind in FETCHED and not message.media_follows:
            line += UNAVAILABLE
        for part in join_lines([line]):
            self._outgoing.to_staff(session, ticket, room_id, f"{head(ticket)}{part}")
        if message.media is not None:
            self._outgoing.to_staff(session, ticket, room_id, file(message.media.path, message.media.name))

    def _room_id(self, ticket: Ticket) -> str:
        room = self._staffing.room(ticket.account)
        if room is not None:
            return room.id
        if not self._staffing.accounts.is_online(
            ticket.account
        ):  # right after a start, the groups have not been read yet
            return ticket.room_id
        return ticket.room_id if ticket.room_id in self._staffing.accounts.get(ticket.account).directory.rooms else ""

    def _wait_for_room(self, session: Session, ticket: Ticket) -> None:
        """Set an open ticket to waiting because the staff room no longer exists."""
        newest = select(func.max(StoredMessage.id)).where(
            StoredMessage.account == ticket.account, StoredMessage.conversation == ticket.contact_id
        )
        last_shown = (session.exec(newest).one() or 1) - 1  # this message is the first that staff has not seen
        values = {"state": TicketState.WAITING, "told": last_shown, "last_at": self._clock()}
        if self._tickets.change(session, ticket.id or 0, **values):
            self._announcements.report_missing_room(session, ticket)
            self._outgoing.to_customer(session, ticket, self._texts.handoff_waiting)
