"""The results of broadcasts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from sqlmodel import Session, col, select

from errors import NotFound
from models.db import Store
from models.durable import OutboxItem, WorkState
from models.rules import Broadcast, BroadcastState, BroadcastTarget
from services.outreach.broadcast_types import NO_GROUP, BroadcastResult, Friend

BATCH: Final = 500  # ids in one query


class BroadcastResults:
    """Reads the results. `state_of`: returns the state of a message that is queued or sent."""

    def __init__(self, store: Store, state_of: Callable[[OutboxItem], str]) -> None:
        self._store = store
        self._state_of = state_of

    async def get(self, broadcast_id: int) -> BroadcastResult:
        """Return the broadcast with the result of each group; raise NotFound."""
        result = await self._store.read(lambda s: self._read(s, broadcast_id))
        if result is None:
            raise NotFound(f"broadcast {broadcast_id}")
        return result

    def _read(self, session: Session, broadcast_id: int) -> BroadcastResult | None:
        broadcast = session.get(Broadcast, broadcast_id)
        if broadcast is None or broadcast.state != BroadcastState.SENT:
            return None
        wanted = select(BroadcastTarget).where(BroadcastTarget.broadcast == broadcast_id)
        targets = session.exec(wanted.order_by(col(BroadcastTarget.number))).all()
        messages = self._message_states(session, targets)
        groups: defaultdict[int, set[str]] = defaultdict(set)
        friends: dict[Friend, str] = {}
        for target in targets:
            state = messages.get(target.message, WorkState.SENT)  # only messages that were sent long ago are pruned
            if target.number == NO_GROUP:
                friends[target.account, target.room_id] = state
            else:
                groups[target.number].add(state)
        return BroadcastResult(broadcast, {number: _combined(states) for number, states in groups.items()}, friends)

    def _message_states(self, session: Session, targets: Sequence[BroadcastTarget]) -> dict[int, str]:
        states: dict[int, str] = {}
        for at in range(0, len(targets), BATCH):
            ids = [target.message for target in targets[at : at + BATCH]]
            items = session.exec(select(OutboxItem).where(col(OutboxItem.id).in_(ids))).all()
            states |= {item.id or 0: self._state_of(item) for item in items}
        return states


def _combined(states: set[str]) -> str:
    """Combine the states of a group's rooms."""
    if states & {WorkState.FAILED, WorkState.UNKNOWN}:
        return WorkState.FAILED
    return next(iter(states)) if len(states) == 1 else WorkState.SENDING
