"""What an account of the official channel keeps, in the database (wecom.storage.Storage)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from sqlmodel import Session, select

from models.db import Store, after_commit
from models.durable import InboxEvent
from models.wecom import WecomAccountRow, WecomCustomer
from services.clock import DAY, Clock
from wechat.events import RawEvent
from wecom.kf_messages import WELCOME_SECONDS
from wecom.storage import AccessToken, Allowance, Heard

ALLOWED: Final = 5  # messages to a customer since they last spoke
WINDOW: Final = 2 * DAY
StoreEvents = Callable[[Sequence[RawEvent], Callable[[Session], None]], Awaitable[None]]


class WecomStorage:
    """The rows of one account. `store_events`: keeps events for the inbox, and runs what belongs to them in the same
    transaction."""

    def __init__(
        self, store: Store, account: str, clock: Clock, store_events: StoreEvents, spoke: Callable[[], None]
    ) -> None:
        self._store = store
        self._account = account
        self._clock = clock
        self._store_events = store_events
        self._spoke = spoke  # told when customers have spoken: what waited for that may go

    async def prefix(self) -> str:
        """Eight characters that are this database's own."""
        return await self._store.write(self._prefix)

    def _prefix(self, session: Session) -> str:
        row = self._row(session)
        row.prefix = row.prefix or secrets.token_hex(4)
        session.add(row)
        return row.prefix

    async def cursor(self) -> str:
        """Where reading goes on."""
        row = await self._store.read(lambda s: s.get(WecomAccountRow, self._account))
        return row.cursor if row else ""

    async def take_page(self, raws: Sequence[RawEvent], heard: Sequence[Heard], cursor: str) -> None:
        """Keep events, what they allow and the cursor, in one transaction."""

        def keep(session: Session) -> None:
            row = self._row(session)
            row.cursor = cursor
            session.add(row)
            for one in heard:
                self._hear(session, one)
            if any(one.spoke for one in heard):
                after_commit(session, self._spoke)

        await self._store_events(raws, keep)

    def _hear(self, session: Session, heard: Heard) -> None:
        row = self._customer(session, heard.contact_id)
        if heard.spoke and heard.at >= row.heard_at:  # the platform tells time in whole seconds
            row.heard_at, row.sent = heard.at, []
        if heard.code:
            row.code, row.code_until, row.code_for = heard.code, heard.at + WELCOME_SECONDS, ""
        session.add(row)
        session.flush()

    async def token(self) -> AccessToken | None:
        """The token that was fetched last."""
        row = await self._store.read(lambda s: s.get(WecomAccountRow, self._account))
        return AccessToken(row.token, row.token_until) if row and row.token else None

    async def keep_token(self, token: AccessToken) -> None:
        """Share a token."""

        def keep(session: Session) -> None:
            row = self._row(session)
            row.token, row.token_until = token.value, token.expires_at
            session.add(row)

        await self._store.write(keep)

    async def spend(self, contact_id: str, message_id: str) -> Allowance:
        """Count a message against the customer's allowance, once."""

        def count(session: Session) -> Allowance:
            row = self._customer(session, contact_id)
            if message_id in row.sent:
                return Allowance.REPEATED
            if row.heard_at <= self._clock() - WINDOW:
                return Allowance.SILENT
            if len(row.sent) >= ALLOWED:
                return Allowance.USED_UP
            row.sent = [*row.sent, message_id]
            session.add(row)
            return Allowance.GRANTED

        return await self._store.write(count)

    async def used_up(self, contact_id: str) -> None:
        """Nothing more may be said until the customer speaks; the message that found out is not counted as said."""

        def note(session: Session) -> None:
            row = self._customer(session, contact_id)
            row.sent = [f"full-{n}" for n in range(ALLOWED)]
            session.add(row)

        await self._store.write(note)

    async def take_code(self, contact_id: str, message_id: str) -> str:
        """The code to welcome the customer with, for one message."""

        def take(session: Session) -> str:
            row = self._customer(session, contact_id)
            if not row.code or row.code_until < self._clock() or row.code_for not in ("", message_id):
                return ""
            row.code_for = message_id
            session.add(row)
            return row.code

        return await self._store.write(take)

    async def payload(self, message_id: str) -> dict[str, Any]:
        """A message as the platform sent it."""
        wanted = select(InboxEvent.data).where(InboxEvent.account == self._account, InboxEvent.event_id == message_id)
        data = await self._store.read(lambda s: s.exec(wanted).first())
        payload: dict[str, Any] = json.loads(data) if data else {}
        return payload

    def _row(self, session: Session) -> WecomAccountRow:
        return session.get(WecomAccountRow, self._account) or WecomAccountRow(account=self._account)

    def _customer(self, session: Session, contact_id: str) -> WecomCustomer:
        row = session.get(WecomCustomer, (self._account, contact_id))
        return row or WecomCustomer(account=self._account, contact_id=contact_id)
