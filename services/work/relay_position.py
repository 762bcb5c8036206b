"""Position of an account in a relay's journal, stored in the transaction that stores the events."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlmodel import Session, col, select

from models.durable import Setting


def begin(session: Session, account: str, epoch: int | None = None) -> tuple[int, str]:
    """Return a new epoch, above all previous ones of the account, and the stored position."""
    return begin_all(session, {account: epoch})[account]


def begin_all(session: Session, epochs: Mapping[str, int | None]) -> dict[str, tuple[int, str]]:
    """Return a new epoch, above all previous ones, and the stored position, of each account.

    The epoch is that of the lease, or follows the clock, so that it is above the last one even after an old backup was
    restored.
    """
    keys = [key for account in epochs for key in (_epoch_key(account), _key(account))]
    rows = {row.key: row for row in session.exec(select(Setting).where(col(Setting.key).in_(keys)))}
    begun = {}
    for account, epoch in epochs.items():
        row = rows.get(_epoch_key(account)) or Setting(key=_epoch_key(account), value="0")
        new = max(int(row.value) + 1, int(time.time())) if epoch is None else epoch
        row.value = str(new)
        session.add(row)
        position = rows.get(_key(account))
        begun[account] = new, position.value if position else ""
    session.flush()
    return begun


def store(session: Session, account: str, position: str) -> None:
    """Store the position up to which all events are stored."""
    session.merge(Setting(key=_key(account), value=position))


def _key(account: str) -> str:
    return f"relay:{account}"


def _epoch_key(account: str) -> str:
    return f"relay-epoch:{account}"
