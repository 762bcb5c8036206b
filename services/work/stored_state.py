"""What is stored of the accounts that this process begins to serve, read for many accounts at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from models.db import Store
from models.durable import DirectoryRow, InboxEvent
from services.work import relay_position
from services.work.inbox_table import open_events
from services.work.read_batcher import ReadBatcher

_Start = tuple[str, int | None]  # an account and the epoch of its lease, if it has one


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state of one account. `directory`: its contacts and groups, packed; None if it never was online."""

    directory: bytes | None
    events: Sequence[InboxEvent]
    epoch: int
    position: str


class StoredStates:
    """Reads the states of accounts and stores their new epochs; concurrent calls share a transaction."""

    def __init__(self, store: Store) -> None:
        # Executed by the writer, after the pending writes of an earlier inbox of the account.
        self._begin = ReadBatcher[_Start, StoredState](store.write, _begin)

    async def begin(self, account: str, epoch: int | None) -> StoredState:
        """Begin to serve an account; return its state. `epoch`: of its lease, if it has one."""
        state = await self._begin((account, epoch))
        if state is None:
            raise LookupError(account)
        return state


def _begin(session: Session, starts: Collection[_Start]) -> Mapping[_Start, StoredState]:
    epochs = dict(starts)
    begun = relay_position.begin_all(session, epochs)
    packed = select(DirectoryRow.account, DirectoryRow.data).where(col(DirectoryRow.account).in_(epochs))
    directories = dict(session.exec(packed).all())
    events = open_events(session, epochs)
    return {
        (account, epoch): StoredState(directories.get(account), events.get(account, ()), *begun[account])
        for account, epoch in epochs.items()
    }
