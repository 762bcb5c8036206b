"""The staff room: `#12 您好` answers a customer, `#12 结束` ends, `#` lists; pictures, files and cards go to the ticket
named last."""

from __future__ import annotations

import logging
import re

from config.texts import fill
from errors import WeChatError
from handlers.turn import Turn
from models.support import Ticket, TicketState
from services.conversations import WORDS
from services.media import may_hold_file
from services.messages import Body, contact, file, link, text
from services.staff import Line, Verb, parse
from wechat.events import GroupMessage, MessageKind

log = logging.getLogger(__name__)
_AT_AHEAD = re.compile(r"^@[^@#＃\n]{1,64}\s(?=\s*[#＃])")
PICTURE_WITHIN = 120.0  # seconds after `#12 …` in which a picture, file or card of the same person goes to #12
CHAT = (MessageKind.EMOTICON,)  # is meant for the colleagues


async def wrote(event: GroupMessage, turn: Turn) -> bool:
    """Do what the staff asks for; their talk among each other is left alone."""
    if not turn.house.support.is_staff_room(event.account, event.room_id):
        return False
    if event.kind in (MessageKind.LINK, MessageKind.CARD) or (may_hold_file(event) and event.kind not in CHAT):
        return await _sent_file(event, turn)
    line = parse(_without_bot(event, turn)) if event.kind is MessageKind.TEXT else None
    if line is None:
        return False
    if line.verb is Verb.LIST:
        turn.reply(turn.house.desk.listing(event.account))
        return True
    ticket = turn.house.tickets.get(line.number)
    if ticket is None:
        turn.reply(turn.house.desk.unknown(line.number))
    elif ticket.account == event.account:  # another assistant's ticket is that assistant's to answer
        _do(line, ticket, event, turn)
    return True


def _do(line: Line, ticket: Ticket, event: GroupMessage, turn: Turn) -> None:
    desk, texts = turn.house.desk, turn.house.config.texts
    room, who = event.room_id, event.contact_id
    if line.verb is Verb.CALL:
        turn.write(lambda s: desk.call(s, ticket, who, room))
    elif line.verb is Verb.CLOSE:
        words = fill(texts.ticket_closed, number=ticket.id, name=ticket.name)
        turn.write(lambda s: desk.close(s, ticket, who, words))
    elif line.verb is Verb.NOTE:
        turn.write(lambda s: desk.note(s, ticket, who, line.words))
        turn.reply(fill(texts.ticket_noted, number=ticket.id))
    elif line.verb is Verb.PASS:
        _pass(line, ticket, event, turn)
    elif line.verb is Verb.CANNED:
        _canned(line, ticket, event, turn)
    else:
        _answer(ticket, event, turn, text(line.words))


def _answer(ticket: Ticket, event: GroupMessage, turn: Turn, body: Body) -> None:
    """Say it to the customer; of a ticket that waited, what the staff has not seen comes first."""
    house, room = turn.house, event.room_id
    if ticket.state == TicketState.WAITING:
        turn.write(lambda s: house.support.announce(s, ticket, room))
    turn.write(lambda s: house.desk.answer(s, ticket, event.contact_id, event.name, body, room))


def _canned(line: Line, ticket: Ticket, event: GroupMessage, turn: Turn) -> None:
    canned = turn.house.support.settings.canned
    words = canned.get(line.words)
    if words is None:
        names = "、".join(f"/{name}" for name in canned) or "无"
        turn.reply(fill(turn.house.config.texts.ticket_no_canned, name=line.words, names=names))
        return
    _answer(ticket, event, turn, text(words))


def _pass(line: Line, ticket: Ticket, event: GroupMessage, turn: Turn) -> None:
    """To the colleague who is @-ed, or whose name follows the @; anybody of the room but the assistant."""
    me, directory = turn.wechat.self_id, turn.wechat.directory
    room = directory.rooms.get(event.room_id)
    members = room.member_ids if room else set()
    named = [c.id for c in directory.find(line.words.strip(" \u2005"), among=members)]
    mentioned = [m for m in event.mentions if m != me]
    found = {who for who in (mentioned or named) if who != me and who in members}
    if len(found) != 1:
        turn.reply(fill(turn.house.config.texts.ticket_to_whom, number=ticket.id))
        return
    colleague = found.pop()
    known = directory.contacts.get(colleague)
    name = known.name if known else line.words
    turn.write(lambda s: turn.house.desk.give_to(s, ticket, colleague, name, event.room_id))


async def _sent_file(event: GroupMessage, turn: Turn) -> bool:
    """A picture, file or card right after `#12 …` is for #12."""
    house = turn.house
    ticket = house.desk.called(event.account, event.contact_id, PICTURE_WITHIN)
    if ticket is None:
        return False
    event, kept = await house.media.of(turn.wechat, event)
    if event.kind is MessageKind.OTHER:  # no file after all
        return False
    body = file(kept.path, kept.name) if kept else await _card(event, turn)
    texts, facts = house.config.texts, {"number": ticket.id, "name": ticket.name, "kind": WORDS[event.kind]}
    if body is None:
        turn.reply(fill(texts.ticket_file_lost, **facts))
        return True
    _answer(ticket, event, turn, body)
    turn.reply(fill(texts.ticket_file_sent, **facts))
    return True


async def _card(event: GroupMessage, turn: Turn) -> Body | None:
    """The link or the contact card that a message is; None for any other kind, and when it cannot be had."""
    try:
        if event.kind is MessageKind.LINK:
            return link(await turn.wechat.link(event.id))
        return contact(await turn.wechat.card(event.id)) if event.kind is MessageKind.CARD else None
    except WeChatError as error:
        log.warning("%s: the card of message %s: %s", event.account, event.id, error)
        return None


def _without_bot(event: GroupMessage, turn: Turn) -> str:
    """The text without an @ of the assistant in front, whatever it is called there; an @ of a colleague stays."""
    me = turn.wechat.directory.contacts.get(turn.wechat.self_id)
    name = f"@{me.name}" if me and me.name else ""
    words = event.text.strip().removeprefix(name).strip()
    return _AT_AHEAD.sub("", words) if event.mentions == (turn.wechat.self_id,) else words
