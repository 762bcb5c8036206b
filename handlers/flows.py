"""Messages that start, answer or cancel a flow."""

from __future__ import annotations

from handlers.context import EventContext
from handlers.replies import text_to_assistant
from wechat.events import MessageKind, PrivateMessage


async def handle(event: PrivateMessage, context: EventContext) -> bool:
    """Handle a message that concerns a flow: a start word, 取消, or the answer to its question."""
    if context.is_old or event.is_official:
        return False
    text = text_to_assistant(event, context) if event.kind is MessageKind.TEXT else None
    decision = await context.container.flows.handle(event.account, event.contact_id, text)
    if decision is None:
        return False
    context.execute(decision)
    return True
