"""What becomes of messages after the platform has taken them, and what staff say past the assistant."""

from __future__ import annotations

from handlers.context import EventContext
from services.messaging.messages import QUEUE
from wechat.events import MessageFailed, StaffMessage


async def failed(event: MessageFailed, context: EventContext) -> bool:
    """A message that was taken did not reach its receiver: it has failed, and whoever relies on it is told."""
    if event.message_id:
        number, queue = int(event.message_id), f"{QUEUE}:{event.account}"
        context.write(lambda s: context.container.outbox.fail_sent(s, number, queue, event.reason))
    return True


async def answered_elsewhere(event: StaffMessage, context: EventContext) -> bool:
    """Keep what staff answer in their own client with the rest of the conversation."""
    body = {"type": event.kind.value, "text": event.text, "staff": event.staff_id}
    context.write(lambda s: context.container.conversations.spoken(s, event.account, event.contact_id, body))
    return True
