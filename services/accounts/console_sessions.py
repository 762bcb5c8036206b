"""Login links and sessions of the console."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from errors import NotFound
from models.console import ConsoleSession, LoginLink
from models.db import Store
from models.durable import Outcome
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import HOUR, MINUTE, Clock

LINK_SECONDS: Final = 5 * MINUTE
IDLE_SECONDS: Final = 12 * HOUR
TOUCH_SECONDS: Final = MINUTE  # precision of `seen_at`
TERMINAL: Final = "terminal"  # contact id of someone who used the link printed on the terminal


class Role(StrEnum):
    """Permissions in the console."""

    ADMIN = "admin"  # everything
    AGENT = "agent"  # tickets, and reading everything else except secrets


@dataclass(frozen=True, slots=True)
class Visitor:
    """A logged-in user."""

    session_id: str
    contact_id: str  # TERMINAL for the link printed on the terminal
    account: str
    name: str
    role: Role
    csrf: str

    @property
    def actor(self) -> str:
        """The actor as written to the audit log."""
        return f"console:{self.contact_id}"


def hash_secret(secret: str) -> str:
    """Return the hash stored instead of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ConsoleSessions:
    """Links and sessions. Roles are checked at every request, so leaving the staff room ends access at once."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        audit: Audit,
        is_staff: Callable[[str, str], bool],
        clock: Clock,
        is_staff_elsewhere: Callable[[str, str], Awaitable[bool]] | None = None,
    ) -> None:
        """`is_staff_elsewhere`: asks the process that serves the account."""
        self._is_staff_elsewhere = is_staff_elsewhere
        self._store = store
        self._accounts = accounts
        self._audit = audit
        self._is_staff = is_staff
        self._clock = clock

    # ---- roles ----

    def role_of(self, account: str, contact_id: str) -> Role | None:
        """Return a person's role; None means no access."""
        if contact_id == TERMINAL or self._accounts.is_admin(account, contact_id):
            return Role.ADMIN
        is_served = account in self._accounts.names()
        return Role.AGENT if is_served and self._is_staff(account, contact_id) else None

    # ---- links ----

    def link(self, session: Session, account: str, contact_id: str, name: str) -> str:
        """Create a link and return its secret, inside a transaction; earlier links of the person become invalid."""
        now = self._clock()
        stale = (col(LoginLink.contact_id) == contact_id) | (col(LoginLink.expires_at) < now)
        session.connection().execute(delete(LoginLink).where(stale))
        secret = secrets.token_urlsafe(32)
        row = LoginLink(
            id=hash_secret(secret), contact_id=contact_id, account=account, name=name, expires_at=now + LINK_SECONDS
        )
        session.add(row)
        session.flush()
        return secret

    async def terminal_link(self) -> str:
        """Create a link to print on the terminal and return its secret; "" once there is an admin."""
        if self._accounts.has_admin:
            return ""
        return await self._store.write(lambda s: self.link(s, "", TERMINAL, ""))

    async def open(self, secret: str, address: str) -> str | None:
        """Exchange a link for a session and return the cookie's value; None if the link is unknown, used or expired."""
        token = secrets.token_urlsafe(32)
        opened = await self._store.write(lambda s: self._open(s, secret, token, address))
        return token if opened else None

    def _open(self, session: Session, secret: str, token: str, address: str) -> bool:
        now, link_id = self._clock(), hash_secret(secret)
        valid = (col(LoginLink.id) == link_id) & col(LoginLink.used_at).is_(None) & (col(LoginLink.expires_at) > now)
        if not session.connection().execute(update(LoginLink).where(valid).values(used_at=now)).rowcount:
            return False
        link = session.get_one(LoginLink, link_id)
        if link.contact_id == TERMINAL and self._accounts.has_admin:
            return False
        session.connection().execute(delete(ConsoleSession).where(col(ConsoleSession.seen_at) < now - IDLE_SECONDS))
        session.add(
            ConsoleSession(
                id=hash_secret(token), contact_id=link.contact_id, account=link.account, name=link.name,
                csrf=secrets.token_urlsafe(24), address=address, created_at=now, seen_at=now,
            )
        )  # fmt: skip
        self._audit.record(
            session, link.account, "console_login", f"console:{link.contact_id}", link.contact_id, Outcome.DONE,
            address=address,
        )  # fmt: skip
        return True

    # ---- sessions ----

    async def visitor(self, token: str) -> Visitor | None:
        """Return the user of a session cookie; None if the session is invalid or the role was lost."""
        row = await self._store.read(lambda s: s.get(ConsoleSession, hash_secret(token)))
        now = self._clock()
        if row is None or row.seen_at < now - IDLE_SECONDS:
            return None
        role = self.role_of(row.account, row.contact_id)
        if role is None and self._is_staff_elsewhere is not None and not self._accounts.holds(row.account):
            role = Role.AGENT if await self._is_staff_elsewhere(row.account, row.contact_id) else None
        if role is None:
            return None
        if row.seen_at < now - TOUCH_SECONDS:
            update_seen = update(ConsoleSession).where(col(ConsoleSession.id) == row.id).values(seen_at=now)
            await self._store.write(lambda s: s.connection().execute(update_seen))
        return Visitor(row.id, row.contact_id, row.account, row.name, role, row.csrf)

    def end_all(self, session: Session, account: str, contact_id: str) -> int:
        """End all sessions and links of a person, inside a transaction; return the number of sessions."""
        session.connection().execute(delete(LoginLink).where(col(LoginLink.contact_id) == contact_id))
        statement = delete(ConsoleSession).where(col(ConsoleSession.contact_id) == contact_id)
        ended = session.connection().execute(statement).rowcount
        self._audit.record(session, account, "console_logout", f"person:{contact_id}", contact_id, Outcome.DONE)
        return ended

    def end(self, session: Session, id_prefix: str, actor: str) -> None:
        """End the session whose id begins with `id_prefix`, inside a transaction; raise NotFound."""
        sessions = [row for row in self.open_sessions(session) if row.id.startswith(id_prefix)]
        if len(sessions) != 1:
            raise NotFound("session")
        session.delete(sessions[0])
        self._audit.record(session, sessions[0].account, "console_logout", actor, sessions[0].contact_id, Outcome.DONE)

    def open_sessions(self, session: Session) -> Sequence[ConsoleSession]:
        """Return the open sessions, most recently used first."""
        alive = col(ConsoleSession.seen_at) >= self._clock() - IDLE_SECONDS
        return session.exec(select(ConsoleSession).where(alive).order_by(col(ConsoleSession.seen_at).desc())).all()
