"""Canned replies 快捷回复: added ones take precedence over those of the config."""

from __future__ import annotations

import re
from typing import Final

from sqlmodel import Session, col, select

from config.customer_service import HandoffSettings
from errors import InvalidParameter, NotFound
from models.db import Store, after_commit
from models.durable import Outcome
from models.support import CannedReply
from services.accounts.audit import Audit
from services.clock import Clock

_NAME: Final = re.compile(r"[^\s/／#＃@]{1,20}")  # it is written as `#12 /NAME` in the staff room


class CannedReplies:
    """Prepared replies by short names, cached in memory."""

    def __init__(self, store: Store, audit: Audit, settings: HandoffSettings, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._settings = settings
        self._clock = clock
        self._added: dict[str, str] = {}

    async def load(self) -> None:
        """Load the added replies."""
        query = select(CannedReply).order_by(col(CannedReply.name))
        self._added = {row.name: row.text for row in await self._store.read(lambda s: s.exec(query).all())}

    @property
    def all(self) -> dict[str, str]:
        """Return all replies by name."""
        return {**self._settings.canned, **self._added}

    def is_added(self, name: str) -> bool:
        """Whether people added the reply, so that it can be removed."""
        return name in self._added

    def put(self, session: Session, name: str, text: str, actor: str) -> None:
        """Add or change a reply, inside a transaction; raise InvalidParameter for an unusable name."""
        if not _NAME.fullmatch(name):
            raise InvalidParameter(f"name: allowed: {_NAME.pattern}")
        before = self.all.get(name, "")
        session.merge(CannedReply(name=name, text=text, by=actor, updated_at=self._clock()))
        self._audit.record(session, "", "canned", actor, name, Outcome.DONE, before=before, after=text)
        after_commit(session, lambda: self._added.update({name: text}))

    def remove(self, session: Session, name: str, actor: str) -> None:
        """Delete an added reply, inside a transaction; raise NotFound."""
        row = session.get(CannedReply, name)
        if row is None:
            raise NotFound(f"canned reply {name}")
        session.delete(row)
        self._audit.record(session, "", "canned_removed", actor, name, Outcome.DONE, before=row.text)
        after_commit(session, lambda: self._forget(name))

    def _forget(self, name: str) -> None:
        self._added.pop(name, None)
