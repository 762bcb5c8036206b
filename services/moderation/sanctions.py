"""Sanctions per person and group: warnings, and at the limit removal and blacklisting.

Removal is a queued job (queue "remove:ACCOUNT"), so it survives a crash and its failure is reported.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlmodel import Session, col, select

from config.settings import GroupSettings
from config.texts import Texts, fill
from errors import BotError, WeChatError, WeChatNotDone, WeChatOffline, WeChatTooFast, WeChatUnknown
from models.db import Store
from models.durable import Priority
from models.groups import MemberRecord, Qun
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import Clock
from services.groups.blacklist import Blacklist
from services.groups.groups import Groups
from services.groups.memberships import Memberships
from services.messaging.messages import Messages, text
from services.work.delivery_queue import GiveUp, Job, Retry
from services.work.outbox import Outbox

log = logging.getLogger(__name__)
QUEUE = "remove"
MAX_TRIES = 4


class Sanctions:
    """Warns, blacklists and removes people."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        memberships: Memberships,
        blacklist: Blacklist,
        messages: Messages,
        outbox: Outbox,
        audit: Audit,
        settings: GroupSettings,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._memberships = memberships
        self._blacklist = blacklist
        self._messages = messages
        self._outbox = outbox
        self._audit = audit
        self._settings = settings
        self._texts = texts
        self._clock = clock
        outbox.serve(QUEUE, self._deliver, at_once=1, is_open=accounts.is_online)

    def is_exempt(self, qun: Qun, contact_id: str) -> bool:
        """Whether the person is exempt from sanctions: owner, admins, companions, assistants."""
        accounts = self._accounts
        if contact_id in (qun.owner_id, qun.companion_id) or accounts.is_admin(qun.account, contact_id):
            return True
        if any(contact_id == wechat.self_id for wechat in accounts):
            return True
        room = self._groups.room_of(qun, contact_id)
        if room is not None and (contact_id == room.owner_id or contact_id in room.admin_ids):
            return True
        directory = accounts.get(qun.account).directory
        companions = (directory.find(name, friends=True) for name in self._settings.companions)
        return any([person.id for person in found] == [contact_id] for found in companions)

    # ---- sanctions ----

    def warn(
        self, session: Session, qun: Qun, room_id: str, contact_id: str, name: str, reason: str, who: str, **more: str
    ) -> int:
        """Warn a person in the group with an @, and ban them at the limit. Return the number of warnings."""
        count = self._put(session, qun, contact_id, name, warnings=1)
        limit = self._settings.warn_limit
        detail = {"number": str(qun.number), "reason": reason, "count": str(count), **more}
        self._audit.note(session, qun.account, "warn", who, contact_id, "done", **detail)
        if count >= limit:
            self.ban(session, qun, contact_id, name, reason, who)
        else:
            words = fill(self._texts.warned, member=name, reason=reason, count=count, limit=limit)
            self._messages.say(session, qun.account, room_id, text(words, [contact_id]))
        return count

    def ban(self, session: Session, qun: Qun, contact_id: str, name: str, reason: str, who: str) -> None:
        """Blacklist a person and remove them from the group."""
        self.blacklist(session, qun, contact_id, name, reason, who)
        self.put_out(session, qun, contact_id, reason, who)

    def blacklist(self, session: Session, qun: Qun, contact_id: str, name: str, reason: str, who: str) -> None:
        """Blacklist a person."""
        self._put(session, qun, contact_id, name, blacklisted=True)
        detail = {"number": str(qun.number), "reason": reason}
        self._audit.note(session, qun.account, "blacklist", who, contact_id, "done", **detail)

    def forgive(self, session: Session, qun: Qun, contact_id: str, who: str) -> None:
        """Remove a person from the blacklist and reset their warnings."""
        self._put(session, qun, contact_id, "", blacklisted=False)
        self._audit.note(session, qun.account, "forgive", who, contact_id, "done", number=str(qun.number))

    def came_back(self, session: Session, qun: Qun, contact_id: str) -> None:
        """Remove a blacklisted person who has joined again."""
        self.put_out(session, qun, contact_id, self._texts.reason_blacklisted, "guard")

    def put_out(self, session: Session, qun: Qun, contact_id: str, reason: str, who: str) -> None:
        """Queue the removal of a blacklisted person from the group."""
        body = {"number": qun.number, "contact": contact_id, "reason": reason, "who": who}
        self._outbox.add(session, f"{QUEUE}:{qun.account}", contact_id, body, priority=Priority.NOTICE)

    async def blacklisted(self, qun: Qun) -> list[MemberRecord]:
        """Return the group's blacklist."""
        wanted = select(MemberRecord).where(MemberRecord.number == qun.number, col(MemberRecord.blacklisted).is_(True))
        return list(await self._store.read(lambda s: s.exec(wanted).all()))

    def _put(self, session: Session, qun: Qun, contact_id: str, name: str, **change: Any) -> int:
        """Update a person's record, adding to their `warnings`; return the number of warnings."""
        if "blacklisted" in change:
            self._blacklist.follow(session, qun.number, contact_id, on=change["blacklisted"])
        now = self._clock()
        first = {"warnings": 0, "blacklisted": False, "removal_told": False, **change}
        after: dict[str, Any] = {**change, "updated_at": now}
        if "warnings" in change:
            after["warnings"] = col(MemberRecord.warnings) + change["warnings"]
        if change.get("blacklisted") is False:
            after |= {"warnings": 0, "removal_told": False}
        if name:
            after["name"] = name
        row = {"number": qun.number, "contact_id": contact_id, "name": name, "updated_at": now, **first}
        insert = self._store.insert(MemberRecord).values(row)
        insert = insert.on_conflict_do_update(index_elements=["number", "contact_id"], set_=after)
        return int(session.connection().execute(insert.returning(col(MemberRecord.warnings))).scalar_one())

    # ---- removal ----

    async def _deliver(self, work: Job) -> str | Retry | GiveUp:
        qun = self._groups.by_number(work.body["number"])
        contact_id = work.body["contact"]
        if qun is None or not self._blacklist.holds(qun.number, contact_id):  # removed from the blacklist since
            return ""
        if self._groups.room_of(qun, contact_id) is None:
            return ""
        try:
            room_ids = await self._memberships.put_out(qun, contact_id, work.body["who"])
        except (WeChatError, BotError) as error:
            return await self._failed(work, qun, contact_id, error)
        await self._store.write(lambda s: self._done(s, qun, contact_id, room_ids, work.body["reason"]))
        return ""

    def _done(self, session: Session, qun: Qun, contact_id: str, room_ids: list[str], reason: str) -> None:
        self._put(session, qun, contact_id, "", removal_told=False)
        words = fill(self._texts.removed, member=self._name(qun, contact_id), reason=reason)
        for room_id in room_ids:
            self._messages.say(session, qun.account, room_id, words, priority=Priority.NOTICE)

    async def _failed(self, work: Job, qun: Qun, contact_id: str, error: Exception) -> Retry | GiveUp:
        if isinstance(error, WeChatOffline | BotError):
            return Retry(1.0, str(error), counts=False)
        if work.attempts < MAX_TRIES and isinstance(error, WeChatTooFast | WeChatUnknown | WeChatNotDone):
            return Retry(60.0 if isinstance(error, WeChatTooFast) else 2.0, str(error))
        await self._store.write(lambda s: self._tell_owner(s, qun, contact_id, work.body["reason"]))
        return GiveUp(str(error))

    def _tell_owner(self, session: Session, qun: Qun, contact_id: str, reason: str) -> None:
        """Tell the owner, once per person, that the removal failed: usually the assistant is not the group's owner."""
        standing = session.get(MemberRecord, (qun.number, contact_id))
        if standing is not None and standing.removal_told:
            return
        name = self._name(qun, contact_id) or (standing.name if standing else "")
        self._put(session, qun, contact_id, name, removal_told=True)
        words = fill(self._texts.removal_failed, member=name, topic=qun.topic, reason=reason)
        self._messages.say(session, qun.account, qun.owner_id, words, priority=Priority.NOTICE)

    def _name(self, qun: Qun, contact_id: str) -> str:
        contact = self._accounts.get(qun.account).directory.contacts.get(contact_id)
        return contact.name if contact else ""
