"""Queued removals of blacklisted people (queue "remove:ACCOUNT")."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session

from config.texts import Texts
from models.durable import Priority
from models.groups import Qun
from services.work.outbox import Outbox

QUEUE: Final = "remove"


class RemovalQueue:
    """Queues removals inside a transaction."""

    def __init__(self, outbox: Outbox, texts: Texts) -> None:
        self._outbox = outbox
        self._texts = texts

    def add(self, session: Session, qun: Qun, contact_id: str, reason: str, actor: str) -> None:
        """Queue the removal of a blacklisted person from the group."""
        body = {"number": qun.number, "contact": contact_id, "reason": reason, "who": actor}
        self._outbox.add(session, f"{QUEUE}:{qun.account}", contact_id, body, priority=Priority.NOTICE)

    def add_returned(self, session: Session, qun: Qun, contact_id: str) -> None:
        """Queue the removal of a blacklisted person who joined again."""
        self.add(session, qun, contact_id, self._texts.reason_blacklisted, "guard")
