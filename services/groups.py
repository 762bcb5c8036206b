"""Groups (qun): made in WeChat once per code, found again after a crash, looked up from memory."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from errors import CodeTaken, OwnerAmbiguous, OwnerUnknown
from models.db import Store, after_commit
from models.groups import FIRST_NUMBER, Qun, QunRoom, QunState
from services.accounts import Accounts
from services.lane import Clock
from services.making import RoomMaker
from settings import Groups as GroupSettings
from texts import fill
from wechat.events import Contact, Room
from wechat.interface import WeChat

log = logging.getLogger(__name__)
DAY = 86400.0


def new_token() -> str:
    """A join token: base64 of 12 upper-case hex digits."""
    return base64.b64encode(secrets.token_hex(6).upper().encode()).decode()


def new_public_id() -> str:
    """What a landing page's address ends with: URL-safe base64, no padding, of a random number of 12 digits."""
    number = 10**11 + secrets.randbelow(9 * 10**11)
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


class Groups:
    """Every group the bot keeps."""

    def __init__(
        self, store: Store, accounts: Accounts, maker: RoomMaker, settings: GroupSettings, public_url: str, clock: Clock
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._maker = maker
        maker.keep = self._keep_room
        self._settings = settings
        self._public_url = public_url
        self._clock = clock
        self._quns: dict[int, Qun] = {}
        self._rooms: dict[int, list[QunRoom]] = {}
        self._by_code: dict[str, int] = {}
        self._by_token: dict[str, int] = {}
        self._by_public_id: dict[str, int] = {}
        self._by_room: dict[tuple[str, str], int] = {}
        self._making: dict[str, asyncio.Task[Qun]] = {}
        self.on_active: Callable[[Session, Qun, QunRoom], None] = lambda _session, _qun, _room: None

    # ---- looking ----

    async def load(self) -> None:
        """Read every group into memory; done once at start."""
        quns = await self._store.read(lambda s: s.exec(select(Qun)).all())
        rooms = await self._store.read(lambda s: s.exec(select(QunRoom).order_by(col(QunRoom.ordinal))).all())
        for qun in quns:
            self._keep(qun)
        for room in rooms:
            self._keep_room(room)

    def __iter__(self) -> Iterator[Qun]:
        return iter(list(self._quns.values()))

    def by_number(self, number: int) -> Qun | None:
        """The group people know by this number."""
        return self._quns.get(number)

    def by_code(self, code: str) -> Qun | None:
        """The group its caller knows by this code."""
        return self._quns.get(self._by_code.get(code, 0))

    def by_token(self, token: str) -> Qun | None:
        """The group this join token leads into."""
        return self._quns.get(self._by_token.get(token, 0))

    def by_public_id(self, public_id: str) -> Qun | None:
        """The group whose landing page this is."""
        return self._quns.get(self._by_public_id.get(public_id, 0))

    def by_room(self, account: str, room_id: str) -> Qun | None:
        """The group that a room of WeChat belongs to."""
        return self._quns.get(self._by_room.get((account, room_id), 0))

    def rooms(self, qun: Qun) -> list[QunRoom]:
        """The rooms of a group that exist in WeChat, the first one first."""
        return [room for room in self._rooms.get(qun.number, []) if room.room_id and room.state == QunState.ACTIVE]

    def live_rooms(self, qun: Qun) -> list[Room]:
        """What WeChat shows of the group's rooms."""
        known = self._accounts.get(qun.account).directory.rooms
        return [known[room.room_id] for room in self.rooms(qun) if room.room_id in known]

    def member_count(self, qun: Qun) -> int:
        """How many people are in all of its rooms."""
        return len(set().union(*(room.member_ids for room in self.live_rooms(qun))))

    def room_of(self, qun: Qun, contact_id: str) -> Room | None:
        """The room of the group that the person is in."""
        return next((room for room in self.live_rooms(qun) if contact_id in room.member_ids), None)

    def url(self, qun: Qun) -> str:
        """The address of its landing page."""
        return f"{self._public_url}/weiqun/{qun.public_id}"

    def token_expired(self, qun: Qun) -> bool:
        """Whether the join token's time is over."""
        return qun.token_expires_at is not None and qun.token_expires_at <= self._clock()

    # ---- making ----

    async def create(self, code: str, owner: str, account: str, who: str) -> tuple[Qun, bool]:
        """The group of this code, made in WeChat if it is not there yet; says whether this call made it.

        Raises AssistantUnknown, AssistantOffline, OwnerUnknown, OwnerAmbiguous, CodeTaken, GroupNotMade,
        TooManyRequests.
        """
        self._accounts.get(account)
        qun = self.by_code(code)
        if qun is not None:
            self._check_same(qun, owner, account)
            if qun.state != QunState.MAKING:
                return qun, False
        making = self._making.get(code)
        if making is not None:
            made = await asyncio.shield(making)
            self._check_same(made, owner, account)
            return made, False
        making = self._making[code] = asyncio.create_task(self._make(code, owner, account, who))
        making.add_done_callback(lambda task: self._made(code, task))
        return await asyncio.shield(making), True  # a caller that hangs up does not stop it

    def _made(self, code: str, task: asyncio.Task[Qun]) -> None:
        del self._making[code]
        if not task.cancelled() and task.exception() is not None:
            log.info("group of code %s not made: %s", code, task.exception())

    def _check_same(self, qun: Qun, owner: str, account: str) -> None:
        if qun.account != account:
            raise CodeTaken(f"{qun.code} is a group of {qun.account}")
        if owner in (qun.owner, qun.owner_id):
            return
        if [c.id for c in self._accounts.get(account).directory.find(owner, friends=True)] != [qun.owner_id]:
            raise CodeTaken(f"{qun.code} has another owner")

    async def _make(self, code: str, owner: str, account: str, who: str) -> Qun:
        wechat = self._accounts.online(account)
        qun = self.by_code(code)
        if qun is None:
            person = self._owner(wechat, owner)
            companion = self._maker.companion(wechat, person.id)
            qun = await self._store.write(lambda s: self._insert(s, code, owner, account, person, companion))
        room = await self._maker.make(qun, self._rooms[qun.number][0], who)
        return await self._activate(qun, room)

    def _owner(self, wechat: WeChat, name: str) -> Contact:
        found = wechat.directory.find(name, friends=True)
        if not found:
            raise OwnerUnknown(name)
        if len(found) > 1:
            raise OwnerAmbiguous(", ".join(contact.id for contact in found))
        return found[0]

    def _insert(self, session: Session, code: str, owner: str, account: str, person: Contact, companion: str) -> Qun:
        last = session.exec(select(func.max(Qun.number))).one()
        number = FIRST_NUMBER if last is None else last + 1
        topic = fill(self._settings.topic, owner=person.name or owner, number=number)
        days = self._settings.token_days
        qun = Qun(
            number=number,
            code=code,
            account=account,
            owner=owner,
            owner_id=person.id,
            companion_id=companion,
            topic=topic,
            token=new_token(),
            token_expires_at=self._clock() + days * DAY if days else None,
            public_id=new_public_id(),
            created_at=self._clock(),
        )
        room = QunRoom(number=number, account=account, topic=topic)
        session.add(qun)
        session.flush()
        session.add(room)
        session.flush()
        after_commit(session, lambda: self._keep(qun))
        after_commit(session, lambda: self._keep_room(room))
        return qun

    async def _activate(self, qun: Qun, room: QunRoom) -> Qun:
        def patch(session: Session) -> Qun:
            made = self.patch_room(session, room, state=QunState.ACTIVE)
            active = self.patch(session, qun.number, state=QunState.ACTIVE)
            self.on_active(session, active, made)
            return active

        return await self._store.write(patch)

    async def open_next_room(self, qun: Qun, who: str) -> QunRoom:
        """Make the next room of a full group, with the same token; the one that is half-made goes first."""
        line = self._rooms[qun.number]
        room = next((r for r in line if r.state == QunState.MAKING), None)
        if room is None:
            ordinal = line[-1].ordinal + 1
            fresh = QunRoom(number=qun.number, ordinal=ordinal, account=qun.account, topic=f"{qun.topic}·{ordinal}")

            def insert(session: Session) -> QunRoom:
                session.add(fresh)
                session.flush()
                after_commit(session, lambda: self._keep_room(fresh))
                return fresh

            room = await self._store.write(insert)
        made = await self._maker.make(qun, room, who)

        def activate(session: Session) -> QunRoom:
            active = self.patch_room(session, made, state=QunState.ACTIVE)
            self.on_active(session, qun, active)
            return active

        return await self._store.write(activate)

    # ---- changing ----

    def patch(self, session: Session, number: int, **changes: Any) -> Qun:
        """Change a group inside a transaction; memory follows the commit."""
        qun = session.get_one(Qun, number)
        qun.sqlmodel_update(changes)
        session.add(qun)
        session.flush()
        after_commit(session, lambda: self._keep(qun))
        return qun

    def patch_room(self, session: Session, room: QunRoom, **changes: Any) -> QunRoom:
        """Change one of a group's rooms inside a transaction; memory follows the commit."""
        row = session.get_one(QunRoom, room.id)
        row.sqlmodel_update(changes)
        session.add(row)
        session.flush()
        after_commit(session, lambda: self._keep_room(row))
        return row

    def lose_room(self, session: Session, account: str, room_id: str) -> None:
        """The assistant is no longer in a room; a group without rooms is lost."""
        qun = self.by_room(account, room_id)
        if qun is None:
            return
        for room in self.rooms(qun):
            if room.room_id == room_id:
                self.patch_room(session, room, state=QunState.LOST)
        if all(room.room_id == room_id for room in self.rooms(qun)):
            self.patch(session, qun.number, state=QunState.LOST)

    async def change(self, number: int, **changes: Any) -> Qun:
        """Change a group in a transaction of its own."""
        return await self._store.write(lambda s: self.patch(s, number, **changes))

    def _keep(self, qun: Qun) -> None:
        before = self._quns.get(qun.number)
        if before is not None and before.token != qun.token:
            self._by_token.pop(before.token, None)
        self._quns[qun.number] = qun
        self._by_code[qun.code] = self._by_token[qun.token] = self._by_public_id[qun.public_id] = qun.number

    def _keep_room(self, room: QunRoom) -> None:
        line = [r for r in self._rooms.get(room.number, []) if r.id != room.id] + [room]
        self._rooms[room.number] = sorted(line, key=lambda r: r.ordinal)
        if room.room_id:
            self._by_room[room.account, room.room_id] = room.number
            self._maker.bind(room.account, room.room_id)
