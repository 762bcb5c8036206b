"""What is said in a group is counted, and looked at before anything answers it."""

from __future__ import annotations

from handlers.turn import Turn
from wechat.events import GroupMessage


async def watch(event: GroupMessage, turn: Turn) -> bool:
    """Warn who breaks the rules of a group, and take them out at the limit; a clean message goes on to the others."""
    house = turn.house
    qun = house.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    house.tally.message(qun.number)
    offence = None if turn.is_old else await house.guard.offence(event, qun)
    if offence is None:
        return False
    reason = house.guard.reason(offence)
    turn.write(
        lambda s: house.ladder.warn(s, qun, event.room_id, event.contact_id, event.name, reason, "guard", rule=offence)
    )
    return True
