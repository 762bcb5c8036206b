"""Repairs deviations of groups a limited number of times a day. After that the owner is notified, once a day."""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from config.texts import Texts, fill
from errors import WeChatError
from models.db import Store
from models.durable import Action, Outcome, Priority
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import DAY, Clock
from services.groups.drift import Drift, DriftKind
from services.groups.groups import Groups
from services.messaging.messages import Messages

log = logging.getLogger(__name__)
ACTOR: Final = "job:drift_check"
MAX_TRIES: Final = 3  # per day, room and kind


class DriftRepair:
    """Restores what differs. The audit log is the counter."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        messages: Messages,
        audit: Audit,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._messages = messages
        self._audit = audit
        self._texts = texts
        self._clock = clock

    async def repair(self, drift: Drift) -> bool:
        """Repair a deviation, or notify the owner; return whether it was repaired."""
        if await self._store.read(lambda s: self._count_today(s, drift, drift.kind)) >= MAX_TRIES:
            await self._store.write(lambda s: self._report_failure(s, drift))
            return False
        account, room_id = drift.qun.account, drift.room.room_id or ""
        wechat, confirmed = self._accounts.get(account), True
        action = await self._audit.begin(account, drift.kind, ACTOR, room_id, number=str(drift.qun.number))
        try:
            if drift.kind is DriftKind.TOPIC:
                await wechat.set_topic(room_id, drift.expected)
            else:
                confirmed = await wechat.set_announcement(room_id, drift.expected)
        except WeChatError as error:
            self._accounts.handle_rate_limit(account, error)
            await self._audit.end(action, Outcome.FAILED, str(error))
            log.warning("group %s: could not restore %s: %s", drift.qun.number, drift.kind, error)
            return False
        await self._audit.end(action, Outcome.DONE if confirmed else Outcome.UNCONFIRMED)
        if drift.kind is DriftKind.TOPIC and drift.shown:
            await self._store.write(lambda s: self._report_restored_topic(s, drift))
        return True

    def _count_today(self, session: Session, drift: Drift, kind: str) -> int:
        count = select(func.count(col(Action.id))).where(
            Action.account == drift.qun.account,
            Action.kind == kind,
            Action.who == ACTOR,
            Action.target == (drift.room.room_id or ""),
            col(Action.at) > self._clock() - DAY,
        )
        return session.exec(count).one()

    def _report_failure(self, session: Session, drift: Drift) -> None:
        """Tell the owner that a deviation could not be repaired."""
        texts = self._texts
        property_name = texts.what_topic if drift.kind is DriftKind.TOPIC else texts.what_announcement
        notice = fill(texts.drift_unrepaired, topic=drift.room.topic, number=drift.qun.number, what=property_name)
        self._notify_owner(session, drift, f"drift_{drift.kind}", Outcome.FAILED, notice)

    def _report_restored_topic(self, session: Session, drift: Drift) -> None:
        """Tell the owner that a new name of the group was set back, and how to rename it."""
        texts, number = self._texts, drift.qun.number
        notice = fill(texts.topic_restored, topic=drift.expected, number=number, shown=drift.shown)
        self._notify_owner(session, drift, "topic_restored", Outcome.DONE, notice)

    def _notify_owner(self, session: Session, drift: Drift, kind: str, outcome: str, notice: str) -> None:
        """Tell the owner, at most once a day."""
        if self._count_today(session, drift, kind):
            return
        qun = drift.qun
        self._audit.record(session, qun.account, kind, ACTOR, drift.room.room_id or "", outcome, number=str(qun.number))
        self._messages.queue(session, qun.account, self._groups.owner_to_notify(qun), notice, priority=Priority.NOTICE)
