"""Sessions that staff serve in the platform's own client, recorded as tickets so that the assistant is silent."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from models.support import Ticket, TicketState
from services.accounts.registry import Accounts
from services.clock import Clock
from services.messaging.conversations import Conversations
from services.support.handover import Handover
from services.support.ticket_actions import TicketActions
from services.support.tickets import Tickets
from wechat.events import SessionChanged, StaffMessage

SESSION = "session"  # stored as the closer of a ticket whose session ended without a member of staff


class StaffClient:
    """Records what staff do in the client. All methods run in the transaction of the event."""

    def __init__(
        self,
        accounts: Accounts,
        tickets: Tickets,
        handover: Handover,
        actions: TicketActions,
        conversations: Conversations,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._tickets = tickets
        self._handover = handover
        self._actions = actions
        self._conversations = conversations
        self._clock = clock

    def session_taken_over(self, session: Session, event: SessionChanged) -> None:
        """Assign the customer's ticket to the staff member who took over the session; create one if there is none."""
        self._serve(session, event.account, event.contact_id, event.staff_id)

    def record(self, session: Session, event: StaffMessage) -> None:
        """Store a staff member's message to a customer."""
        changes = {"answered_at": self._clock()}
        ticket = self._serve(session, event.account, event.contact_id, event.staff_id, changes)
        body = {"type": event.kind.value, "text": event.text, "staff": event.staff_id, "ticket": ticket.id}
        body["message"] = event.id  # by which its file is fetched
        self._conversations.record_outgoing(session, event.account, event.contact_id, body)

    def ended(self, session: Session, event: SessionChanged) -> None:
        """Close the ticket of a session that has ended."""
        ticket = self._tickets.of(event.account, event.contact_id)
        if ticket is not None:
            self._actions.close(session, ticket, event.staff_id or SESSION, "", is_session_over=True)

    def _serve(
        self, session: Session, account: str, contact_id: str, staff_id: str, changes: dict[str, Any] | None = None
    ) -> Ticket:
        ticket = self._tickets.of(account, contact_id)
        if ticket is None:
            contact = self._accounts.get(account).directory.contacts.get(contact_id)
            ticket = self._handover.add(session, account, contact_id, contact.name if contact else "")
        values: dict[str, Any] = {"state": TicketState.OPEN, "last_at": self._clock(), "quiet_seconds": 0.0}
        if staff_id and staff_id != ticket.staff_id:
            values |= {"staff_id": staff_id, "staff_name": self._name_of(account, staff_id)}
        if changes and ticket.answered_at is None:
            values |= changes
        self._tickets.change(session, ticket.id or 0, **values)
        return ticket

    def _name_of(self, account: str, staff_id: str) -> str:
        contact = self._accounts.get(account).directory.contacts.get(staff_id)
        return (contact.name if contact else "") or staff_id
