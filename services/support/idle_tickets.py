"""Closes idle tickets. Only the time in which both sides could speak counts."""

from __future__ import annotations

from functools import partial

from sqlmodel import Session

from config.texts import Texts, fill
from models.db import Store
from models.support import Ticket, TicketState
from services.clock import Clock
from services.support.staffing import Staffing
from services.support.ticket_actions import TicketActions
from services.support.tickets import Tickets

MAX_COUNTED_SECONDS = 300.0  # seconds counted at most between two runs, since the machine may have been suspended


class IdleTickets:
    """Accumulates the silence of each answered ticket in its row, once a minute."""

    def __init__(
        self, store: Store, tickets: Tickets, actions: TicketActions, staffing: Staffing, texts: Texts, clock: Clock
    ) -> None:
        self._store = store
        self._tickets = tickets
        self._actions = actions
        self._staffing = staffing
        self._texts = texts
        self._clock = clock
        self._last_able_to_talk: dict[str, float] = {}  # account -> when both sides were last seen able to talk

    async def close(self) -> int:
        """Count the time since the last run and close the idle tickets; return their number."""
        since = self._able_to_talk()
        idle = [
            t for t in self._tickets if t.account in since and t.state == TicketState.OPEN and t.answered_at is not None
        ]
        closed = 0
        for ticket in idle:
            closed += await self._store.write(
                partial(self._count, number=ticket.id or 0, since=since[ticket.account], last_at=ticket.last_at)
            )
        return closed

    def _able_to_talk(self) -> dict[str, float]:
        """Return the accounts on which customers and staff can talk now and could at the last run, with the time of
        that run."""
        now, earlier = self._clock(), self._last_able_to_talk
        names = self._staffing.accounts.names()
        self._last_able_to_talk = {account: now for account in names if self._staffing.can_talk(account)}
        return {
            account: max(earlier[account], now - MAX_COUNTED_SECONDS)
            for account in self._last_able_to_talk
            if account in earlier
        }

    def _count(self, session: Session, number: int, since: float, last_at: float) -> bool:
        row = session.get(Ticket, number)
        if row is None or row.state != TicketState.OPEN or row.last_at != last_at:
            return False  # a message arrived while this write was queued
        quiet_seconds = row.quiet_seconds + max(0.0, self._clock() - max(since, row.last_at))
        minutes = self._staffing.settings.idle_minutes
        if quiet_seconds < minutes * 60:
            self._tickets.change(session, number, quiet_seconds=quiet_seconds)
            return False
        notice = fill(self._texts.ticket_idle, number=row.id, name=row.name, minutes=f"{minutes:g}")
        return self._actions.close(session, row, "idle", notice)
