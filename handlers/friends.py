"""Friend requests and new friends."""

from __future__ import annotations

import re
import unicodedata

from handlers.context import EventContext
from services.groups.join_tokens import find_token
from wechat.events import FriendAdded, FriendRequested, MessageKind, PrivateMessage

_BINDING = re.compile(r"绑定\s*[:：]?\s*([A-Za-z0-9]{8})")  # the space is optional


async def accept_request(event: FriendRequested, context: EventContext) -> bool:
    """Accept a friend request that the rules allow or that has a valid join token, after a delay."""
    token = find_token(event.hello)
    token_joins, requests = context.container.token_joins, context.container.friend_requests
    reply, is_invited = "", False
    context.container.request_texts.remember(event.account, event.contact_id, event.hello)
    if token is not None:
        decision = await token_joins.token_in_request(event.account, event.contact_id, event.name, token)
        reply, is_invited = decision.reply, decision.may_accept
        if decision.write:
            context.write(decision.write)
    if is_invited or context.container.acceptance_policy.allows(event.hello):
        # only friends can receive messages, so a problem with the token is reported after the acceptance
        context.write(lambda s: requests.accept_soon(s, event.account, event.friendship_id, event.contact_id, reply))
    return True


async def welcome_friend(event: FriendAdded, context: EventContext) -> bool:
    """Greet a new friend, report the event, and add them to the groups that wait for them."""
    is_known = not event.is_new
    if not context.is_old:
        context.write(lambda s: context.container.greetings.greet(s, event.account, event.contact_id, again=is_known))
    if is_known:
        return True
    context.write(
        lambda s: context.container.webhook_events.friend_added(s, event.account, event.contact_id, event.name)
    )
    context.after(lambda: context.container.token_joins.became_friend_soon(event.account, event.contact_id))
    return True


async def bind_admin(event: PrivateMessage, context: EventContext) -> bool:
    """Make the person who sends “绑定 CODE” an admin, if it is the code printed at start."""
    sent = (
        _BINDING.fullmatch(unicodedata.normalize("NFKC", event.text).strip())
        if event.kind is MessageKind.TEXT
        else None
    )
    if sent is None or context.is_old:
        return False
    admins = context.container.admins
    if not admins.is_valid_code(sent[1], event.contact_id):
        context.reply(context.container.config.texts.admin_not_bound)
        return True
    context.write(lambda s: admins.bind(s, event.contact_id))
    context.reply(context.container.config.texts.admin_bound)
    return True
