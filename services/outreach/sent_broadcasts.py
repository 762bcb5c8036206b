"""Broadcasts that were queued: listed, read with the result of each group, and cancelled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import exists
from sqlmodel import Session, col, select

from errors import NotFound
from models.bulk_insert import write_bulk
from models.db import Store
from models.durable import OutboxItem, Outcome, WorkState
from models.rules import Broadcast, BroadcastState, BroadcastTarget
from services.accounts.audit import Audit
from services.clock import DAY, Clock
from services.outreach.broadcast_types import NO_GROUP, BroadcastResult, Friend
from services.paging import Page, PageRequest, page_of
from services.work.outbox import Outbox

BATCH: Final = 500  # ids in one query
QUEUED: Final = (BroadcastState.SENT, BroadcastState.WITHDRAWN)
OPEN: Final = frozenset({WorkState.QUEUED, WorkState.SENDING})
FAILED: Final = frozenset({WorkState.FAILED, WorkState.UNKNOWN})


class SentBroadcasts:
    """The queued broadcasts and their results."""

    def __init__(self, store: Store, outbox: Outbox, audit: Audit, clock: Clock) -> None:
        self._clock = clock
        self._store = store
        self._outbox = outbox
        self._audit = audit

    # ---- reading ----

    def list_page(self, session: Session, page: PageRequest) -> Page[Broadcast]:
        """Return a page of the broadcasts, newest first."""
        query = select(Broadcast).where(col(Broadcast.state).in_(QUEUED))
        if page.before is not None:
            query = query.where(col(Broadcast.id) < page.before)
        rows = session.exec(query.order_by(col(Broadcast.id).desc()).limit(page.limit + 1)).all()
        return page_of(rows, page, lambda row: row.id)

    def unfinished(self, session: Session, account: str, limit: int) -> Sequence[Broadcast]:
        """Return the newest broadcasts of which messages of the account wait to be sent."""
        target, item = BroadcastTarget, OutboxItem
        waiting = select(target.id).join(item, col(item.id) == target.message)
        waiting = waiting.where(target.broadcast == Broadcast.id, target.account == account)
        waiting = waiting.where(item.state == WorkState.QUEUED)
        since = self._clock() - DAY
        recent = (col(Broadcast.created_at) > since) | (col(Broadcast.run_at) > since)
        query = select(Broadcast).where(Broadcast.state == BroadcastState.SENT, recent, exists(waiting))
        return session.exec(query.order_by(col(Broadcast.id).desc()).limit(limit)).all()

    async def result(self, broadcast_id: int) -> BroadcastResult:
        """Return the broadcast with the result of each group; raise NotFound."""
        return await self._store.read(lambda s: self._result(s, broadcast_id))

    def _result(self, session: Session, broadcast_id: int) -> BroadcastResult:
        broadcast, targets = _queued(session, broadcast_id)
        messages: dict[int, str] = {}
        for start in range(0, len(targets), BATCH):
            ids = [target.message for target in targets[start : start + BATCH]]
            items = session.exec(select(OutboxItem).where(col(OutboxItem.id).in_(ids))).all()
            messages |= {item.id or 0: self._outbox.state_of(item) for item in items}
        states: defaultdict[int, set[str]] = defaultdict(set)
        friends: dict[Friend, str] = {}
        for target in targets:
            state = messages.get(target.message, WorkState.SENT)  # only messages that were sent long ago are pruned
            if target.number == NO_GROUP:
                friends[target.account, target.room_id] = state
            else:
                states[target.number].add(state)
        return BroadcastResult(
            broadcast, {number: _combined(group_states) for number, group_states in states.items()}, friends
        )

    # ---- cancelling ----

    def cancel(self, session: Session, broadcast_id: int, actor: str) -> int:
        """Cancel the messages that have not been sent, inside a transaction; return their number, 0 if none is left.

        Idempotent. Raises NotFound.
        """
        write_bulk(session)
        broadcast, targets = _queued(session, broadcast_id)
        count = self._outbox.cancel(
            session, [target.message for target in targets], {target.account for target in targets}
        )
        if count:
            broadcast.state = BroadcastState.WITHDRAWN
            account = broadcast.account or targets[0].account
            self._audit.record(
                session, account, "broadcast_cancelled", actor, str(broadcast_id), Outcome.DONE, count=str(count)
            )
        return count


def _queued(session: Session, broadcast_id: int) -> tuple[Broadcast, Sequence[BroadcastTarget]]:
    broadcast = session.get(Broadcast, broadcast_id)
    if broadcast is None or broadcast.state not in QUEUED:
        raise NotFound(f"broadcast {broadcast_id}")
    query = select(BroadcastTarget).where(BroadcastTarget.broadcast == broadcast_id)
    return broadcast, session.exec(query.order_by(col(BroadcastTarget.number))).all()


def _combined(states: set[str]) -> str:
    """Combine the states of a group's rooms."""
    if states & FAILED:
        return WorkState.FAILED
    if len(states) == 1:
        return next(iter(states))
    return WorkState.SENDING if states & OPEN else WorkState.CANCELLED
