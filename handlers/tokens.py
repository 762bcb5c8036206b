"""Join tokens in private messages."""

from __future__ import annotations

from handlers.context import EventContext
from services.groups.join_tokens import find_token
from wechat.events import MessageKind, PrivateMessage


async def join_by_token(event: PrivateMessage, context: EventContext) -> bool:
    """Start adding a friend to the token's group, or reply that the token is wrong."""
    token = find_token(event.text) if event.kind is MessageKind.TEXT else None
    if token is None or not event.is_friend or context.is_old:
        return False
    context.execute(await context.container.token_joins.token_sent(event.account, event.contact_id, token))
    return True
