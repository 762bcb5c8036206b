"""Groups (qun): made in WeChat once per code, found again after a crash, looked up from memory."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable
from typing import Any

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from concurrency import SingleFlight
from config.settings import GroupSettings
from config.texts import fill
from errors import AssistantOffline, CodeTaken, OwnerAmbiguous, OwnerUnknown
from models.db import Store, after_commit
from models.groups import FIRST_NUMBER, Qun, QunRoom, QunState
from services.accounts.audit import Audit
from services.accounts.registry import RETRY_AFTER, Accounts
from services.clock import DAY, Clock
from services.groups.index import GroupIndex
from services.groups.room_creation import RoomCreator
from wechat.events import Contact
from wechat.interface import Capability, State, WeChat

log = logging.getLogger(__name__)


def new_token() -> str:
    """A join token: base64 of 12 upper-case hex digits."""
    return base64.b64encode(secrets.token_hex(6).upper().encode()).decode()


def new_public_id() -> str:
    """What a landing page's address ends with: URL-safe base64, no padding, of a random number of 24 digits.

    The page lets people in, so its address must not be guessed. Older groups have 12 digits.
    """
    number = 10**23 + secrets.randbelow(9 * 10**23)
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


class Groups(GroupIndex):
    """Makes groups and changes them; their look-up is GroupIndex."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        maker: RoomCreator,
        settings: GroupSettings,
        public_url: str,
        clock: Clock,
    ) -> None:
        super().__init__(store, accounts, public_url, clock)
        self._maker = maker
        maker.keep, maker.change = self._keep_room, self.change
        self._settings = settings
        self._making = SingleFlight[str, Qun](
            lambda code, error: log.info("group of code %s not made: %s", code, error)
        )
        self._opening = SingleFlight[int, QunRoom](
            lambda number, error: log.info("group %s: no next room: %s", number, error)
        )
        self.on_active: Callable[[Session, Qun, QunRoom], None] = lambda _session, _qun, _room: None
        self.on_lost: Callable[[Session, Qun, QunRoom], None] = lambda _session, _qun, _room: None
        self.on_found: Callable[[Session, Qun, QunRoom], None] = lambda _session, _qun, _room: None

    # ---- making ----

    async def create(self, code: str, owner: str, account: str, who: str) -> tuple[Qun, bool]:
        """The group of this code, made in WeChat if it is not there yet; says whether this call made it.

        Raises AssistantUnknown, AssistantOffline, OwnerUnknown, OwnerAmbiguous, CodeTaken, GroupNotMade,
        TooManyRequests.
        """
        qun = self._known(code, owner, account)
        if qun is not None and qun.state != QunState.MAKING:
            return qun, False
        self._accounts.require(account, Capability.CREATE_ROOM)
        made_here = False

        async def make() -> Qun:
            nonlocal made_here
            there = self.by_code(code)  # another request may have made it meanwhile
            made_here = there is None or there.state == QunState.MAKING
            return await self._make(code, owner, account, who)

        return await self._making.run(code, make, request=(owner, account)), made_here

    async def prepare(self, code: str, owner: str, account: str) -> Qun:
        """The group of this code, with its row made if it is not there yet, and nothing asked of WeChat but who the
        owner is. Raises what `create` raises for a request that can never be met."""
        qun = self._known(code, owner, account)
        if qun is not None:
            return qun
        wechat = self._accounts.get(account)

        async def put() -> Qun:
            return self.by_code(code) or await self._put(wechat, code, owner)

        return await self._making.run(code, put, request=(owner, account, "row"))

    def _known(self, code: str, owner: str, account: str) -> Qun | None:
        """The group of this code; CodeTaken when it is another owner's or assistant's, or closed."""
        qun = self.by_code(code)
        if qun is not None:
            self._check_same(qun, owner, account)
            if qun.state == QunState.CLOSED:
                raise CodeTaken(f"{code} is closed")
        return qun

    async def _put(self, wechat: WeChat, code: str, owner: str) -> Qun:
        person = await self._owner(wechat, owner)
        companion = self._maker.companion(wechat, person.id)
        try:
            return await self._store.write(lambda s: self._insert(s, code, owner, wechat.account, person, companion))
        except IntegrityError:  # at the same moment, by another process
            raise CodeTaken(f"{code} is a group of another assistant") from None

    def _check_same(self, qun: Qun, owner: str, account: str) -> None:
        if qun.account != account:
            raise CodeTaken(f"{qun.code} is a group of {qun.account}")
        if owner in (qun.owner, qun.owner_id):
            return
        if [c.id for c in self._accounts.get(account).directory.find(owner, friends=True)] != [qun.owner_id]:
            raise CodeTaken(f"{qun.code} has another owner")

    async def _make(self, code: str, owner: str, account: str, who: str) -> Qun:
        qun = self._known(code, owner, account)
        if qun is not None and qun.state != QunState.MAKING:
            return qun
        wechat = self._accounts.online(account)
        qun = qun or await self._put(wechat, code, owner)
        room = await self._maker.make(qun, self._rooms[qun.number][0], who)
        return await self._activate(qun, room)

    async def _owner(self, wechat: WeChat, name: str) -> Contact:
        if not wechat.directory.find(name, friends=True):
            if wechat.state is not State.ONLINE:
                raise AssistantOffline(wechat.account, retry_after=RETRY_AFTER)
            await wechat.look_for(name)
        found = wechat.directory.find(name, friends=True)
        if not found:
            raise OwnerUnknown(name)
        if len(found) > 1:
            raise OwnerAmbiguous(", ".join(contact.id for contact in found))
        return found[0]

    def _insert(self, session: Session, code: str, owner: str, account: str, person: Contact, companion: str) -> Qun:
        self._store.one_at_a_time(session, "wxbot group numbers")
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
        """Make the next room of a full group, with the same token; the one that is half-made goes first. However many
        ask at once, one room is made."""
        return await self._opening.run(qun.number, lambda: self._open_next_room(qun, who))

    async def _open_next_room(self, qun: Qun, who: str) -> QunRoom:
        line = self._rooms[qun.number]
        room = next((r for r in line if r.state == QunState.MAKING), None)
        if room is None:
            ordinal = line[-1].ordinal + 1
            topic = f"{qun.topic}·{ordinal}"

            def insert(session: Session) -> QunRoom:
                fresh = QunRoom(number=qun.number, ordinal=ordinal, account=qun.account, topic=topic)
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

    def renew_token(self, session: Session, audit: Audit, qun: Qun, who: str) -> Qun:
        """Another join token, inside a transaction; the old one leads nowhere from now on."""
        until = self._clock() + self._settings.token_days * DAY if self._settings.token_days else None
        audit.note(session, qun.account, "token", who, "", "done", number=str(qun.number))
        return self.patch(session, qun.number, token=new_token(), token_expires_at=until)

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
        """The assistant is no longer in a room; a group without rooms is lost. Told once, however often it is seen."""
        room = self._row(session, account, room_id)
        if room is None or room.state != QunState.ACTIVE:
            return
        lost = self.patch_room(session, room, state=QunState.LOST)
        qun = session.get_one(Qun, room.number)
        others = select(QunRoom).where(QunRoom.number == room.number, QunRoom.state == QunState.ACTIVE)
        if not session.exec(others).all():
            qun = self.patch(session, room.number, state=QunState.LOST)
        self.on_lost(session, qun, lost)

    def find_room(self, session: Session, account: str, room_id: str) -> None:
        """The assistant is in a room again that was lost."""
        room = self._row(session, account, room_id)
        if room is None or room.state != QunState.LOST:
            return
        found = self.patch_room(session, room, state=QunState.ACTIVE)
        self.on_found(session, self.patch(session, room.number, state=QunState.ACTIVE), found)

    def _row(self, session: Session, account: str, room_id: str) -> QunRoom | None:
        wanted = select(QunRoom).where(QunRoom.account == account, QunRoom.room_id == room_id)
        return session.exec(wanted).first()

    async def change(self, number: int, **changes: Any) -> Qun:
        """Change a group in a transaction of its own."""
        return await self._store.write(lambda s: self.patch(s, number, **changes))

    def _keep_room(self, room: QunRoom) -> None:
        super()._keep_room(room)
        if room.room_id:
            self._maker.bind(room.account, room.room_id)
