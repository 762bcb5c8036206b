"""The greeting of new friends."""

from __future__ import annotations

from sqlmodel import Session, col

from config.customer_service import CustomerService
from config.texts import fill
from models.conversations import Greeted
from models.db import Store, after_commit
from services.accounts.registry import Accounts
from services.clock import Clock
from services.messaging.messages import Messages


class Greetings:
    """Greets new friends."""

    def __init__(
        self, store: Store, accounts: Accounts, messages: Messages, settings: CustomerService, clock: Clock
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._messages = messages
        self._settings = settings
        self._clock = clock

    def greet(self, session: Session, account: str, contact_id: str, *, again: bool = False) -> None:
        """Greet a new friend, inside a transaction; only once unless `again`. Official accounts are not greeted."""
        directory = self._accounts.get(account).directory
        contact = directory.contacts.get(contact_id)
        is_official = contact is not None and contact.official
        if not self._settings.greeting or is_official or self._accounts.is_own(contact_id):
            return
        row = self._store.insert(Greeted).values(account=account, contact_id=contact_id, at=self._clock())
        # not rowcount: psycopg reports -1 for an insert that did nothing
        inserted = row.on_conflict_do_nothing().returning(col(Greeted.contact_id))
        if session.connection().execute(inserted).first() or again:
            assistant = directory.contacts.get(self._accounts.get(account).self_id)
            greeting = fill(self._settings.greeting, assistant=assistant.name if assistant else account)
            self._messages.queue(session, account, contact_id, greeting)

    async def welcome(self, account: str, contact_id: str, reply: str) -> None:
        """Greet a person whose friend request was accepted, and send them `reply`, if any."""

        def write(session: Session) -> None:
            after_commit(session, lambda: self._accounts.get(account).directory.befriend(contact_id))
            self.greet(session, account, contact_id)
            if reply:
                self._messages.queue(session, account, contact_id, reply)

        await self._store.write(write)
