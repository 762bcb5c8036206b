"""People who want to become friends, and people who have."""

from __future__ import annotations

import re
import unicodedata

from handlers.context import EventContext
from services.groups.join_tokens import find_token
from wechat.events import FriendAdded, FriendRequested, MessageKind, PrivateMessage

_BINDING = re.compile(r"绑定\s*[:：]?\s*([A-Za-z0-9]{8})")  # with or without the blank that people forget


async def requested(event: FriendRequested, context: EventContext) -> bool:
    """Accept whom the rules accept, a moment later as a person would; a valid join token always does."""
    token = find_token(event.hello)
    token_joins, friends = context.container.token_joins, context.container.friends
    words, let_in = "", False
    friends.asked(event.account, event.contact_id, event.hello)
    if token is not None:
        decision = await token_joins.token_in_request(event.account, event.contact_id, event.name, token)
        words, let_in = decision.words, decision.opens
        if decision.write:
            context.write(decision.write)
    if let_in or friends.accepts(event.hello):
        # What is wrong with a token can be told to a friend only, so after the acceptance.
        context.write(lambda s: friends.accept_soon(s, event.account, event.friendship_id, event.contact_id, words))
    return True


async def added(event: FriendAdded, context: EventContext) -> bool:
    """Greet a new friend once, tell of it, and do at once what was approved for them while they were none."""
    if not context.is_old:
        context.write(lambda s: context.container.friends.greet(s, event.account, event.contact_id))
    context.write(
        lambda s: context.container.webhook_events.friend_added(s, event.account, event.contact_id, event.name)
    )
    context.after(lambda: context.container.token_joins.became_friend_soon(event.account, event.contact_id))
    return True


async def bind_admin(event: PrivateMessage, context: EventContext) -> bool:
    """While there is no admin: who sends “绑定 CODE” with the code printed at start becomes one."""
    sent = (
        _BINDING.fullmatch(unicodedata.normalize("NFKC", event.text).strip())
        if event.kind is MessageKind.TEXT
        else None
    )
    if sent is None or context.is_old:
        return False
    admins = context.container.admins
    if not admins.fits(sent[1], event.contact_id):
        context.reply(context.container.config.texts.admin_not_bound)
        return True
    context.write(lambda s: admins.bind(s, event.contact_id))
    context.reply(context.container.config.texts.admin_bound)
    return True
