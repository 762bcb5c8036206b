"""What business systems are told (webhooks): promised in the same transaction as what it tells of."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from config.business import WebhookSettings
from models.conversations import BecameFriend
from models.durable import Priority
from models.groups import Qun
from services.clock import Clock
from services.work.delivery_queue import GiveUp, Job
from services.work.outbox import Outbox

QUEUE = "hook"
MESSAGES = "wx"  # the queues of what is said in WeChat
SAME_FRIEND = 3600.0  # seconds in which a second sign of the same new friend is no news


class WebhookEvents:
    """Turns what happened into one promised POST for each webhook that listens."""

    def __init__(self, outbox: Outbox, webhooks: Sequence[WebhookSettings], clock: Clock) -> None:
        self._outbox = outbox
        self.configure(webhooks)
        self._clock = clock
        self.group_of: Callable[[str, str], Qun | None] = lambda _account, _room_id: None
        outbox.on_failed(self._message_failed)
        outbox.on_sent(self._message_sent)

    def configure(self, webhooks: Sequence[WebhookSettings]) -> None:
        """Tell these from now on."""
        self._webhooks = list(webhooks)

    def tell(self, session: Session, type: str, key: str, data: dict[str, Any]) -> None:
        """Promise the event to every webhook that wants its type; `key`: its events go in order (a group's number)."""
        event = {
            "id": f"evt_{uuid.uuid4().hex}",
            "type": type,
            "timestamp": datetime.fromtimestamp(self._clock(), UTC).isoformat(),
            "data": data,
        }
        for webhook in self._webhooks:
            if webhook.wants(type):
                account = str(data.get("assistant", ""))
                queue = f"{QUEUE}:{webhook.name}"
                self._outbox.add(session, queue, key, event, priority=Priority.NOTICE, account=account)

    def friend_added(self, session: Session, account: str, contact_id: str, name: str) -> None:
        """Tell that a person has become a friend: once, though both its event and the list of contacts show it."""
        now = self._clock()
        known = session.get(BecameFriend, (account, contact_id))
        if known is None or known.at < now - SAME_FRIEND:
            session.merge(BecameFriend(account=account, contact_id=contact_id, at=now))
            data = {"assistant": account, "contact_id": contact_id, "name": name}
            self.tell(session, "friend.added", contact_id, data)

    def wants(self, type: str) -> bool:
        """Whether anybody is told of events of this type."""
        return any(webhook.wants(type) for webhook in self._webhooks)

    def _message_sent(self, session: Session, work: Job) -> None:
        queue, _, account = work.queue.partition(":")
        if queue != MESSAGES or work.body["type"] == "leave" or not self.wants("message.sent"):
            return
        qun = self.group_of(account, work.key)
        data = {"message": work.id, "assistant": account, "to": work.key, "kind": work.body["type"]}
        if qun is not None:
            data["number"] = qun.number
        self.tell(session, "message.sent", str(qun.number) if qun else work.key, data)

    def _message_failed(self, session: Session, work: Job, gone: GiveUp) -> None:
        queue, _, account = work.queue.partition(":")
        if queue == MESSAGES:
            qun = self.group_of(account, work.key)
            data = {"message": work.id, "assistant": account, "to": work.key, "error": gone.why}
            if qun is not None:
                data["number"] = qun.number
            self.tell(session, "message.failed", str(qun.number) if qun else work.key, data)
