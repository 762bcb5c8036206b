"""人工: hands customers over to staff. All changes are written in the transaction of the event."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session

from config.texts import Texts, fill
from models.support import Ticket, TicketState
from services.messaging.conversations import Conversations
from services.support.announcements import TicketAnnouncements
from services.support.staffing import Staffing
from services.support.ticket_messages import TicketMessages
from services.support.tickets import Tickets

MAX_EARLIER: Final = 6  # messages before 人工 that are shown to staff


class Handover:
    """Opens tickets."""

    def __init__(
        self,
        tickets: Tickets,
        staffing: Staffing,
        conversations: Conversations,
        announcements: TicketAnnouncements,
        outgoing: TicketMessages,
        texts: Texts,
    ) -> None:
        self._tickets = tickets
        self._staffing = staffing
        self._conversations = conversations
        self._announcements = announcements
        self._outgoing = outgoing
        self._texts = texts

    def open(self, session: Session, account: str, contact_id: str, name: str) -> None:
        """Open a ticket, or reply with the state of the customer's waiting one."""
        room, in_hours = self._staffing.room(account), self._staffing.in_hours()
        needs_room = self._staffing.needs_room(account)
        ticket = self._tickets.of(account, contact_id)
        if ticket is None:
            ticket = self.add(session, account, contact_id, name)
            if room is None and needs_room and self._staffing.accounts.is_online(account):
                self._announcements.report_missing_room(session, ticket)
        if in_hours and (room is not None or not needs_room):
            self._announcements.announce(session, ticket, room.id if room else "")
            return
        notice = self._texts.handoff_waiting
        if not in_hours:
            notice = fill(self._texts.handoff_away, time=self._staffing.next_opening())
        self._outgoing.to_customer(session, ticket, notice)

    def add(self, session: Session, account: str, contact_id: str, name: str) -> Ticket:
        """Create a waiting ticket."""
        recent = self._conversations.last(session, account, contact_id, MAX_EARLIER)
        last_shown = (recent[0].id or 1) - 1 if recent else 0
        ticket = self._tickets.add(
            session, account=account, contact_id=contact_id, name=name, state=TicketState.WAITING, told=last_shown
        )
        self._outgoing.event(session, "ticket.opened", ticket)
        return ticket
