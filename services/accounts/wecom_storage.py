"""Database storage of an account on the official channel; implements wecom.storage.Storage."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from sqlmodel import Session, select

from models.db import Store, after_commit
from models.durable import InboxEvent
from models.wecom import WecomAccountRow, WecomCustomer
from services.accounts.wecom_group_storage import WecomGroupStorage
from services.clock import DAY, Clock
from wechat.events import RawEvent
from wecom.kf_messages import CODE_SECONDS
from wecom.storage import AccessToken, Allowance, IncomingMessage, TakenCode

ALLOWED: Final = 5  # messages to a customer after their last one
WINDOW: Final = 2 * DAY
StoreEvents = Callable[[Sequence[RawEvent], Callable[[Session], None]], Awaitable[None]]


EARLIER_PREFIX: Final = "~"  # prefix of the ids of messages that were sent before the customer's last message


def _earlier_key(message_id: str) -> str:
    return EARLIER_PREFIX + message_id.removeprefix(EARLIER_PREFIX)


def _counted(row: WecomCustomer) -> int:
    return sum(not id.startswith(EARLIER_PREFIX) for id in row.sent)


class WecomStorage(WecomGroupStorage):
    """The rows of one account.

    `store_events` stores events for the inbox and runs a function in the same transaction.
    """

    def __init__(
        self, store: Store, account: str, clock: Clock, store_events: StoreEvents, on_message: Callable[[], None]
    ) -> None:
        super().__init__(store, account)
        self._clock = clock
        self._store_events = store_events
        self._on_message = on_message  # called when a customer has written: messages that waited for that can be sent

    async def prefix(self) -> str:
        """Return a random prefix of eight characters, unique to this database."""
        return await self._store.write(self._prefix)

    def _prefix(self, session: Session) -> str:
        row = self._row(session)
        row.prefix = row.prefix or secrets.token_hex(4)
        session.add(row)
        return row.prefix

    async def cursor(self) -> str:
        """Return the cursor from which to read."""
        row = await self._store.read(lambda s: s.get(WecomAccountRow, self._account))
        return row.cursor if row else ""

    async def store_page(self, raws: Sequence[RawEvent], incoming: Sequence[IncomingMessage], cursor: str) -> None:
        """Store events, the allowances they grant, and the cursor in one transaction."""

        def write(session: Session) -> None:
            row = self._row(session)
            row.cursor = cursor
            session.add(row)
            for message in incoming:
                self._record(session, message)
            if any(message.spoke for message in incoming):
                after_commit(session, self._on_message)

        await self._store_events(raws, write)

    def _record(self, session: Session, incoming: IncomingMessage) -> None:
        row = self._customer(session, incoming.contact_id)
        if incoming.spoke and incoming.at >= row.heard_at:  # the platform's timestamps are whole seconds
            row.heard_at = incoming.at
            row.sent = [_earlier_key(id) for id in row.sent[-ALLOWED:]]
        if incoming.code:
            row.code, row.code_until, row.code_for = incoming.code, incoming.at + CODE_SECONDS, ""
        session.add(row)
        session.flush()

    async def token(self) -> AccessToken | None:
        """Return the last access token."""
        row = await self._store.read(lambda s: s.get(WecomAccountRow, self._account))
        return AccessToken(row.token, row.token_until) if row and row.token else None

    async def store_token(self, token: AccessToken) -> None:
        """Store an access token for all processes."""

        def write(session: Session) -> None:
            row = self._row(session)
            row.token, row.token_until = token.value, token.expires_at
            session.add(row)

        await self._store.write(write)

    async def spend(self, contact_id: str, message_id: str) -> Allowance:
        """Count a message against the customer's allowance, once per message id."""

        def count(session: Session) -> Allowance:
            row = self._customer(session, contact_id)
            if message_id in row.sent:
                return Allowance.REPEATED
            if row.heard_at <= self._clock() - WINDOW:
                return Allowance.SILENT
            if _counted(row) >= ALLOWED:
                return Allowance.USED_UP
            was_tried = _earlier_key(message_id) in row.sent
            row.sent = [*(id for id in row.sent if id != _earlier_key(message_id)), message_id]
            session.add(row)
            return Allowance.REPEATED if was_tried else Allowance.GRANTED

        return await self._store.write(count)

    async def mark_exhausted(self, contact_id: str) -> None:
        """Mark the allowance as used up until the customer writes; the rejected message does not count as sent."""

        def note(session: Session) -> None:
            row = self._customer(session, contact_id)
            row.sent = [f"full-{n}" for n in range(ALLOWED)]
            session.add(row)

        await self._store.write(note)

    async def remaining(self, contact_id: str, message_id: str) -> int:
        """Return how many messages the customer's allowance still has, this one included if it was counted."""

        def count(session: Session) -> int:
            row = self._customer(session, contact_id)
            is_open = row.heard_at > self._clock() - WINDOW
            return ALLOWED - _counted(row) + (message_id in row.sent) if is_open else 0

        return await self._store.read(count)

    async def take_code(self, contact_id: str, message_id: str) -> TakenCode | None:
        """Return the code for a message; a code belongs to one message."""

        def take(session: Session) -> TakenCode | None:
            row = self._customer(session, contact_id)
            was_tried = row.code_for == message_id
            if not row.code or not (was_tried or (row.code_until >= self._clock() and not row.code_for)):
                return None
            row.code_for = message_id
            session.add(row)
            return TakenCode(row.code, was_tried)

        return await self._store.write(take)

    async def store_code(self, contact_id: str, code: str, until: float) -> None:
        """Store a code that was given with the response of a call."""

        def write(session: Session) -> None:
            row = self._customer(session, contact_id)
            row.code, row.code_until, row.code_for = code, until, ""
            session.add(row)

        await self._store.write(write)

    async def payload(self, message_id: str) -> dict[str, Any]:
        """Return a message as received from the platform."""
        query = select(InboxEvent.data).where(InboxEvent.account == self._account, InboxEvent.event_id == message_id)
        data = await self._store.read(lambda s: s.exec(query).first())
        payload: dict[str, Any] = json.loads(data) if data else {}
        return payload

    def _row(self, session: Session) -> WecomAccountRow:
        return session.get(WecomAccountRow, self._account) or WecomAccountRow(account=self._account)

    def _customer(self, session: Session, contact_id: str) -> WecomCustomer:
        row = session.get(WecomCustomer, (self._account, contact_id))
        return row or WecomCustomer(account=self._account, contact_id=contact_id)
