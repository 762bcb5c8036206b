"""Webhook events, queued in the transaction of the change they report."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from config.business import WebhookSettings
from models.conversations import BecameFriend
from models.durable import Priority
from services.clock import Clock
from services.work.outbox import Outbox

QUEUE = "hook"
REPEAT_WINDOW = 3600.0  # seconds in which further signs of the same new friend are ignored


class WebhookEvents:
    """Queues events for the webhooks that subscribe to them."""

    def __init__(self, outbox: Outbox, webhooks: Sequence[WebhookSettings], clock: Clock) -> None:
        self._outbox = outbox
        self.configure(webhooks)
        self._clock = clock

    def configure(self, webhooks: Sequence[WebhookSettings]) -> None:
        """Replace the webhooks."""
        self._webhooks = list(webhooks)

    def publish(self, session: Session, type: str, key: str, data: dict[str, Any]) -> None:
        """Queue the event for every webhook that subscribes to `type`. Events with the same `key` are delivered in
        order.
        """
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
        """Report a new friend once, although both an event and the contact list show them."""
        now = self._clock()
        last = session.get(BecameFriend, (account, contact_id))
        if last is None or last.at < now - REPEAT_WINDOW:
            session.merge(BecameFriend(account=account, contact_id=contact_id, at=now))
            data = {"assistant": account, "contact_id": contact_id, "name": name}
            self.publish(session, "friend.added", contact_id, data)

    def wants(self, type: str) -> bool:
        """Whether any webhook subscribes to this event type."""
        return any(webhook.wants(type) for webhook in self._webhooks)
