"""The staff room of each account: a WeChat group identified by its id, never by its name alone."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

from sqlmodel import Session, col, select

from errors import NotFound
from models.db import Store, after_commit
from models.durable import Outcome, Setting
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.text import normal
from wechat.entities import Room

log = logging.getLogger(__name__)
PREFIX: Final = "staff_room:"  # prefix of the setting's key, followed by the account


class StaffRooms:
    """Bindings of staff rooms.

    An admin binds a room. Without a binding, a room is bound automatically if it is the only one with the configured
    topic and its WeChat owner is an admin, because anyone can give a group that name.
    """

    def __init__(self, store: Store, accounts: Accounts, audit: Audit, topic: str) -> None:
        self._store = store
        self._accounts = accounts
        self._audit = audit
        self.topic = topic
        self._bound: dict[str, str] = {}  # account -> room id

    async def load(self, accounts: Collection[str] | None = None) -> None:
        """Read the bindings of some accounts, or all of them."""
        query = select(Setting).where(col(Setting.key).startswith(PREFIX))
        if accounts is not None:
            query = select(Setting).where(col(Setting.key).in_([PREFIX + account for account in accounts]))
        for row in await self._store.read(lambda s: s.exec(query).all()):
            self._bound[row.key.removeprefix(PREFIX)] = row.value

    def of(self, account: str) -> Room | None:
        """Return the account's staff room; None if it is not bound or the account is no longer in it."""
        rooms = self._accounts.get(account).directory.rooms
        if account in self._bound:
            return rooms.get(self._bound[account])
        candidates = self._accounts.get(account).directory.room_by_topic(self.topic)
        if len(candidates) != 1 or not self._accounts.is_admin(account, candidates[0].owner_id):
            return None
        room_id = self._bound[account] = candidates[0].id
        self._store.write_in_background(lambda s: self.bind(s, account, room_id, "automatic"))
        return candidates[0]

    def bound_id(self, account: str) -> str:
        """Return the id of the bound room, or ""."""
        return self._bound.get(account, "")

    def is_staff_room(self, account: str, room_id: str) -> bool:
        """Whether this room is the account's staff room."""
        if account not in self._bound:
            self.of(account)
        return self._bound.get(account) == room_id

    def has_member(self, account: str, contact_id: str) -> bool:
        """Whether the person is in the account's staff room."""
        room = self.of(account)
        return room is not None and contact_id in room.member_ids

    def bind(self, session: Session, account: str, room_id: str, actor: str) -> None:
        """Make this room the account's staff room, inside a transaction; NotFound when the account is not in it."""
        if room_id not in self._accounts.get(account).directory.rooms:
            raise NotFound(f"room {room_id}")
        session.merge(Setting(key=PREFIX + account, value=room_id))
        before = self._bound.get(account, "")
        detail = {} if before in ("", room_id) else {"before": before}
        self._audit.record(session, account, "staff_room", actor, room_id, Outcome.DONE, **detail)

        def bound() -> None:
            self._bound[account] = room_id
            log.info("%s: %s is now the staff room, set by %s", account, room_id, actor)

        after_commit(session, bound)

    def is_reserved(self, topic: str) -> bool:
        """Whether a group must not have this topic, because it is the staff room's."""
        return normal(topic) == normal(self.topic)
