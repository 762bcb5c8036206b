"""What business systems are told (webhooks): promised in the same transaction as what it tells of."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from business import Webhook
from models.durable import Priority
from services.lane import Clock
from services.outbox import Outbox

LANE = "hook"


class Notices:
    """Turns what happened into one promised POST for each webhook that listens."""

    def __init__(self, outbox: Outbox, webhooks: Sequence[Webhook], clock: Clock) -> None:
        self._outbox = outbox
        self._webhooks = webhooks
        self._clock = clock

    def tell(self, session: Session, type: str, key: str, data: dict[str, Any]) -> None:
        """Promise the event to every webhook that wants its type; `key`: its events go in order (a group's number)."""
        event = {
            "id": f"evt_{uuid.uuid4().hex}",
            "type": type,
            "timestamp": datetime.fromtimestamp(self._clock(), UTC).isoformat(),
            "data": data,
        }
        for webhook in self._webhooks:
            if not webhook.events or type in webhook.events:
                self._outbox.add(session, f"{LANE}:{webhook.lane}", key, event, priority=Priority.NOTICE)
