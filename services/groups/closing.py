"""Closing groups, and tagging them."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, delete, select

from config.texts import Texts
from errors import InvalidParameter, NotFound, TokenExpired
from models.db import Store
from models.durable import Outcome, Priority
from models.groups import OPEN_STATES, Membership, Qun, QunState, QunTag
from services.accounts.audit import Audit
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from services.messaging.messages import Messages
from wechat.interface import Capability


class GroupClosing:
    """Closes groups and sets their tags."""

    def __init__(
        self, store: Store, groups: Groups, recorder: MembershipRecorder, messages: Messages, audit: Audit, texts: Texts
    ) -> None:
        self._store = store
        self._groups = groups
        self._recorder = recorder
        self._messages = messages
        self._audit = audit
        self._texts = texts

    def open_group(self, number: int) -> Qun:
        """Return the group of this number; raise NotFound, or TokenExpired if it is closed."""
        qun = self._groups.by_number(number)
        if qun is None:
            raise NotFound(f"group {number}")
        if qun.state == QunState.CLOSED:
            raise TokenExpired(f"group {number} is closed")
        return qun

    async def close(self, number: int, actor: str) -> None:
        """Close the group; raise NotFound. Idempotent. The farewell and leaving WeChat's rooms are queued."""
        if self._groups.by_number(number) is None:
            raise NotFound(f"group {number}")
        await self._store.write(lambda s: self._close(s, number, actor))

    def _close(self, session: Session, number: int, actor: str) -> None:
        qun = session.get_one(Qun, number)
        if qun.state == QunState.CLOSED:
            return
        query = select(Membership).where(Membership.number == number, col(Membership.state).in_(OPEN_STATES))
        for row in session.exec(query).all():
            self._recorder.record_refusal(session, qun, row, "group closed")
        for room in self._groups.all_rooms(qun):
            if room.state == QunState.ACTIVE and room.room_id:
                notice = self._texts.group_closed
                if notice and self._groups.supports(qun, Capability.ROOM_MESSAGES):
                    self._messages.queue(session, qun.account, room.room_id, notice, priority=Priority.NOTICE)
                self._messages.leave(session, qun.account, room.room_id)
            self._groups.patch_room(session, room, state=QunState.CLOSED)
        self._groups.patch(session, number, state=QunState.CLOSED)
        self._audit.record(session, qun.account, "close", actor, str(number), Outcome.DONE)

    # ---- tags ----

    def tag(self, session: Session, number: int, tags: Collection[str]) -> None:
        """Replace the tags of a group, inside a transaction."""
        if any(not tag.strip() for tag in tags):
            raise InvalidParameter("tags: empty; allowed: texts that are not blank")
        session.connection().execute(delete(QunTag).where(col(QunTag.number) == number))
        session.add_all(QunTag(number=number, tag=tag) for tag in dict.fromkeys(tags))
