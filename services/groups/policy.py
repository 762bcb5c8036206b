"""Compares groups in WeChat with the database: topic, announcement, members, presence of the assistant.

Deviations are repaired a limited number of times a day. After that the owner is notified, once a day.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from config.texts import Texts, fill
from errors import WeChatError, WeChatOffline
from models.db import Store
from models.durable import Action, Priority
from models.groups import Qun, QunRoom, QunState
from services.accounts.audit import UNCONFIRMED, Audit
from services.accounts.registry import Accounts
from services.clock import DAY, Clock
from services.groups.groups import Groups
from services.groups.reconciliation import Reconciler
from services.messaging.messages import Messages
from wechat.interface import Capability
from wechat.names import same_name

log = logging.getLogger(__name__)
WHO: Final = "job:drift_check"
MAX_TRIES: Final = 3  # per day and item
SKIPPED: Final = (QunState.MAKING, QunState.CLOSED)
SETTLED: Final = 60.0  # seconds after which a started change is either stored or lost


@dataclass(frozen=True, slots=True)
class Drift:
    """A deviation of a room. `kind` is that of the audit log: topic or announce."""

    qun: Qun
    room: QunRoom
    kind: str
    wanted: str
    shown: str  # what WeChat shows instead


class GroupPolicy:
    """Finds and repairs deviations."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        reconcile: Reconciler,
        messages: Messages,
        audit: Audit,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._reconcile = reconcile
        self._messages = messages
        self._audit = audit
        self._texts = texts
        self._clock = clock

    async def check(self) -> str:
        """Check all rooms and return a summary."""
        rooms = drifted = repaired = 0
        for qun in self._groups:
            for room in self._groups.all_rooms(qun):
                if not self._accounts.is_online(qun.account) or room.state in SKIPPED:
                    continue
                rooms += 1
                for drift in await self._look(qun, room):
                    drifted += 1
                    repaired += await self._repair(drift)
        return f"{rooms} rooms, {drifted} drifted, {repaired} repaired"

    async def _look(self, qun: Qun, room: QunRoom) -> list[Drift]:
        room_id, wechat = room.room_id or "", self._accounts.get(qun.account)
        if room.state == QunState.LOST and room_id not in wechat.directory.rooms:
            return []
        try:
            live = await self._reconcile.room(qun.account, room_id)
            if live is None or Capability.SET_TOPIC not in wechat.capabilities:
                return []
            qun, room = self._now(qun, room)
            announced = await wechat.announcement(room_id) if qun.announcement is not None else None
            qun, room = self._now(qun, room)
        except WeChatOffline:
            return []
        except WeChatError as error:
            log.warning("could not check room %s: %s", room_id, error)
            return []
        found = [Drift(qun, room, "topic", room.topic, live.topic)] if not same_name(live.topic, room.topic) else []
        if announced is not None and qun.announcement is not None and not same_name(announced, qun.announcement):
            found.append(Drift(qun, room, "announce", qun.announcement or "", announced))
            if not announced and await self._store.read(lambda s: self._was_unreadable(s, room_id)):
                found.pop()  # it may exist but be unreadable; setting it again would notify everyone again
        changing = await self._store.read(lambda s: self._changing(s, room_id)) if found else frozenset()
        return [drift for drift in found if drift.kind not in changing]

    def _now(self, qun: Qun, room: QunRoom) -> tuple[Qun, QunRoom]:
        """Return the current rows: a command may have changed them while WeChat was asked."""
        latest = next((one for one in self._groups.all_rooms(qun) if one.id == room.id), room)
        return self._groups.by_number(qun.number) or qun, latest

    def _changing(self, session: Session, room_id: str) -> frozenset[str]:
        """Return the kinds of running changes of a room, which WeChat may show before the database does."""
        begun = (Action.target == room_id, Action.outcome == "tried", col(Action.at) > self._clock() - SETTLED)
        wanted = select(Action.kind).where(*begun)
        return frozenset(session.exec(wanted).all())

    async def _repair(self, drift: Drift) -> bool:
        room_id = drift.room.room_id or ""
        if await self._store.read(lambda s: self._tries(s, drift)) >= MAX_TRIES:
            await self._store.write(lambda s: self._tell_owner(s, drift))
            return False
        wechat, account = self._accounts.get(drift.qun.account), drift.qun.account
        confirmed = True
        action = await self._audit.tried(account, drift.kind, WHO, room_id, number=str(drift.qun.number))
        try:
            if drift.kind == "topic":
                await wechat.set_topic(room_id, drift.wanted)
            else:
                confirmed = await wechat.set_announcement(room_id, drift.wanted)
        except WeChatError as error:
            self._accounts.heed(account, error)
            await self._audit.ended(action, "failed", str(error))
            log.warning("group %s: could not restore %s: %s", drift.qun.number, drift.kind, error)
            return False
        await self._audit.ended(action, "done" if confirmed else UNCONFIRMED)
        if drift.kind == "topic" and drift.shown:
            await self._store.write(lambda s: self._tell_restored(s, drift))
        return True

    def _was_unreadable(self, session: Session, room_id: str) -> bool:
        """Whether the last announcement that was set could not be read back."""
        last = select(Action.outcome).where(
            Action.target == room_id, Action.kind == "announce", Action.outcome != "tried"
        )
        return session.exec(last.order_by(col(Action.id).desc())).first() == UNCONFIRMED

    def _tries(self, session: Session, drift: Drift, kind: str = "") -> int:
        count = select(func.count(col(Action.id))).where(
            Action.account == drift.qun.account,
            Action.kind == (kind or drift.kind),
            Action.who == WHO,
            Action.target == (drift.room.room_id or ""),
            col(Action.at) > self._clock() - DAY,
        )
        return session.exec(count).one()

    def _tell_owner(self, session: Session, drift: Drift) -> None:
        """Tell the owner that a deviation could not be repaired."""
        what = self._texts.what_topic if drift.kind == "topic" else self._texts.what_announcement
        words = fill(self._texts.drift_unrepaired, topic=drift.room.topic, number=drift.qun.number, what=what)
        self._tell_once(session, drift, f"drift_{drift.kind}", "failed", words)

    def _tell_restored(self, session: Session, drift: Drift) -> None:
        """Tell the owner that a new name of the group was set back, and how to rename it."""
        texts, number = self._texts, drift.qun.number
        words = fill(texts.topic_restored, topic=drift.wanted, number=number, shown=drift.shown)
        self._tell_once(session, drift, "topic_restored", "done", words)

    def _tell_once(self, session: Session, drift: Drift, kind: str, outcome: str, words: str) -> None:
        """Tell the owner, at most once a day."""
        if self._tries(session, drift, kind):
            return
        qun = drift.qun
        self._audit.note(session, qun.account, kind, WHO, drift.room.room_id or "", outcome, number=str(qun.number))
        self._messages.say(session, qun.account, self._groups.owner_to_tell(qun), words, priority=Priority.NOTICE)
