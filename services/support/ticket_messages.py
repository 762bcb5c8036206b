"""Messages about tickets: to the customer, to staff, to admins, and events for business systems."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from models.durable import Priority
from models.support import Ticket
from services.accounts.registry import Accounts
from services.messaging.messages import Body, Messages
from services.messaging.webhook_events import WebhookEvents
from services.support.ticket_texts import facts, relay


class TicketMessages:
    """Queues the messages, inside a transaction."""

    def __init__(self, accounts: Accounts, messages: Messages, webhook_events: WebhookEvents) -> None:
        self._accounts = accounts
        self._messages = messages
        self._webhook_events = webhook_events

    def to_customer(self, session: Session, ticket: Ticket, body: Body | str, **options: Any) -> None:
        """Send a message to the customer. `options`: keyword arguments of Outbox.add."""
        self._messages.queue(session, ticket.account, ticket.contact_id, body, **options)

    def to_staff(self, session: Session, ticket: Ticket, room_id: str, body: Body | str, **extra: Any) -> None:
        """Post a message about the ticket in a staff room; `extra` is added to its body."""
        self._messages.queue(session, ticket.account, room_id, {**relay(ticket, body), **extra})

    def to_admins(self, session: Session, account: str, notice: str) -> None:
        """Send a notice to the admins of an account."""
        for admin in self._accounts.admins(account):
            self._messages.queue(session, account, admin, notice, priority=Priority.NOTICE)

    def hand_over(self, session: Session, ticket: Ticket) -> None:
        """Hand the customer to staff in their own client."""
        self._messages.hand_over(session, ticket.account, ticket.contact_id, ticket.id or 0)

    def event(self, session: Session, kind: str, ticket: Ticket, **data: Any) -> None:
        """Emit a webhook event about the ticket."""
        self._webhook_events.publish(session, kind, f"ticket {ticket.id}", {**facts(ticket), **data})
