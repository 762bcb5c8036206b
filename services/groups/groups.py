"""All groups, cached in memory. Changes are written to the database; the cache follows each commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlmodel import Session, col, delete, select

from errors import InvalidParameter, InviteFailed, TokenExpired, TokenInvalid
from models.db import Store, after_commit
from models.groups import Qun, QunRoom, QunState
from services.accounts.registry import Accounts
from services.clock import Clock
from wechat.entities import Room
from wechat.interface import Capability


class Groups:
    """Looks up groups by number, code, token, public id and room."""

    def __init__(self, store: Store, accounts: Accounts, public_url: str, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._public_url = public_url
        self._clock = clock
        self._quns: dict[int, Qun] = {}
        self._rooms: dict[int, list[QunRoom]] = {}
        self._by_code: dict[str, int] = {}
        self._by_token: dict[str, int] = {}
        self._by_public_id: dict[str, int] = {}
        self._by_room: dict[tuple[str, str], int] = {}

    async def load(self, accounts: Collection[str] | None = None) -> None:
        """Load the groups of some accounts, or all groups."""
        groups, rows = select(Qun), select(QunRoom).order_by(col(QunRoom.ordinal))
        if accounts is not None:
            groups = groups.where(col(Qun.account).in_(accounts))
            rows = rows.where(col(QunRoom.account).in_(accounts))
        quns = await self._store.read(lambda s: s.exec(groups).all())
        rooms = await self._store.read(lambda s: s.exec(rows).all())
        for qun in quns:
            self._cache_group(qun)
        for room in rooms:
            self._cache_room(room)

    def drop(self, account: str) -> list[int]:
        """Forget the groups of an account; return their numbers."""
        dropped = [qun for qun in self._quns.values() if qun.account == account]
        for qun in dropped:
            self._forget(qun)
        return [qun.number for qun in dropped]

    def __iter__(self) -> Iterator[Qun]:
        return iter(list(self._quns.values()))

    def by_number(self, number: int) -> Qun | None:
        """Return the group of this number."""
        return self._quns.get(number)

    def by_code(self, code: str) -> Qun | None:
        """Return the group of this code."""
        return self._quns.get(self._by_code.get(code, 0))

    def named(self, name: str | int) -> Qun | None:
        """Return the group of this number or code; raise InvalidParameter if it matches two groups."""
        if isinstance(name, int):
            return self.by_number(name)
        by_code = self.by_code(name)
        by_number = self.by_number(int(name)) if name.isascii() and name.isdigit() else None
        if by_code and by_number and by_code.number != by_number.number:
            raise InvalidParameter("qun: the code of one group is the number of another")
        return by_code or by_number

    def by_token(self, token: str) -> Qun | None:
        """Return the group of this join token."""
        return self._quns.get(self._by_token.get(token, 0))

    def joinable_by(self, token: str) -> Qun:
        """Return the group of a join token. Raises TokenInvalid, TokenExpired, or InviteFailed while it is not in
        WeChat.
        """
        qun = self.by_token(token)
        if qun is None:
            raise TokenInvalid
        if self.token_expired(qun):
            raise TokenExpired(str(qun.number))
        if qun.state == QunState.CLOSED:
            raise TokenExpired(f"group {qun.number} is closed")
        if qun.state != QunState.ACTIVE:
            raise InviteFailed(f"group {qun.number} is {qun.state}")
        return qun

    def by_public_id(self, public_id: str) -> Qun | None:
        """Return the group of this landing page id."""
        return self._quns.get(self._by_public_id.get(public_id, 0))

    def by_room(self, account: str, room_id: str) -> Qun | None:
        """Return the group of a WeChat room."""
        return self._quns.get(self._by_room.get((account, room_id), 0))

    def rooms(self, qun: Qun) -> list[QunRoom]:
        """Return the group's active rooms, in order."""
        return [room for room in self._rooms.get(qun.number, []) if room.room_id and room.state == QunState.ACTIVE]

    def all_rooms(self, qun: Qun) -> list[QunRoom]:
        """Return all rooms of the group, including unfinished and lost ones."""
        return list(self._rooms.get(qun.number, []))

    def is_active(self, account: str, room_id: str) -> bool:
        """Whether a WeChat room is an active room of a group."""
        qun = self.by_room(account, room_id)
        return qun is not None and any(room.room_id == room_id for room in self.rooms(qun))

    def wechat_rooms(self, qun: Qun) -> list[Room]:
        """Return the group's rooms as shown by WeChat."""
        rooms = self._accounts.get(qun.account).directory.rooms
        return [rooms[room.room_id] for room in self.rooms(qun) if room.room_id in rooms]

    def supports(self, qun: Qun, capability: Capability) -> bool:
        """Whether the group's channel supports this."""
        return capability in self._accounts.get(qun.account).capabilities

    def member_count(self, qun: Qun) -> int:
        """Count the members of all its rooms."""
        wechat = self._accounts.get(qun.account)
        outsider = {wechat.self_id} if Capability.JOIN_BY_CODE in wechat.capabilities else set()
        member_sets = [room.member_ids - outsider for room in self.wechat_rooms(qun)]
        return len(member_sets[0]) if len(member_sets) == 1 else len(set().union(*member_sets))

    def room_of(self, qun: Qun, contact_id: str) -> Room | None:
        """Return the room of the group that the person is in."""
        return next((room for room in self.wechat_rooms(qun) if contact_id in room.member_ids), None)

    def owner_in(self, qun: Qun, room: Room) -> str:
        """Return the WeChat id of the owner of one of its rooms, who has the owner's rights there.

        An assistant owns the rooms it makes, for the person the group was made for. Once a room is transferred in
        WeChat, only the owner shown there has the rights. Some gateways report no owner: nothing changes there. A
        customer group of WeCom is owned by an employee from the start, so the same rule applies.
        """
        return qun.owner_id if not room.owner_id or self._accounts.is_own(room.owner_id) else room.owner_id

    def owners(self, qun: Qun) -> tuple[str, ...]:
        """Return the owners of its rooms, usually one."""
        return tuple(dict.fromkeys(self.owner_in(qun, room) for room in self.wechat_rooms(qun))) or (qun.owner_id,)

    def owner_to_notify(self, qun: Qun) -> str:
        """Return whom notices go to: an owner who is a friend, else the person the group was made for."""
        contacts = self._accounts.get(qun.account).directory.contacts
        friends = (id for id in self.owners(qun) if (contact := contacts.get(id)) is not None and contact.friend)
        return next(friends, qun.owner_id)

    def url(self, qun: Qun) -> str:
        """Return the URL of the landing page."""
        return f"{self._public_url}/weiqun/{qun.public_id}"

    def token_expired(self, qun: Qun) -> bool:
        """Whether the join token has expired."""
        return qun.token_expires_at is not None and qun.token_expires_at <= self._clock()

    # ---- changes ----

    def insert(self, session: Session, qun: Qun, room: QunRoom) -> Qun:
        """Insert a group and its first room inside a transaction; the index is updated after the commit."""
        session.add(qun)
        session.flush()
        after_commit(session, lambda: self._cache_group(qun))
        self.insert_room(session, room)
        return qun

    def insert_room(self, session: Session, room: QunRoom) -> QunRoom:
        """Insert a further room of a group inside a transaction; the index is updated after the commit."""
        session.add(room)
        session.flush()
        after_commit(session, lambda: self._cache_room(room))
        return room

    def patch(self, session: Session, number: int, **changes: Any) -> Qun:
        """Update a group inside a transaction; the index is updated after the commit."""
        qun = session.get_one(Qun, number)
        qun.sqlmodel_update(changes)
        session.add(qun)
        session.flush()
        after_commit(session, lambda: self._cache_group(qun))
        return qun

    def patch_room(self, session: Session, room: QunRoom, **changes: Any) -> QunRoom:
        """Update a room inside a transaction; the index is updated after the commit."""
        row = session.get_one(QunRoom, room.id)
        row.sqlmodel_update(changes)
        session.add(row)
        session.flush()
        after_commit(session, lambda: self._cache_room(row))
        return row

    def delete(self, session: Session, number: int) -> None:
        """Delete a group that does not exist in WeChat and its rooms inside a transaction; the index follows the
        commit.
        """
        qun = session.get_one(Qun, number)
        session.connection().execute(delete(QunRoom).where(col(QunRoom.number) == number))
        session.connection().execute(delete(Qun).where(col(Qun.number) == number))
        after_commit(session, lambda: self._forget(qun))

    async def change(self, number: int, **changes: Any) -> Qun:
        """Update a group in its own transaction."""
        return await self._store.write(lambda s: self.patch(s, number, **changes))

    def _forget(self, qun: Qun) -> None:
        self._quns.pop(qun.number, None)
        for room in self._rooms.pop(qun.number, ()):
            self._by_room.pop((qun.account, room.room_id or ""), None)
        self._by_code.pop(qun.code, None)
        self._by_token.pop(qun.token, None)
        self._by_public_id.pop(qun.public_id, None)

    def _cache_group(self, qun: Qun) -> None:
        if not self._accounts.holds(qun.account):
            return
        before = self._quns.get(qun.number)
        if before is not None and before.token != qun.token:
            self._by_token.pop(before.token, None)
        self._quns[qun.number] = qun
        self._by_code[qun.code] = self._by_token[qun.token] = self._by_public_id[qun.public_id] = qun.number

    def _cache_room(self, room: QunRoom) -> None:
        if not self._accounts.holds(room.account):
            return
        before = self._rooms.get(room.number, [])
        for old in before:
            if old.id == room.id and old.room_id and old.room_id != room.room_id:
                self._by_room.pop((room.account, old.room_id), None)
        line = [r for r in before if r.id != room.id] + [room]
        self._rooms[room.number] = sorted(line, key=lambda r: r.ordinal)
        if not room.room_id:
            return
        if room.state == QunState.CLOSED:
            self._by_room.pop((room.account, room.room_id), None)
        else:
            self._by_room[room.account, room.room_id] = room.number
