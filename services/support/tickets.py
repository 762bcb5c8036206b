"""Ticket rows, with the unfinished ones cached in memory because every message looks them up."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from models.db import Store, after_commit
from models.support import Ticket, TicketState
from services.changes import ChangeFeed, ChangeKind
from services.clock import DAY, Clock

RATING_SECONDS = DAY


class TicketClosed(Exception):
    """A ticket was closed before a message about it was written."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ticket {number}")
        self.number = number


@dataclass(frozen=True, slots=True)
class RatingRequest:
    """A customer who was asked for a rating."""

    ticket: int
    name: str
    room_id: str
    at: float


class Tickets:
    """Ticket rows and their cache."""

    def __init__(self, store: Store, changes: ChangeFeed, clock: Clock) -> None:
        self._store = store
        self._changes = changes
        self._clock = clock
        self._by_number: dict[int, Ticket] = {}
        self._by_person: dict[tuple[str, str], Ticket] = {}
        self._rating_requests: dict[tuple[str, str], RatingRequest] = {}

    async def load(self, accounts: Collection[str] | None = None) -> None:
        """Load unfinished tickets and open rating requests, of some accounts or of all."""
        unfinished = select(Ticket).where(Ticket.state != TicketState.CLOSED)
        is_recent = col(Ticket.closed_at) > self._clock() - RATING_SECONDS
        closed = select(Ticket).where(is_recent).order_by(col(Ticket.closed_at), col(Ticket.id))
        if accounts is not None:
            of_accounts = col(Ticket.account).in_(accounts)
            unfinished, closed = unfinished.where(of_accounts), closed.where(of_accounts)
        for ticket in await self._store.read(lambda s: s.exec(unfinished).all()):
            self._update_cache(ticket)
        for ticket in await self._store.read(lambda s: s.exec(closed).all()):
            self._request_rating(ticket, ticket.closed_at or 0)
            if ticket.mark is not None:  # only a customer's newest ticket can be rated
                self._forget_rating(ticket.account, ticket.contact_id)

    def drop(self, account: str) -> None:
        """Drop the data of an account."""
        self._by_number = {number: ticket for number, ticket in self._by_number.items() if ticket.account != account}
        self._by_person = {key: ticket for key, ticket in self._by_person.items() if key[0] != account}
        self._rating_requests = {key: request for key, request in self._rating_requests.items() if key[0] != account}

    # ---- lookups in memory ----

    def of(self, account: str, contact_id: str) -> Ticket | None:
        """Return the person's unfinished ticket."""
        return self._by_person.get((account, contact_id))

    def has_open(self, account: str, contact_id: str) -> bool:
        """Whether the person has an open ticket."""
        ticket = self._by_person.get((account, contact_id))
        return ticket is not None and ticket.state == TicketState.OPEN

    def get(self, number: int) -> Ticket | None:
        """Return the unfinished ticket of this number."""
        return self._by_number.get(number)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(list(self._by_number.values()))

    def rating_request(self, account: str, contact_id: str) -> RatingRequest | None:
        """Return the open request for the person's rating."""
        request = self._rating_requests.get((account, contact_id))
        return request if request and request.at + RATING_SECONDS > self._clock() else None

    # ---- changes; inside a transaction ----

    def add(self, session: Session, **values: Any) -> Ticket:
        """Open a ticket; raises IntegrityError if the person has an unfinished one."""
        now = self._clock()
        row = Ticket(**values, opened_at=now, last_at=now)
        session.add(row)
        session.flush()
        ticket = Ticket(**row.model_dump())  # the cached object must not belong to a session
        after_commit(session, lambda: self._update_cache(ticket))
        after_commit(session, lambda: self._publish(ticket.id or 0))
        return ticket

    def change(self, session: Session, number: int, **values: Any) -> bool:
        """Update an unfinished ticket; return False if it has been closed."""
        unfinished = update(Ticket).where(col(Ticket.id) == number, col(Ticket.state) != TicketState.CLOSED)
        if not session.connection().execute(unfinished.values(**values)).rowcount:
            return False
        after_commit(session, lambda: self._changed(number, values))
        after_commit(session, lambda: self._publish(number))
        return True

    def reopen(self, session: Session, number: int) -> bool:
        """Reopen a closed ticket; return False if it is not closed or the person has another one."""
        row = session.get(Ticket, number)
        if row is None or row.state != TicketState.CLOSED or self.of(row.account, row.contact_id) is not None:
            return False
        now = self._clock()
        values = {"state": TicketState.OPEN, "closed_at": None, "closed_by": "", "last_at": now, "quiet_seconds": 0}
        row.sqlmodel_update({**values, "answered_at": None, "reminders": 0, "reminded_at": now})
        session.add(row)
        session.flush()
        ticket = Ticket(**row.model_dump())
        after_commit(session, lambda: self._update_cache(ticket))
        after_commit(session, lambda: self._forget_rating(ticket.account, ticket.contact_id))
        after_commit(session, lambda: self._publish(number))
        return True

    def rate(self, session: Session, rating_request: RatingRequest, account: str, contact_id: str, rating: int) -> bool:
        """Store a rating; return False if there is one already."""
        unrated = update(Ticket).where(col(Ticket.id) == rating_request.ticket, col(Ticket.mark).is_(None))
        after_commit(session, lambda: self._forget_rating(account, contact_id))
        after_commit(session, lambda: self._publish(rating_request.ticket))
        return bool(session.connection().execute(unrated.values(mark=rating)).rowcount)

    # ---- cache ----

    def forget_closed(self, number: int) -> None:
        """Drop a ticket that is closed in the database, if this was not reported yet."""
        self._changed(number, {"state": TicketState.CLOSED, "closed_at": self._clock()})

    def _publish(self, number: int) -> None:
        self._changes.publish(ChangeKind.TICKET, id=number)

    def _update_cache(self, ticket: Ticket) -> None:
        self._by_number[ticket.id or 0] = ticket
        self._by_person[ticket.account, ticket.contact_id] = ticket

    def _changed(self, number: int, values: dict[str, Any]) -> None:
        ticket = self._by_number.get(number)
        if ticket is None:
            return
        for name, value in values.items():
            setattr(ticket, name, value)
        if ticket.state == TicketState.CLOSED:
            self._by_number.pop(number)
            self._by_person.pop((ticket.account, ticket.contact_id), None)
            self._request_rating(ticket, ticket.closed_at or 0)

    def _forget_rating(self, account: str, contact_id: str) -> None:
        self._rating_requests.pop((account, contact_id), None)

    def _request_rating(self, ticket: Ticket, at: float) -> None:
        rating_request = RatingRequest(ticket.id or 0, ticket.name, ticket.room_id, at)
        self._rating_requests[ticket.account, ticket.contact_id] = rating_request
        if len(self._rating_requests) > 10_000:
            self._rating_requests = {k: m for k, m in self._rating_requests.items() if m.at + RATING_SECONDS > at}
