"""Formatting of tickets for the staff room and for events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.support import Ticket
from services.messaging.messages import Body, text

MAX_MESSAGE = 1500  # characters per message; WeChat accepts about 2000


def head(ticket: Ticket) -> str:
    """Return the prefix of relayed messages."""
    return f"【#{ticket.id} {ticket.name}】"


def quoted(text: str) -> str:
    """Escape a customer's text, so that it cannot imitate the prefix of another ticket."""
    return text.replace("【#", "【 #")


def relay(ticket: Ticket, body: Body | str) -> Body:
    """Mark a body as a message about a ticket for staff. It is not added to the conversation, which has the
    original.
    """
    return {**(text(body) if isinstance(body, str) else body), "relays": ticket.id}


def facts(ticket: Ticket, **extra: str) -> dict[str, Any]:
    """Return the event data of a ticket."""
    return {
        "ticket": ticket.id,
        "assistant": ticket.account,
        "contact_id": ticket.contact_id,
        "name": ticket.name,
        "staff": ticket.staff_name,
        **extra,
    }


def join_lines(lines: Sequence[str]) -> list[str]:
    """Join lines to as few messages as possible, splitting long lines; returns at least one message."""
    messages = [""]
    for line in lines:
        for start in range(0, len(line) or 1, MAX_MESSAGE):
            piece = line[start : start + MAX_MESSAGE]
            if messages[-1] and len(messages[-1]) + 1 + len(piece) > MAX_MESSAGE:
                messages.append(piece)
            else:
                messages[-1] += ("\n" if messages[-1] else "") + piece
    return messages
