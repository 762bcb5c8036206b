"""The history of tickets, formatted for staff."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from config.texts import Texts, fill
from models.conversations import StoredMessage
from models.support import Ticket, TicketState
from services.clock import Clock
from services.messaging.conversations import Conversations, as_one_line
from services.support.staffing import Staffing
from services.support.ticket_texts import quoted
from wechat.events import MessageKind

MAX_QUOTED = 60  # characters quoted of a recalled message
NOTES = 5  # notes shown with a ticket
MAX_MESSAGES = 30  # messages shown in a history
MAX_TICKETS = 5  # earlier tickets listed in a history


class TicketHistory:
    """Formats conversations for the staff room."""

    def __init__(self, conversations: Conversations, staffing: Staffing, texts: Texts, clock: Clock) -> None:
        self._conversations = conversations
        self._staffing = staffing
        self._texts = texts
        self._clock = clock

    def line(self, session: Session, ticket: Ticket, row: StoredMessage) -> str:
        """Format a message with its author and time."""
        zone = self._staffing.hours.zone
        at, today = (datetime.fromtimestamp(moment, zone) for moment in (row.at, self._clock()))
        day = "" if at.date() == today.date() else f"{at:%m-%d} "
        name = ticket.name if row.by else self._staff_name(row) or "助手"
        return f"{day}{at:%H:%M} {name}：{self.format_message(session, ticket, row.kind, row.text)}"

    def _staff_name(self, row: StoredMessage) -> str:
        """Return the name of the staff member who wrote the message, or ""."""
        wechat = self._staffing.accounts.find(row.account) if row.staff else None
        contact = wechat.directory.contacts.get(row.staff) if wechat else None
        return contact.name if contact else ""

    def format_message(self, session: Session, ticket: Ticket, kind: str, text: str) -> str:
        """Format a message; a recall shows the recalled text."""
        line = quoted(as_one_line(kind, text))
        if kind == MessageKind.RECALLED:
            recalled_text = self._conversations.recalled(session, ticket.account, ticket.contact_id, text)
            return f"{line}：{quoted(recalled_text[:MAX_QUOTED])}" if recalled_text else line
        return line

    def notes(self, session: Session, ticket: Ticket) -> str:
        """Return the newest notes about the customer as one line, or ""."""
        notes = self._conversations.notes(session, ticket.account, ticket.contact_id, NOTES)
        return fill(self._texts.ticket_notes, notes="；".join(notes)) if notes else ""

    def lines(self, session: Session, ticket: Ticket) -> list[str]:
        """Return the lines of a history: earlier tickets, notes and recent messages."""
        query = select(Ticket).where(
            Ticket.account == ticket.account,
            Ticket.contact_id == ticket.contact_id,
            Ticket.state == TicketState.CLOSED,
            col(Ticket.id) != ticket.id,
        )
        rows = session.exec(query.order_by(col(Ticket.id).desc()).limit(MAX_TICKETS)).all()
        named = "、".join(self._named(row) for row in rows)
        before = fill(self._texts.ticket_earlier, tickets=named) if named else ""
        messages = self._conversations.last(session, ticket.account, ticket.contact_id, MAX_MESSAGES)
        message_lines = [self.line(session, ticket, row) for row in messages]
        return [line for line in (before, self.notes(session, ticket), *message_lines) if line]

    def _named(self, row: Ticket) -> str:
        opened = datetime.fromtimestamp(row.opened_at, self._staffing.hours.zone)
        mark = f"，{row.mark} 分" if row.mark else ""
        staff = f"，{row.staff_name}" if row.staff_name else ""
        return f"#{row.id}（{opened:%m-%d}{staff}{mark}）"
