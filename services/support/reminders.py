"""Reminds staff, then admins, of customers who wait for a first answer."""

from __future__ import annotations

from functools import partial

from sqlmodel import Session

from config.texts import Texts, fill
from models.db import Store
from models.durable import Priority
from models.support import Ticket, TicketState
from services.clock import Clock
from services.messaging.messages import Messages, text
from services.messaging.webhook_events import WebhookEvents
from services.support.staffing import Staffing
from services.support.ticket_texts import facts, relay
from services.support.tickets import Tickets

RETRY_SECONDS = 3600.0  # seconds between reminders after staff and admins have been reminded


class TicketReminders:
    """Runs every minute. The reminders sent are recorded in the ticket's row."""

    def __init__(
        self,
        store: Store,
        tickets: Tickets,
        staffing: Staffing,
        messages: Messages,
        webhook_events: WebhookEvents,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._tickets = tickets
        self._staffing = staffing
        self._messages = messages
        self._webhook_events = webhook_events
        self._texts = texts
        self._clock = clock

    async def run(self) -> int:
        """Send the reminders that are due; return their number."""
        if not self._staffing.in_hours():
            return 0
        done = 0
        for ticket in self._tickets:
            if self._may_remind(ticket.account) and self._is_due(ticket):
                done += await self._store.write(partial(self._remind, number=ticket.id or 0))
        return done

    def _may_remind(self, account: str) -> bool:
        return account in self._staffing.accounts.names() and self._staffing.accounts.is_online(account)

    def _is_due(self, ticket: Ticket) -> bool:
        if ticket.answered_at is not None or ticket.state == TicketState.CLOSED:
            return False
        since = max(ticket.opened_at, ticket.announced_at, ticket.reminded_at)
        wait = RETRY_SECONDS if ticket.reminders > 1 else self._staffing.settings.remind_minutes * 60
        return self._clock() >= since + wait

    def _remind(self, session: Session, number: int) -> bool:
        row = session.get(Ticket, number)
        if row is None or not self._is_due(row):  # answered while this write was queued
            return False
        now, room = self._clock(), self._staffing.room(row.account)
        if row.state == TicketState.WAITING and room is not None and not row.refusals:
            return False  # the ticket is about to be announced
        minutes = int((now - row.opened_at) // 60)
        values = {"number": row.id, "name": row.name or "客户", "minutes": minutes}
        admins = self._staffing.accounts.admins(row.account)
        if room is not None and row.state == TicketState.OPEN and (row.reminders != 1 or not admins):
            reminder = fill(self._texts.ticket_remind, **values)
            mentions = self._staffing.to_remind(row.account, room)
            self._messages.queue(session, row.account, room.id, relay(row, text(reminder, mentions)))
        else:
            reminder = fill(self._texts.ticket_remind_admin, **values)
            for admin in admins:
                self._messages.queue(session, row.account, admin, reminder, priority=Priority.NOTICE)
        data = {**facts(row), "minutes": minutes}
        self._webhook_events.publish(session, "ticket.waiting", f"ticket {row.id}", data)
        return self._tickets.change(session, number, reminders=row.reminders + 1, reminded_at=now)
