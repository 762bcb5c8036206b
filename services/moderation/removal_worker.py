"""Removes the people of the removal queue; if WeChat refuses, the group's owner is notified once."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session

from config.texts import Texts, fill
from errors import BotError, WeChatError, WeChatNotDone, WeChatOffline, WeChatTooFast, WeChatUnknown
from models.durable import Priority
from models.groups import Qun
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from services.groups.removal_queue import QUEUE
from services.groups.removals import Removals
from services.messaging.messages import Messages
from services.moderation.member_records import MemberRecords
from services.work.job import GiveUp, Job, Retry
from services.work.outbox import Outbox

MAX_TRIES: Final = 4


class RemovalWorker:
    """Removes people one after the other while their account is online."""

    def __init__(
        self,
        accounts: Accounts,
        groups: Groups,
        removals: Removals,
        records: MemberRecords,
        messages: Messages,
        outbox: Outbox,
        texts: Texts,
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._removals = removals
        self._records = records
        self._messages = messages
        self._texts = texts
        outbox.serve(QUEUE, self._deliver, concurrency=1, is_open=accounts.is_online)

    async def _deliver(self, job: Job) -> str | Retry | GiveUp:
        qun = self._groups.by_number(job.body["number"])
        contact_id = job.body["contact"]
        if qun is None or not self._records.is_blacklisted(qun, contact_id):  # removed from the blacklist since then
            return ""
        if self._groups.room_of(qun, contact_id) is None:
            return ""
        try:
            room_ids = await self._removals.remove(qun, contact_id, job.body["who"])
        except (WeChatError, BotError) as error:
            return await self._failed(job, qun, contact_id, error)
        await self._records.write(lambda s: self._done(s, qun, contact_id, room_ids, job.body["reason"]))
        return ""

    def _done(self, session: Session, qun: Qun, contact_id: str, room_ids: list[str], reason: str) -> None:
        self._records.change(session, qun, contact_id, "", removal_told=False)
        notice = fill(self._texts.removed, member=self._name(qun, contact_id), reason=reason)
        for room_id in room_ids:
            self._messages.queue(session, qun.account, room_id, notice, priority=Priority.NOTICE)

    async def _failed(self, job: Job, qun: Qun, contact_id: str, error: Exception) -> Retry | GiveUp:
        if isinstance(error, WeChatOffline | BotError):
            return Retry(1.0, str(error), counts=False)
        if job.attempts < MAX_TRIES and isinstance(error, WeChatTooFast | WeChatUnknown | WeChatNotDone):
            return Retry(60.0 if isinstance(error, WeChatTooFast) else 2.0, str(error))
        await self._records.write(lambda s: self._notify_owner(s, qun, contact_id, job.body["reason"]))
        return GiveUp(str(error))

    def _notify_owner(self, session: Session, qun: Qun, contact_id: str, reason: str) -> None:
        """Notify the owner, once per person, that WeChat refuses, such as when the assistant does not own the group."""
        record = self._records.of(session, qun, contact_id)
        if record is not None and record.removal_told:
            return
        name = self._name(qun, contact_id) or (record.name if record else "")
        self._records.change(session, qun, contact_id, name, removal_told=True)
        notice = fill(self._texts.removal_failed, member=name, topic=qun.topic, reason=reason)
        self._messages.queue(session, qun.account, self._groups.owner_to_notify(qun), notice, priority=Priority.NOTICE)

    def _name(self, qun: Qun, contact_id: str) -> str:
        contact = self._accounts.get(qun.account).directory.contacts.get(contact_id)
        return contact.name if contact else ""
