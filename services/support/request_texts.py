"""The texts of friend requests, which WeChat delivers again as the first message of the new friend."""

from __future__ import annotations

import json
from typing import Final

from sqlmodel import Session, col, select

from models.db import Store
from models.durable import OutboxItem
from services.clock import DAY, Clock
from services.text import normal

QUEUE: Final = "accept"  # the jobs of which also contain the texts
MAX_TEXTS: Final = 1_000  # in memory
VALID_SECONDS: Final = DAY  # after which a message with the same text is an ordinary one


class RequestTexts:
    """The latest texts, in memory and in the jobs of the requests."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._texts: dict[tuple[str, str], str] = {}  # by account and contact id

    def remember(self, account: str, contact_id: str, text: str) -> None:
        """Remember the text of a request."""
        self._texts[account, contact_id] = text
        if len(self._texts) > MAX_TEXTS:
            del self._texts[next(iter(self._texts))]

    def get(self, account: str, contact_id: str) -> str:
        """Return the text of the person's request, or ""."""
        return self._texts.get((account, contact_id), "")

    async def matches(self, account: str, contact_id: str, text: str) -> bool:
        """Whether this is the text of the person's request."""
        requested = self._texts.get((account, contact_id))
        if requested is None:
            requested = await self._store.read(lambda s: self._stored(s, account, contact_id))
        return requested != "" and normal(requested) == normal(text)

    def _stored(self, session: Session, account: str, contact_id: str) -> str:
        since = self._clock() - VALID_SECONDS
        query = select(OutboxItem.body).where(OutboxItem.queue == f"{QUEUE}:{account}", OutboxItem.key == contact_id)
        body = session.exec(query.where(OutboxItem.created_at >= since).order_by(col(OutboxItem.id).desc())).first()
        return str(json.loads(body).get("hello", "")) if body else ""
