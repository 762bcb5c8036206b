"""Broadcasts by a business system, and the ends of their messages."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, select

from models.durable import OutboxItem, WorkState
from services.messaging.messages import text
from services.outreach.broadcast_types import BroadcastRequest
from tests.services.parts import Parts

ADMIN = "wxid_admin_1"
QUEUED, SENDING, SENT, FAILED, CANCELLED = (
    WorkState.QUEUED, WorkState.SENDING, WorkState.SENT, WorkState.FAILED, WorkState.CANCELLED
)  # fmt: skip


def request(message: str = "hi", **values: Any) -> BroadcastRequest:
    return BroadcastRequest(text(message), **values)


async def submit(parts: Parts, key: str | None = None, **values: Any) -> int:
    return await parts.container.broadcasts.submit(request(**values), "rest:erp", key)


async def end_messages(parts: Parts, *states: str) -> None:
    """Set the states of the messages, in order."""

    def write(session: Session) -> None:
        rows = [row for row in session.exec(select(OutboxItem)) if row.priority == "c-broadcast"]
        for row, state in zip(rows, states, strict=False):
            row.state = state

    await parts.write(write)
    for job in list(parts.container.outbox._open):
        parts.container.outbox._ended(job.id)
