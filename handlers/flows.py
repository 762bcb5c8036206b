"""Flows: what a person says starts one, answers its question, or ends it."""

from __future__ import annotations

from handlers.answers import said_to_me
from handlers.turn import Turn
from wechat.events import MessageKind, PrivateMessage


async def talked(event: PrivateMessage, turn: Turn) -> bool:
    """Take a message that is a flow's: a start word, 取消, or the answer to what the flow asked."""
    if turn.is_old or event.is_official:
        return False
    words = said_to_me(event, turn) if event.kind is MessageKind.TEXT else None
    decision = await turn.house.flows.heard(event.account, event.contact_id, words)
    if decision is None:
        return False
    turn.follow(decision)
    return True
