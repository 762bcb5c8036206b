"""Moderation of group messages, before other handlers."""

from __future__ import annotations

from handlers.context import EventContext
from wechat.events import GroupMessage


async def moderate(event: GroupMessage, context: EventContext) -> bool:
    """Count the message, and warn its sender if it breaks a rule; other messages go to the next handler."""
    container = context.container
    qun = container.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    container.daily_stats.count_message(qun.number)
    if context.is_old:
        return False
    offence = container.moderator.offence(event, qun)
    if offence is None:
        if container.moderator.needs_check(event, qun):
            context.write(lambda s: container.deferred_checks.queue(s, event))
        return False
    reason = container.moderator.reason(offence)
    context.write(
        lambda s: container.sanctions.warn(
            s, qun, event.room_id, event.contact_id, event.name, reason, "guard", rule=offence
        )
    )
    return True
