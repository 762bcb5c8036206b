"""Delivery failures reported later, and messages that staff sent without the assistant."""

from __future__ import annotations

from handlers.context import EventContext
from services.messaging.messages import QUEUE
from wechat.events import MessageFailed, StaffMessage


async def failed(event: MessageFailed, context: EventContext) -> bool:
    """Mark a message that was accepted but not delivered as failed."""
    if event.message_id:
        number, queue = int(event.message_id), f"{QUEUE}:{event.account}"
        context.write(lambda s: context.container.outbox.fail_sent(s, number, queue, event.reason))
    return True


async def answered_elsewhere(event: StaffMessage, context: EventContext) -> bool:
    """Store a message that staff sent from their own client."""
    body = {"type": event.kind.value, "text": event.text, "staff": event.staff_id}
    context.write(lambda s: context.container.conversations.spoken(s, event.account, event.contact_id, body))
    return True
