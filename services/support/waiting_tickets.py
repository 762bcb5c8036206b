"""Announces tickets that wait for office hours or for a staff room."""

from __future__ import annotations

import logging
from functools import partial

from sqlmodel import Session

from errors import WeChatError
from models.db import Store
from models.support import Ticket, TicketState
from services.clock import Clock
from services.support.announcements import TicketAnnouncements
from services.support.staffing import Staffing
from services.support.tickets import Tickets

log = logging.getLogger(__name__)


class WaitingTickets:
    """Runs every minute."""

    def __init__(
        self, store: Store, tickets: Tickets, staffing: Staffing, announcements: TicketAnnouncements, clock: Clock
    ) -> None:
        self._store = store
        self._tickets = tickets
        self._staffing = staffing
        self._announcements = announcements
        self._clock = clock

    async def announce(self) -> int:
        """Announce the waiting tickets within the office hours; return their number."""
        if not self._staffing.in_hours():
            return 0
        accounts = self._staffing.accounts.names()  # accounts that are no longer configured keep their tickets
        now, count = self._clock(), 0
        waiting = [
            ticket
            for ticket in self._tickets
            if ticket.state == TicketState.WAITING and ticket.account in accounts and ticket.not_before <= now
        ]
        for account in {ticket.account for ticket in waiting}:
            await self.refresh_missing_room(account)
        for ticket in waiting:
            room = self._staffing.room(ticket.account)
            if room is not None or not self._staffing.needs_room(ticket.account):
                await self._store.write(partial(self._announce, ticket=ticket, room_id=room.id if room else ""))
                count += 1
        return count

    async def refresh_missing_room(self, account: str) -> None:
        """Read the account's groups if its staff room is missing: some gateways do not report new groups."""
        staffing, accounts = self._staffing, self._staffing.accounts
        if not staffing.needs_room(account) or staffing.room(account) is not None or not accounts.is_online(account):
            return
        try:
            await accounts.get(account).read_new_rooms()
        except WeChatError as error:
            log.warning("%s: could not read the groups: %s", account, error)

    def _announce(self, session: Session, ticket: Ticket, room_id: str) -> None:
        row = session.get(Ticket, ticket.id)
        if row is not None and row.state == TicketState.WAITING:
            self._announcements.announce(session, ticket, room_id)
