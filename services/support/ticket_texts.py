"""How a ticket is written in the staff room, and in what business systems are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.support import Ticket
from services.messaging.messages import Body, text

LONGEST = 1500  # characters of one message; WeChat takes about 2000


def head(ticket: Ticket) -> str:
    """What every relayed message begins with."""
    return f"【#{ticket.id} {ticket.name}】"


def quoted(words: str) -> str:
    """A customer's words, which cannot look like another ticket's: people write line breaks and brackets as well."""
    return words.replace("【#", "【 #")


def relay(ticket: Ticket, body: Body | str) -> Body:
    """A message to the staff about a ticket; it is not kept as said, for what it passes on is kept already."""
    return {**(text(body) if isinstance(body, str) else body), "relays": ticket.id}


def facts(ticket: Ticket, **more: str) -> dict[str, Any]:
    """What business systems are told of a ticket."""
    return {
        "ticket": ticket.id,
        "assistant": ticket.account,
        "contact_id": ticket.contact_id,
        "name": ticket.name,
        "staff": ticket.staff_name,
        **more,
    }


def packed(lines: Sequence[str]) -> list[str]:
    """Lines in as few messages as WeChat takes; at least one, and none of the lines lost."""
    made = [""]
    for line in lines:
        for at in range(0, len(line) or 1, LONGEST):
            piece = line[at : at + LONGEST]
            if made[-1] and len(made[-1]) + len(piece) > LONGEST:
                made.append(piece)
            else:
                made[-1] += ("\n" if made[-1] else "") + piece
    return made
