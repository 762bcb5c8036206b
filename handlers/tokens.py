"""A friend sends a join token to the assistant: the way into a group from WeChat itself."""

from __future__ import annotations

from handlers.context import EventContext
from services.groups.join_tokens import find_token
from wechat.events import MessageKind, PrivateMessage


async def sent(event: PrivateMessage, context: EventContext) -> bool:
    """Let the sender into the token's group; a wrong token is told, five in an hour are ignored for an hour."""
    token = find_token(event.text) if event.kind is MessageKind.TEXT else None
    if token is None or not event.is_friend or context.is_old:
        return False
    context.follow(await context.container.token_joins.token_sent(event.account, event.contact_id, token))
    return True
