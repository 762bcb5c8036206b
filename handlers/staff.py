"""Messages in the staff room: `#12 您好` answers a customer, `#12 结束` closes the ticket, `#` lists tickets.

Pictures, files and cards belong to the ticket the sender addressed last.
"""

from __future__ import annotations

import logging
import re
from functools import partial

from config.texts import fill
from errors import WeChatError
from handlers.context import EventContext
from models.support import Ticket, TicketState
from services.messaging.media import may_hold_file
from services.messaging.messages import Body, contact, file, link, text
from services.support.staff_syntax import StaffCommand, StaffVerb, parse
from wechat.entities import Link
from wechat.events import GroupMessage, MessageKind

log = logging.getLogger(__name__)
_AT_AHEAD = re.compile(r"^@[^@#＃\n]{1,64}\s(?=\s*[#＃])")
FILE_SECONDS = 120.0  # seconds after `#12 …` in which pictures, files and cards of the sender belong to #12
COMMAND = ("/", "／", "@")
NOT_RELAYED = (MessageKind.EMOTICON,)  # emoticons in the staff room are not for the customer


async def execute_command(event: GroupMessage, context: EventContext) -> bool:
    """Execute a command of the staff; other messages are ignored."""
    if not context.container.staff_rooms.is_staff_room(event.account, event.room_id):
        return False
    if event.kind in (MessageKind.LINK, MessageKind.CARD) or (may_hold_file(event) and event.kind not in NOT_RELAYED):
        return await _send_file(event, context)
    line = None
    if event.kind is MessageKind.TEXT:
        line = parse(_without_bot(event, context), _names(event, context), event.quoted)
    if line is None:
        return _ask_recipient(event, context)
    if line.verb is StaffVerb.LIST:
        context.reply(context.container.ticket_actions.listing(event.account))
        return True
    ticket = context.container.tickets.get(line.number)
    if ticket is None:
        context.reply(context.container.ticket_actions.unknown(line.number))
    elif ticket.account == event.account:  # tickets of another assistant are handled by that assistant
        _execute(line, ticket, event, context)
    return True


def _execute(line: StaffCommand, ticket: Ticket, event: GroupMessage, context: EventContext) -> None:
    ticket_actions, texts = context.container.ticket_actions, context.container.config.texts
    room, author = event.room_id, event.contact_id
    if line.verb is StaffVerb.ADDRESS:
        context.write(lambda s: ticket_actions.address(s, ticket, author, room))
    elif line.verb is StaffVerb.CLOSE:
        notice = fill(texts.ticket_closed, number=ticket.id, name=ticket.name)
        context.write(lambda s: ticket_actions.close(s, ticket, author, notice, room))
    elif line.verb is StaffVerb.NOTE:
        context.write(lambda s: ticket_actions.add_note(s, ticket, author, line.text))
        context.reply(fill(texts.ticket_noted, number=ticket.id))
    elif line.verb is StaffVerb.HISTORY:
        context.write(lambda s: ticket_actions.show_history(s, ticket, room))
    elif line.verb is StaffVerb.MALFORMED:
        context.reply(ticket_actions.malformed(line.number, line.text))
    elif line.verb is StaffVerb.ASSIGN:
        _assign(line, ticket, event, context)
    elif line.verb is StaffVerb.CANNED:
        _send_canned_reply(line, ticket, event, context)
    else:
        _answer(ticket, event, context, text(line.text))


def _names(event: GroupMessage, context: EventContext) -> set[str]:
    """Return the names of the people in the staff room."""
    directory = context.wechat.directory
    room = directory.rooms.get(event.room_id)
    people = [directory.contacts[id] for id in (room.member_ids if room else ()) if id in directory.contacts]
    return {name for person in people for name in (person.name, person.alias) if name}


def _ask_recipient(event: GroupMessage, context: EventContext) -> bool:
    """Ask once whether a message without `#` right after the sender's `#12 …` is for the customer."""
    if event.kind is not MessageKind.TEXT or event.mentions or context.is_old or event.text.lstrip()[:1] in COMMAND:
        return False
    question = context.container.ticket_actions.ask_recipient(event.account, event.contact_id, FILE_SECONDS)
    if question is None:
        return False
    context.reply(question)
    return True


def _answer(ticket: Ticket, event: GroupMessage, context: EventContext, body: Body) -> None:
    """Send an answer to the customer; a waiting ticket is announced first."""
    container, room = context.container, event.room_id
    if ticket.state == TicketState.WAITING:
        context.write(lambda s: container.announcements.announce(s, ticket, room))
    context.write(lambda s: container.ticket_actions.answer(s, ticket, event.contact_id, event.name, body, room))


def _send_canned_reply(line: StaffCommand, ticket: Ticket, event: GroupMessage, context: EventContext) -> None:
    replies = context.container.canned_replies.all
    reply = replies.get(line.text)
    if reply is None:
        names = "、".join(f"/{name}" for name in replies) or context.container.config.texts.nothing
        context.reply(fill(context.container.config.texts.ticket_no_canned, name=line.text, names=names))
        return
    _answer(ticket, event, context, text(reply))


def _assign(line: StaffCommand, ticket: Ticket, event: GroupMessage, context: EventContext) -> None:
    """Assign the ticket to the colleague who is mentioned or named, who must be in the room."""
    me, directory = context.wechat.self_id, context.wechat.directory
    room = directory.rooms.get(event.room_id)
    members = room.member_ids if room else set()
    by_name = [c.id for c in directory.find(line.text.strip(" \u2005"), among=members)]
    mentioned = [m for m in event.mentions if m != me]
    colleagues = {id for id in (mentioned or by_name) if id != me and id in members}
    if len(colleagues) != 1:
        context.reply(fill(context.container.config.texts.ticket_to_whom, number=ticket.id))
        return
    colleague = colleagues.pop()
    contact = directory.contacts.get(colleague)
    name = contact.name if contact else line.text
    context.write(lambda s: context.container.ticket_actions.assign(s, ticket, colleague, name, event.room_id))


async def _send_file(event: GroupMessage, context: EventContext) -> bool:
    """Send a picture, file or card right after `#12 …` to the customer of #12."""
    container = context.container
    ticket = container.ticket_actions.last_addressed(event.account, event.contact_id, FILE_SECONDS)
    if ticket is None:
        return False
    event, stored_file, fetches_later = await container.files.fetch_quickly(context.wechat, event)
    if fetches_later:
        context.write(partial(container.files.fetch_later, message=event, ticket=ticket.id or 0, name=event.name))
        return True
    if event.kind is MessageKind.OTHER:  # the file is not available
        return False
    body = file(stored_file.path, stored_file.name) if stored_file else await _card_of(event, context)
    if body is not None:
        _answer(ticket, event, context, body)
    context.reply(container.ticket_actions.file_result(ticket, event.kind, is_sent=body is not None))
    return True


async def _card_of(event: GroupMessage, context: EventContext) -> Body | None:
    """Return the link or contact card of a message; None for other kinds and on errors."""
    try:
        if event.kind is MessageKind.LINK:
            title, _, description = event.text.partition("\n")
            card = Link(title, event.target, description) if event.target else None
            return link(card or await context.wechat.link(event.id))
        if event.kind is MessageKind.CARD and event.target:
            return contact(event.target)
        return contact(await context.wechat.card(event.id)) if event.kind is MessageKind.CARD else None
    except WeChatError as error:
        log.warning("%s: could not read the card of message %s: %s", event.account, event.id, error)
        return None


def _without_bot(event: GroupMessage, context: EventContext) -> str:
    """Return the text without a leading mention of the assistant; mentions of colleagues are kept."""
    me = context.wechat.directory.contacts.get(context.wechat.self_id)
    command = event.text.strip()
    for name in filter(None, (event.own_name, me.name if me else "")):
        command = command.removeprefix(f"@{name}").strip()
    return _AT_AHEAD.sub("", command) if event.mentions == (context.wechat.self_id,) else command
