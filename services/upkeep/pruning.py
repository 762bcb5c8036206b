"""Deletes finished rows older than `keep_days`, in small batches that do not delay replies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, delete
from sqlmodel import Session, SQLModel, col, select

from models.conversations import StoredMessage
from models.db import Store
from models.durable import Action, EventState, InboxEvent, OutboxItem, WorkState
from models.flows import OPEN_STATES as OPEN_RUNS
from models.flows import FlowCallback, FlowRun
from models.groups import TokenMiss
from models.rules import Broadcast, BroadcastTarget
from models.support import Ticket
from services.clock import DAY, Clock
from services.upkeep.clock_trust import ClockTrust

BATCH = 200
REFUSED = "refused: the clock has jumped ahead"
PAUSE = 0.05  # seconds between batches, for other writes
Condition = Callable[[float], tuple[ColumnElement[bool], ...]]


def _ended_runs(before: float) -> tuple[ColumnElement[bool], ...]:
    return col(FlowRun.state).not_in(OPEN_RUNS), col(FlowRun.changed_at) < before


def _sent_before(before: float) -> ColumnElement[bool]:
    return (col(Broadcast.created_at) < before) & (col(Broadcast.run_at) < before)


# Tables with the conditions for deletion. Open jobs and unfinished events are never deleted.
CONDITIONS: list[tuple[type[SQLModel], Condition]] = [
    (InboxEvent, lambda t: (col(InboxEvent.state) != EventState.NEW, col(InboxEvent.received_at) < t)),
    (
        OutboxItem,
        lambda t: (col(OutboxItem.state).not_in((WorkState.QUEUED, WorkState.SENDING)), col(OutboxItem.done_at) < t),
    ),
    (Action, lambda t: (col(Action.at) < t,)),
    (StoredMessage, lambda t: (col(StoredMessage.at) < t,)),
    (Ticket, lambda t: (col(Ticket.closed_at) < t,)),
    (BroadcastTarget, lambda t: (col(BroadcastTarget.broadcast).in_(select(Broadcast.id).where(_sent_before(t))),)),
    (Broadcast, lambda t: (_sent_before(t),)),  # unconfirmed broadcasts expire within minutes
    (TokenMiss, lambda t: (col(TokenMiss.at) < t,)),
    (FlowCallback, lambda t: (col(FlowCallback.run_id).in_(select(FlowRun.id).where(*_ended_runs(t))),)),
    (FlowRun, _ended_runs),
]


class Pruning:
    """Deletes old rows."""

    def __init__(self, store: Store, keep_days: float, clock: Clock, clock_trust: ClockTrust) -> None:
        self._store = store
        self._clock_trust = clock_trust
        self._clock = clock
        self.configure(keep_days)

    def configure(self, keep_days: float) -> None:
        """Set the retention period."""
        self._keep = keep_days * DAY

    async def run(self) -> int | str:
        """Delete old rows, unless the clock cannot be trusted; return their number."""
        if not await self._clock_trust.is_trusted():
            return REFUSED
        before, total = self._clock() - self._keep, 0
        for table, old in CONDITIONS:
            while deleted := await self._store.write(partial(self._batch, table=table, old=old(before))):
                total += deleted
                await asyncio.sleep(PAUSE)
        return total

    def _batch(self, session: Session, table: Any, old: tuple[ColumnElement[bool], ...]) -> int:
        ids = session.exec(select(table.id).where(*old).limit(BATCH)).all()
        if ids:
            session.connection().execute(delete(table).where(table.id.in_(ids)))
        return len(ids)
