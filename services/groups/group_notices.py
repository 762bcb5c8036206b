"""Notices about groups: welcomes and other messages in WeChat, and webhook events."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from config.settings import GroupSettings
from config.texts import Texts, fill
from errors import GroupFull, MemberBlacklisted
from models.durable import Priority
from models.groups import Membership, MembershipReason, Qun, QunRoom
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from services.groups.membership_rows import membership_of
from services.messaging.messages import AT_SIGN_END, Messages, text
from services.messaging.webhook_events import WebhookEvents
from wechat.interface import Capability


class GroupNotices:
    """Queues notices, inside the transaction of the change."""

    def __init__(
        self,
        accounts: Accounts,
        groups: Groups,
        messages: Messages,
        webhook_events: WebhookEvents,
        settings: GroupSettings,
        texts: Texts,
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._messages = messages
        self._webhook_events = webhook_events
        self._settings = settings
        self._texts = texts

    # ---- the group ----

    def publish_created(self, session: Session, qun: Qun) -> None:
        """Notify business systems that a group was created."""
        data = {"topic": qun.topic, "owner": qun.owner, "url": self._groups.url(qun)}
        self._webhook_events.publish(session, "qun.created", str(qun.number), {**_group_data(qun), **data})

    def report_lost(self, session: Session, qun: Qun, room: QunRoom) -> None:
        """Notify the owner and business systems that the assistant is no longer in a room."""
        notice = fill(self._texts.group_lost, topic=room.topic, number=qun.number)
        self._messages.queue(session, qun.account, self._groups.owner_to_notify(qun), notice, priority=Priority.NOTICE)
        self._webhook_events.publish(session, "qun.lost", str(qun.number), self._room_data(qun, room))

    def report_found(self, session: Session, qun: Qun, room: QunRoom) -> None:
        """Notify the owner and business systems that the assistant is in a lost room again."""
        notice = fill(self._texts.group_found, topic=room.topic, number=qun.number)
        self._messages.queue(session, qun.account, self._groups.owner_to_notify(qun), notice, priority=Priority.NOTICE)
        self._webhook_events.publish(session, "qun.found", str(qun.number), self._room_data(qun, room))

    def _room_data(self, qun: Qun, room: QunRoom) -> dict[str, object]:
        return {**_group_data(qun), "topic": room.topic, "state": qun.state}

    # ---- its members ----

    def publish_membership(self, session: Session, kind: str, qun: Qun, row: Membership, **extra: str) -> None:
        """Notify business systems of a membership; `kind` is the type of the event."""
        data = {**_group_data(qun), "membership": row.id, "member": row.name, "contact_id": row.contact_id, **extra}
        self._webhook_events.publish(session, kind, str(qun.number), data)

    def welcome(self, session: Session, qun: Qun, room_id: str, contact_ids: Sequence[str]) -> None:
        """Welcome people in the room, with an @, unless the group has no welcome."""
        if Capability.ROOM_MESSAGES not in self._accounts.get(qun.account).capabilities:
            return
        welcome = qun.welcome if qun.welcome is not None else self._settings.welcome
        if not welcome:
            return
        named = [f"@{name}{AT_SIGN_END}" for contact_id in contact_ids if (name := self._name(qun, contact_id))]
        member = "".join(named) or self._texts.newcomer
        greeting = fill(welcome, member=member, topic=self._topic(qun, room_id)).replace(f"{AT_SIGN_END} ", AT_SIGN_END)
        body = text(greeting, contact_ids)
        self._messages.queue(session, qun.account, room_id, body, priority=Priority.NOTICE)

    def notify_outcome(self, session: Session, qun: Qun, contact_id: str, error: Exception | None) -> None:
        """Tell a person who asked to join the outcome of the attempt."""
        row = membership_of(session, qun.number, contact_id)
        if isinstance(error, GroupFull):
            notice = fill(self._texts.group_full, topic=qun.topic)
        elif isinstance(error, MemberBlacklisted):
            notice = fill(self._texts.blacklisted, topic=qun.topic)
        elif error is not None:
            notice = fill(self._texts.join_failed, topic=qun.topic)
        elif row is not None and row.error == MembershipReason.OWNER_MUST_CONFIRM:
            notice = fill(self._texts.waiting_owner, topic=qun.topic)
        else:
            notice = fill(self._texts.invited, topic=qun.topic, days=round(self._settings.pending_days))
        self._messages.queue(session, qun.account, contact_id, notice)

    def _topic(self, qun: Qun, room_id: str) -> str:
        room = self._accounts.get(qun.account).directory.rooms.get(room_id)
        return room.topic if room and room.topic else qun.topic

    def _name(self, qun: Qun, contact_id: str) -> str:
        contact = self._accounts.get(qun.account).directory.contacts.get(contact_id)
        return contact.name if contact else ""


def _group_data(qun: Qun) -> dict[str, object]:
    """Return the event data that identifies a group."""
    return {"assistant": qun.account, "number": qun.number, "code": qun.code}
