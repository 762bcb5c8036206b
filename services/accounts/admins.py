"""Who may command the assistant: the config's WeChat ids, and whoever bound themselves with the start's code."""

from __future__ import annotations

import hmac
import json
import secrets

from sqlmodel import Session

from models.db import Store, after_commit
from models.durable import Setting
from services.accounts.registry import Accounts

KEY = "admins"
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that is misread


class Admins:
    """Binds the first admin."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts
        self.code = ""
        self._first = ""  # who sent the code first: nobody else can use it, also while that is being written

    async def load(self) -> None:
        """Read the bound admins; makes a one-time code when there is no admin at all."""
        row = await self._store.read(lambda s: s.get(Setting, KEY))
        for contact_id in json.loads(row.value) if row else []:
            self._accounts.bind_admin(contact_id)
        if not self._accounts.has_admin:
            self.code = "".join(secrets.choice(ALPHABET) for _ in range(8))

    def fits(self, code: str, contact_id: str) -> bool:
        """Whether this is the start's code, and nobody else has used it yet."""
        if not self.code or not hmac.compare_digest(code.upper().encode(), self.code.encode()):
            return False
        self._first = self._first or contact_id
        return self._first == contact_id

    def bind(self, session: Session, contact_id: str) -> None:
        """Make the person an admin, inside a transaction; the code is used up with it."""
        session.merge(Setting(key=KEY, value=json.dumps([contact_id])))

        def bound() -> None:
            self.code = ""
            self._accounts.bind_admin(contact_id)

        after_commit(session, bound)
