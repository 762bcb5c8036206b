"""People come into groups and go; groups get other names."""

from __future__ import annotations

from functools import partial

from handlers.turn import Turn
from wechat.events import MemberJoined, MemberLeft, TopicChanged


async def joined(event: MemberJoined, turn: Turn) -> bool:
    """Keep the membership true and welcome each person once."""
    qun = turn.house.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    for contact_id in event.contact_ids:
        if contact_id == turn.wechat.self_id:
            continue
        await turn.wechat.contact(contact_id)  # so that the welcome knows the name
        turn.write(partial(turn.house.arrivals.joined, qun=qun, room_id=event.room_id, contact_id=contact_id))
    return True


async def left(event: MemberLeft, turn: Turn) -> bool:
    """Keep the membership true; the assistant itself leaving makes the room a lost one."""
    qun = turn.house.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    for contact_id in event.contact_ids:
        if contact_id == turn.wechat.self_id:
            turn.write(lambda s: turn.house.groups.lose_room(s, event.account, event.room_id))
            continue
        removed = event.remover_id not in ("", contact_id)
        turn.write(partial(turn.house.arrivals.left, qun=qun, contact_id=contact_id, removed=removed))
    return True


async def topic_changed(event: TopicChanged, turn: Turn) -> bool:
    """The directory knows the new name already; the drift check decides what to do about it."""
    return turn.house.groups.by_room(event.account, event.room_id) is not None
