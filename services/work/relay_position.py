"""Position of an account in a relay's journal, stored in the transaction that stores the events."""

from __future__ import annotations

import time

from sqlmodel import Session

from models.durable import Setting


def begin(session: Session, account: str, epoch: int | None = None) -> tuple[int, str]:
    """Return a new epoch, above all previous ones of the account, and the stored position.

    The epoch is that of the lease, or follows the clock, so that it is above the last one even after an old backup was
    restored.
    """
    if epoch is None:
        stored = session.get(Setting, _epoch_key(account))
        epoch = max(int(stored.value) + 1 if stored else 1, int(time.time()))
    session.merge(Setting(key=_epoch_key(account), value=str(epoch)))
    position = session.get(Setting, _key(account))
    return epoch, position.value if position else ""


def keep(session: Session, account: str, position: str) -> None:
    """Store the position up to which all events are stored."""
    session.merge(Setting(key=_key(account), value=position))


def _key(account: str) -> str:
    return f"relay:{account}"


def _epoch_key(account: str) -> str:
    return f"relay-epoch:{account}"
