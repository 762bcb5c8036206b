"""Metrics read from the database, cached for a few seconds and read with a timeout."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from models.db import Store
from models.durable import Action, EventState, InboxEvent, Outcome
from models.groups import Membership
from models.support import Ticket, TicketState
from services.support.service_levels import ServiceLevels, of_tickets

log = logging.getLogger(__name__)
TIMEOUT: Final = 1.0  # seconds that /metrics waits for the database
CACHE_SECONDS: Final = 5.0  # seconds until the numbers are read again


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers read. Times are Unix seconds or None."""

    memberships: dict[str, int] = field(default_factory=dict)  # by state
    tickets: dict[str, int] = field(default_factory=dict)  # by state, without closed ones
    waiting_since: float | None = None  # opening of the ticket that has waited longest for a first answer
    inbox_since: dict[str, float] = field(default_factory=dict)  # reception of the oldest unhandled event, by account
    accepted_today: dict[str, int] = field(default_factory=dict)  # accepted friend requests, by account
    parked: int = 0
    closed_today: ServiceLevels | None = None  # of the tickets closed today


class StoredNumbers:
    """Caches the numbers read last."""

    def __init__(self, store: Store, midnight: Callable[[], float]) -> None:
        self._store = store
        self._midnight = midnight
        self._numbers = Numbers()
        self._read_at = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def get(self) -> Numbers:
        """Return the numbers; the previous ones if the database does not answer in time. One read runs at a time."""
        now = asyncio.get_running_loop().time()
        if self._reading is None and now - self._read_at > CACHE_SECONDS:
            self._reading = asyncio.create_task(self._read())
        if self._reading is not None:
            await asyncio.wait((self._reading,), timeout=TIMEOUT)
        return self._numbers

    async def close(self) -> None:
        """Cancel a running read."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        try:
            since = self._midnight()
            self._numbers = await self._store.read(lambda session: read(session, since))
            self._read_at = asyncio.get_running_loop().time()
        except (SQLAlchemyError, RuntimeError) as error:  # RuntimeError: the store is closed
            log.warning("could not read the metrics from the database: %s", type(error).__name__)
        finally:
            self._reading = None


def read(session: Session, midnight: float) -> Numbers:
    """Read all numbers with small indexed queries."""
    unfinished = col(Ticket.state) != TicketState.CLOSED
    accepted = (col(Action.kind) == "accept", col(Action.outcome) == Outcome.DONE, col(Action.at) >= midnight)
    states = select(Membership.state, func.count()).group_by(col(Membership.state))
    tickets = select(Ticket.state, func.count()).where(unfinished).group_by(col(Ticket.state))
    waiting = select(func.min(Ticket.opened_at)).where(unfinished, Ticket.staff_id == "")
    inbox = select(InboxEvent.account, func.min(InboxEvent.received_at)).where(InboxEvent.state == EventState.NEW)
    today = select(Action.account, func.count()).where(*accepted).group_by(col(Action.account))
    parked = select(func.count()).select_from(InboxEvent).where(InboxEvent.state == EventState.PARKED)
    return Numbers(
        memberships=dict(session.exec(states).all()),
        tickets={state: 0 for state in TicketState if state is not TicketState.CLOSED}
        | dict(session.exec(tickets).all()),
        waiting_since=session.exec(waiting).one(),
        inbox_since=dict(session.exec(inbox.group_by(col(InboxEvent.account))).all()),
        accepted_today=dict(session.exec(today).all()),
        parked=session.exec(parked).one(),
        closed_today=of_tickets(session.exec(select(Ticket).where(col(Ticket.closed_at) >= midnight)).all()),
    )
