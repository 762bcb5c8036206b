"""Announces tickets to staff."""

from __future__ import annotations

import logging
from typing import Final

from sqlmodel import Session

from config.texts import Texts, fill
from models.conversations import StoredMessage
from models.support import Ticket, TicketState
from services.clock import Clock
from services.messaging.body_type import BodyType
from services.messaging.conversations import Conversations
from services.messaging.messages import file, text
from services.support.staffing import Staffing
from services.support.ticket_history import TicketHistory
from services.support.ticket_messages import TicketMessages
from services.support.ticket_texts import head, join_lines
from services.support.tickets import Tickets
from services.work.job import GiveUp, Job
from wechat.events import MessageKind

log = logging.getLogger(__name__)
MAX_SHOWN: Final = 300  # messages shown of a ticket that waited long
REJECTED_SECONDS: Final = 600.0  # until a staff room that rejected a ticket is tried again


class TicketAnnouncements:
    """Shows a ticket to staff, with the messages they have not seen."""

    def __init__(
        self,
        tickets: Tickets,
        staffing: Staffing,
        conversations: Conversations,
        history: TicketHistory,
        outgoing: TicketMessages,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._tickets = tickets
        self._staffing = staffing
        self._conversations = conversations
        self._history = history
        self._outgoing = outgoing
        self._texts = texts
        self._clock = clock

    def announce(self, session: Session, ticket: Ticket, room_id: str) -> None:
        """Announce the ticket in the staff room and notify the customer.

        Without a room ("") staff see it in the console, or the customer is handed to them in their own client.
        """
        now = self._clock()
        rows = self._conversations.last(session, ticket.account, ticket.contact_id, MAX_SHOWN, ticket.told)
        last_shown = max((row.id or 0 for row in rows), default=ticket.told)
        values = {"room_id": room_id, "told": last_shown, "last_at": now, "announced_at": now, "quiet_seconds": 0}
        if not self._tickets.change(session, ticket.id or 0, state=TicketState.OPEN, **values):
            return
        if not room_id:
            self._announce_without_room(session, ticket)
            return
        *first, last = join_lines(self._lines(session, ticket, rows))
        for part in first:
            self._outgoing.to_staff(session, ticket, room_id, f"{head(ticket)}\n{part}", told=ticket.told)
        opened = fill(self._texts.ticket_opened, history=last, number=ticket.id)
        room = self._staffing.room(ticket.account)
        body = text(head(ticket) + opened, self._staffing.on_duty(ticket.account, room) if room else [])
        self._outgoing.to_staff(session, ticket, room_id, body, told=ticket.told)
        for row in rows:
            if row.media and row.by and row.kind != MessageKind.TEXT:  # the file of a text is its voice recording
                self._outgoing.to_staff(session, ticket, room_id, file(row.media, row.text))
        if not ticket.refusals:
            self._outgoing.to_customer(session, ticket, self._texts.handoff)

    def _announce_without_room(self, session: Session, ticket: Ticket) -> None:
        if not ticket.refusals:
            self._outgoing.to_customer(session, ticket, self._texts.handoff)
        if self._staffing.has_client(ticket.account):
            self._outgoing.hand_over(session, ticket)
        else:
            notice = fill(self._texts.ticket_in_console, number=ticket.id, name=ticket.name or "客户")
            self._outgoing.to_admins(session, ticket.account, notice)

    def _lines(self, session: Session, ticket: Ticket, rows: list[StoredMessage]) -> list[str]:
        total = self._conversations.count(session, ticket.account, ticket.contact_id, ticket.told)
        omitted = [f"（更早的 {total - len(rows)} 条略）"] if total > len(rows) else []
        notes = self._history.notes(session, ticket)
        return [*omitted, *(self._history.line(session, ticket, row) for row in rows), *filter(None, [notes])]

    def report_missing_room(self, session: Session, ticket: Ticket) -> None:
        """Notify the admins that a ticket waits because there is no staff room."""
        log.warning("%s: ticket %s is waiting: there is no staff room", ticket.account, ticket.id)
        notice = fill(self._texts.no_staff_room, number=ticket.id, name=ticket.name or "客户")
        self._outgoing.to_admins(session, ticket.account, notice)

    def delivery_failed(self, session: Session, job: Job, failure: GiveUp) -> None:
        """Set a ticket that the staff room or client rejected to waiting; customer and admins are notified once."""
        number: int = job.body.get("relays") or 0
        to_client = job.body.get("type") == BodyType.HAND_OVER
        ticket = session.get(Ticket, number) if number and (to_client or job.body["type"] == BodyType.TEXT) else None
        if ticket is None or ticket.state != TicketState.OPEN or (job.key != ticket.room_id and not to_client):
            return
        last_shown = job.body.get("told", max(0, self._conversations.first_of(session, number) - 1))
        values = {
            "told": min(last_shown, ticket.told),
            "refusals": ticket.refusals + 1,
            "not_before": self._clock() + REJECTED_SECONDS,
        }
        is_first = not ticket.refusals
        if self._tickets.change(session, number, state=TicketState.WAITING, **values) and is_first:
            self._outgoing.to_customer(session, ticket, self._texts.handoff_waiting)
            facts = {"number": number, "name": ticket.name or "客户", "reason": failure.why}
            template = self._texts.ticket_client_refused if to_client else self._texts.ticket_room_refused
            self._outgoing.to_admins(session, ticket.account, fill(template, **facts))
