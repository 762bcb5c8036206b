"""Sanctions for offences: warnings and, at the limit, removal and blacklisting. By WeChat id, per group."""

from __future__ import annotations

from sqlmodel import Session

from config.settings import GroupSettings
from config.texts import Texts, fill
from models.durable import Outcome
from models.groups import MemberRecord, Qun
from services.accounts.audit import Audit
from services.groups.removal_queue import RemovalQueue
from services.messaging.messages import Messages, text
from services.moderation.exemptions import Exemptions
from services.moderation.member_records import MemberRecords


class Sanctions:
    """Warns, blacklists, and has people removed."""

    def __init__(
        self,
        records: MemberRecords,
        removals: RemovalQueue,
        exemptions: Exemptions,
        messages: Messages,
        audit: Audit,
        settings: GroupSettings,
        texts: Texts,
    ) -> None:
        self._records = records
        self._removals = removals
        self._exemptions = exemptions
        self._messages = messages
        self._audit = audit
        self._settings = settings
        self._texts = texts

    def is_exempt(self, qun: Qun, contact_id: str) -> bool:
        """Whether the person may not be warned or removed: owner, admins, companions, assistants."""
        return self._exemptions.apply_to(qun, contact_id)

    def warn(
        self,
        session: Session,
        qun: Qun,
        room_id: str,
        contact_id: str,
        name: str,
        reason: str,
        actor: str,
        **details: str,
    ) -> int:
        """Warn a person in the group with an @; at the limit remove and blacklist them. Return their warnings."""
        count = self._records.change(session, qun, contact_id, name, warnings=1)
        limit = self._settings.warn_limit
        detail = {"number": str(qun.number), "reason": reason, "count": str(count), **details}
        self._audit.record(session, qun.account, "warn", actor, contact_id, Outcome.DONE, **detail)
        if count >= limit:
            self.ban(session, qun, contact_id, name, reason, actor)
        else:
            warning = fill(self._texts.warned, member=name, reason=reason, count=count, limit=limit)
            self._messages.queue(session, qun.account, room_id, text(warning, [contact_id]))
        return count

    def ban(self, session: Session, qun: Qun, contact_id: str, name: str, reason: str, actor: str) -> None:
        """Blacklist a person and remove them from the group."""
        self.blacklist(session, qun, contact_id, name, reason, actor)
        self._removals.add(session, qun, contact_id, reason, actor)

    def blacklist(self, session: Session, qun: Qun, contact_id: str, name: str, reason: str, actor: str) -> None:
        """Add a person to the group's blacklist."""
        self._records.change(session, qun, contact_id, name, blacklisted=True)
        detail = {"number": str(qun.number), "reason": reason}
        self._audit.record(session, qun.account, "blacklist", actor, contact_id, Outcome.DONE, **detail)

    def unblacklist(self, session: Session, qun: Qun, contact_id: str, actor: str) -> None:
        """Remove a person from the blacklist, and reset their warnings."""
        self._records.change(session, qun, contact_id, "", blacklisted=False)
        self._audit.record(session, qun.account, "forgive", actor, contact_id, Outcome.DONE, number=str(qun.number))

    async def blacklisted(self, qun: Qun) -> list[MemberRecord]:
        """Return the group's blacklist."""
        return await self._records.blacklisted(qun)
