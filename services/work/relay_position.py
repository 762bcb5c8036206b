"""Position of an account in a relay's journal, stored in the transaction that stores the events."""

from __future__ import annotations

import time

from sqlmodel import Session

from models.durable import Setting


def begin(session: Session, account: str) -> tuple[int, str]:
    """Return a new epoch and the stored position, when a process starts to serve an account.

    The epoch is higher than all earlier ones. It follows the clock, so that this holds after restoring an old backup,
    too.
    """
    kept = session.get(Setting, _epoch_key(account))
    epoch = max(int(kept.value) + 1 if kept else 1, int(time.time()))
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
