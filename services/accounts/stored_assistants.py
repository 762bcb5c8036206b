"""Assistants added at run time, stored with the keys of config.yaml."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from config.settings import AssistantSettings
from models.accounts import StoredAssistant
from models.db import Store
from models.durable import Outcome
from services.accounts.audit import Audit
from services.clock import Clock


class StoredAssistants:
    """Reads and writes the stored assistants."""

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def load(self) -> list[AssistantSettings]:
        """Return the added assistants, ordered by account."""
        rows: Sequence[StoredAssistant] = await self._store.read(
            lambda s: s.exec(select(StoredAssistant).order_by(col(StoredAssistant.account))).all()
        )
        return [AssistantSettings(**row.settings) for row in rows]

    async def put(self, settings: AssistantSettings, actor: str) -> bool:
        """Store an assistant; return whether it is new."""
        return await self._store.write(lambda s: self._put(s, settings, actor))

    def _put(self, session: Session, settings: AssistantSettings, actor: str) -> bool:
        row = session.get(StoredAssistant, settings.account)
        new, now = row is None, self._clock()
        row = row or StoredAssistant(account=settings.account, settings={}, by=actor, created_at=now)
        before = "" if new else _served_at(AssistantSettings(**row.settings))
        row.sqlmodel_update({"settings": settings.model_dump(), "by": actor, "updated_at": now})
        session.add(row)
        detail = {"new": str(new).lower(), "before": before, "after": _served_at(settings)}
        self._audit.record(session, settings.account, "assistant", actor, settings.account, Outcome.DONE, **detail)
        return new

    async def remove(self, account: str, actor: str) -> bool:
        """Delete an assistant; return False if it was not added at run time."""
        return await self._store.write(lambda s: self._remove(s, account, actor))

    def _remove(self, session: Session, account: str, actor: str) -> bool:
        row = session.get(StoredAssistant, account)
        if row is None:
            return False
        session.delete(row)
        self._audit.record(session, account, "assistant_removed", actor, account, Outcome.DONE)
        return True


def _served_at(settings: AssistantSettings) -> str:
    """Return where an account is served, for the audit log, without secrets."""
    return settings.endpoint or settings.authority or settings.open_kfid
