"""Admins: WeChat ids of the config, those added by an admin, and those bound with the code printed at start.

The code is valid until an admin has been seen among an assistant's friends.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress

from sqlmodel import Session, col, select

from errors import InvalidParameter, NotFound
from models.accounts import Admin
from models.db import Store, after_commit
from models.durable import Outcome, Setting
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import MINUTE, Clock
from wechat.entities import Contact

log = logging.getLogger(__name__)
KEY = "admins"  # setting in which earlier versions stored the bound admin
ADMIN_SEEN = "admin_seen"
CODE = "admin_code"  # with its expiry, as JSON; stored only in a cluster, where processes share it
BY_CODE = "code"  # the actor for admins who bound themselves by the code
CODE_SECONDS = 30 * MINUTE
MAX_WRONG_ATTEMPTS = 10
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without characters that are easily confused


class LastAdmin(InvalidParameter):
    """The last admin cannot be removed."""


class Admins:
    """Adds and removes admins."""

    def __init__(self, store: Store, accounts: Accounts, audit: Audit, clock: Clock, *, shared: bool = False) -> None:
        """`shared`: several processes print the same code, because any of them may receive it."""
        self._shared = shared
        self._store = store
        self._accounts = accounts
        self._audit = audit
        self._clock = clock
        self.code = ""
        self._code_until = 0.0
        self._wrong_attempts = 0
        self._admin_seen = asyncio.Event()  # an admin was seen among the friends
        self._first = ""  # the first sender of the code; no one else can use it while the binding is being stored

    async def load(self) -> None:
        """Load the admins; create a one-time code until the first admin was seen in WeChat."""
        self._accounts.bind_admins([admin.contact_id for admin in await self._store.write(self._load)])
        stored = await self._store.read(lambda s: s.get(Setting, ADMIN_SEEN))
        if stored is None or not self._accounts.has_admin:
            self.code = "".join(secrets.choice(ALPHABET) for _ in range(8))
            self._code_until = self._clock() + CODE_SECONDS
            if self._shared:
                self.code, self._code_until = await self._store.write(self._share_code)

    def _share_code(self, session: Session) -> tuple[str, float]:
        """Return the code of another process if it is still valid, or else store this process's own."""
        stored = session.get(Setting, CODE)
        code, until = json.loads(stored.value) if stored else ("", 0.0)
        if until > self._clock() + CODE_SECONDS / 2:
            return str(code), float(until)
        session.merge(Setting(key=CODE, value=json.dumps([self.code, self._code_until])))
        return self.code, self._code_until

    async def reload(self) -> None:
        """Load the admins again after another process has changed them."""
        self._accounts.bind_admins([admin.contact_id for admin in await self._store.read(self.added_admins)])
        if await self._store.read(lambda s: s.get(Setting, ADMIN_SEEN)) is not None and self._accounts.has_admin:
            self.code = ""

    def _load(self, session: Session) -> Sequence[Admin]:
        old = session.get(Setting, KEY)
        for contact_id in json.loads(old.value) if old else []:
            self._insert(session, contact_id, "", BY_CODE)
            session.merge(Setting(key=ADMIN_SEEN, value=contact_id))
        if old is not None:
            session.delete(old)
        return self.added_admins(session)

    async def check_seen(self, account: str) -> None:
        """Invalidate the code once an admin is among an account's friends; called after its contacts were read."""
        friends = self._accounts.get(account).directory.contacts
        admin = next((id for id in self._accounts.all_admins() if id in friends and friends[id].friend), None)
        if self.code and admin is not None:
            await self._store.write(lambda s: s.merge(Setting(key=ADMIN_SEEN, value=admin)))
            self.code = ""
            self._admin_seen.set()

    async def code_to_show(self, seconds: float) -> str:
        """Return the code, "" if there is none. Admins of the config are looked for among the friends first, at most
        `seconds`."""
        if self.code and self._accounts.has_admin:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._admin_seen.wait()
        return self.code

    # ---- the one-time code ----

    def is_valid_code(self, code: str, contact_id: str) -> bool:
        """Check the code. It is valid until it expires, for the first person who sends it."""
        if not self.code or self._clock() > self._code_until:
            self.code = ""
            return False
        if not hmac.compare_digest(code.upper().encode(), self.code.encode()):
            self._wrong_attempts += 1
            if self._wrong_attempts >= MAX_WRONG_ATTEMPTS:
                log.warning(
                    "the code for the first admin was invalidated after %d wrong attempts", self._wrong_attempts
                )
                self.code = ""
            return False
        self._first = self._first or contact_id
        return self._first == contact_id

    def bind(self, session: Session, contact_id: str) -> None:
        """Make the person an admin, inside a transaction; the code is used up with it."""
        if self._bind(session, contact_id, "", BY_CODE):
            self._audit.record(session, "", "admin", f"person:{contact_id}", contact_id, Outcome.DONE)
        session.merge(Setting(key=ADMIN_SEEN, value=contact_id))
        if (shared := session.get(Setting, CODE)) is not None:
            session.delete(shared)
        after_commit(session, self._code_used)

    def _code_used(self) -> None:
        self.code = ""

    # ---- changes by an admin; inside a transaction ----

    def added_admins(self, session: Session) -> Sequence[Admin]:
        """Return the added admins, without those of the config."""
        return session.exec(select(Admin).order_by(col(Admin.id))).all()

    def friend(self, name: str) -> Contact:
        """Return an assistant's friend by WeChat id or 微信号, never by nickname; raise NotFound."""
        friends = {
            person.id: person
            for wechat in self._accounts
            for person in wechat.directory.find(name, friends=True)
            if name in (person.id, person.weixin)
        }
        if len(friends) != 1:
            raise NotFound(f"no friend {name}")
        return next(iter(friends.values()))

    def add(self, session: Session, contact_id: str, name: str, by: str) -> bool:
        """Make a person an admin, with an audit entry; return False if they already are."""
        new = self._bind(session, contact_id, name, by)
        if new:
            self._audit.record(session, "", "admin", by, contact_id, Outcome.DONE)
        return new

    def _bind(self, session: Session, contact_id: str, name: str, by: str) -> bool:
        is_admin = self._accounts.is_configured_admin(contact_id) or not self._insert(session, contact_id, name, by)
        after_commit(session, lambda: self._accounts.bind_admin(contact_id))
        return not is_admin

    def remove(self, session: Session, number: int, actor: str) -> Admin:
        """Remove an admin, with an audit entry; raise NotFound or LastAdmin."""
        admin = session.get(Admin, number)
        if admin is None:
            raise NotFound(f"admin {number}")
        if self._is_last(session, number):
            raise LastAdmin(admin.contact_id)
        contact_id = admin.contact_id
        session.delete(admin)
        self._audit.record(session, "", "admin_removed", actor, contact_id, Outcome.DONE)
        after_commit(session, lambda: self._accounts.unbind_admin(contact_id))
        return admin

    def _is_last(self, session: Session, number: int) -> bool:
        remaining = select(Admin).where(col(Admin.id) != number)
        return not self._accounts.configured_admins() and session.exec(remaining).first() is None

    def _insert(self, session: Session, contact_id: str, name: str, by: str) -> bool:
        if session.exec(select(Admin).where(Admin.contact_id == contact_id)).first() is not None:
            return False
        session.add(Admin(contact_id=contact_id, name=name, by=by, created_at=self._clock()))
        session.flush()
        return True
