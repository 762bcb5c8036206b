"""Groups (qun): creation, once per code, and changes."""

from __future__ import annotations

import base64
import logging
import secrets

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from concurrency import SingleFlight
from config.settings import GroupSettings
from config.texts import fill
from errors import AssistantOffline, BotError, CodeTaken, OwnerAmbiguous, OwnerUnknown
from models.db import Store
from models.durable import Outcome
from models.groups import FIRST_NUMBER, Qun, QunRoom, QunState
from services.accounts.audit import Audit
from services.accounts.registry import RETRY_AFTER, Accounts
from services.clock import DAY, Clock
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from services.groups.room_creation import RoomCreator
from wechat.entities import Contact
from wechat.interface import Capability, State, WeChat

log = logging.getLogger(__name__)


def new_token() -> str:
    """Return a new join token: base64 of 12 upper-case hex digits."""
    return base64.b64encode(secrets.token_hex(6).upper().encode()).decode()


def new_public_id() -> str:
    """Return the last part of a landing page's address: unpadded URL-safe base64 of a random number of 24 digits.

    The page lets people join, so its address must not be guessable. Older groups have 12 digits.
    """
    number = 10**23 + secrets.randbelow(9 * 10**23)
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


class GroupLifecycle:
    """Creates groups, once per code."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        creator: RoomCreator,
        recorder: MembershipRecorder,
        settings: GroupSettings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._creator = creator
        self._recorder = recorder
        self._clock = clock
        self._settings = settings
        self._making = SingleFlight[str, Qun](
            lambda code, error: log.info("could not create the group of code %s: %s", code, error)
        )
        self._provisional: set[str] = set()  # codes whose rows are deleted if WeChat does not create the group now
        self._opening = SingleFlight[int, QunRoom](
            lambda number, error: log.info("group %s: could not open another room: %s", number, error)
        )

    # ---- creation ----

    async def create(self, code: str, owner: str, account: str, actor: str) -> tuple[Qun, bool]:
        """Return the group of this code, creating it in WeChat if necessary, and whether this call created it.

        Raises AssistantUnknown, AssistantOffline, OwnerUnknown, OwnerAmbiguous, CodeTaken, GroupNotMade or
        TooManyRequests.
        """
        qun = self._known(code, owner, account)
        if qun is not None and qun.state != QunState.MAKING:
            return qun, False
        self._accounts.require(account, Capability.CREATE_ROOM)
        made_here = False

        async def make() -> Qun:
            nonlocal made_here
            existing = self._groups.by_code(code)  # another request may have created it since then
            made_here = existing is None or existing.state == QunState.MAKING
            return await self._make(code, owner, account, actor)

        return await self._making.run(code, make, request=(owner, account)), made_here

    async def prepare(self, code: str, owner: str, account: str) -> Qun:
        """Return the group of this code, inserting its row if necessary, without creating it in WeChat.

        Raises the errors of `create` that do not depend on creating the room.
        """
        qun = self._known(code, owner, account)
        if qun is not None and code not in self._provisional:
            return qun
        wechat = self._accounts.get(account)

        async def put() -> Qun:
            return self._known(code, owner, account) or await self._put(wechat, code, owner)

        return await self._making.run(code, put, request=(owner, account, "row"))

    def _known(self, code: str, owner: str, account: str) -> Qun | None:
        """Return the group of this code; raise CodeTaken if it is closed or has another owner or assistant."""
        qun = self._groups.by_code(code)
        if qun is not None:
            self._check_same(qun, owner, account)
            if qun.state == QunState.CLOSED:
                raise CodeTaken(f"group {code} is closed")
        return qun

    async def _put(self, wechat: WeChat, code: str, owner: str) -> Qun:
        person = await self._owner(wechat, owner)
        companion = self._creator.companion(wechat, person.id)
        try:
            return await self._store.write(lambda s: self._insert(s, code, owner, wechat.account, person, companion))
        except IntegrityError:  # another process has used the code at the same moment
            raise CodeTaken(f"{code} is a group of another assistant") from None

    def _check_same(self, qun: Qun, owner: str, account: str) -> None:
        if qun.account != account:
            raise CodeTaken(f"group {qun.code} belongs to {qun.account}")
        if owner in (qun.owner, qun.owner_id):
            return
        if [c.id for c in self._accounts.get(account).directory.find(owner, friends=True)] != [qun.owner_id]:
            raise CodeTaken(f"{qun.code} has another owner")

    async def _make(self, code: str, owner: str, account: str, actor: str) -> Qun:
        qun = self._known(code, owner, account)
        if qun is not None and qun.state != QunState.MAKING:
            return qun
        wechat = self._accounts.online(account)
        if qun is not None:
            return await self._finish(qun, actor)
        self._provisional.add(code)
        try:
            qun = await self._put(wechat, code, owner)
            try:
                return await self._finish(qun, actor)
            except BotError:
                await self._withdraw(qun)
                raise
        finally:
            self._provisional.discard(code)

    async def _finish(self, qun: Qun, actor: str) -> Qun:
        return await self._activate(qun, await self._creator.create(qun, self._groups.all_rooms(qun)[0], actor))

    async def _withdraw(self, qun: Qun) -> None:
        """Delete the row of a group that certainly does not exist in WeChat: a rejected request leaves nothing."""
        room = self._groups.all_rooms(qun)[0]
        if room.asked_at is not None or room.room_id or room.state != QunState.MAKING:
            return
        try:
            await self._store.write(lambda s: self._groups.delete(s, qun.number))
        except IntegrityError:  # somebody has tagged it since then
            log.info("group %s is kept although it was not created: other rows refer to it", qun.number)

    async def _owner(self, wechat: WeChat, name: str) -> Contact:
        if not wechat.directory.find(name, friends=True):
            if wechat.state is not State.ONLINE:
                raise AssistantOffline(wechat.account, retry_after=RETRY_AFTER)
            await wechat.search_contacts(name)
        matching = wechat.directory.find(name, friends=True)
        if not matching:
            raise OwnerUnknown(name)
        if len(matching) > 1:
            raise OwnerAmbiguous(", ".join(contact.id for contact in matching))
        return matching[0]

    def _insert(self, session: Session, code: str, owner: str, account: str, person: Contact, companion: str) -> Qun:
        self._store.lock_until_commit(session, "wxbot group numbers")
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
        return self._groups.insert(session, qun, room)

    async def _activate(self, qun: Qun, room: QunRoom) -> Qun:
        def patch(session: Session) -> Qun:
            active_room = self._groups.patch_room(session, room, state=QunState.ACTIVE)
            active_qun = self._groups.patch(session, qun.number, state=QunState.ACTIVE)
            self._recorder.record_room(session, active_qun, active_room)
            return active_qun

        return await self._store.write(patch)

    async def open_next_room(self, qun: Qun, actor: str) -> QunRoom:
        """Create the next room of a full group, or finish one whose creation was interrupted. Concurrent calls share
        it.
        """
        return await self._opening.run(qun.number, lambda: self._open_next_room(qun, actor))

    async def _open_next_room(self, qun: Qun, actor: str) -> QunRoom:
        rooms = self._groups.all_rooms(qun)
        room = next((r for r in rooms if r.state == QunState.MAKING), None)
        if room is None:
            ordinal = rooms[-1].ordinal + 1
            row = QunRoom(number=qun.number, ordinal=ordinal, account=qun.account, topic=f"{qun.topic}·{ordinal}")
            room = await self._store.write(lambda s: self._groups.insert_room(s, row))
        created = await self._creator.create(qun, room, actor)

        def activate(session: Session) -> QunRoom:
            active = self._groups.patch_room(session, created, state=QunState.ACTIVE)
            self._recorder.record_room(session, qun, active)
            return active

        return await self._store.write(activate)

    # ---- changes ----

    def renew_token(self, session: Session, audit: Audit, qun: Qun, actor: str) -> Qun:
        """Replace the join token, inside a transaction."""
        until = self._clock() + self._settings.token_days * DAY if self._settings.token_days else None
        audit.record(session, qun.account, "token", actor, "", Outcome.DONE, number=str(qun.number))
        return self._groups.patch(session, qun.number, token=new_token(), token_expires_at=until)
