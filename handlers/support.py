"""Customer service: messages of customers with a ticket, 人工, and ratings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from config.texts import fill
from errors import WeChatError
from handlers.context import EventContext
from handlers.replies import text_to_assistant
from handlers.voice import VOICE_PREFIX
from models.durable import Priority
from models.support import Ticket, TicketState
from services.groups.join_tokens import find_token
from services.messaging.budgets import Budget, Verdict
from services.messaging.conversations import with_quoted_text
from services.support.ratings import is_bare_digit, rating_in
from services.support.ticket_relay import CustomerMessage
from wechat.events import GroupMessage, MessageKind, PrivateMessage

COMMAND = ("/", "／")
NOT_REPORTED = (MessageKind.SYSTEM, MessageKind.RECALLED, MessageKind.PAT)  # to webhooks
NOT_SHOWN = (MessageKind.SYSTEM, MessageKind.PAT)  # to staff


async def record(event: PrivateMessage, context: EventContext) -> bool:
    """Store a private message, and relay it while a ticket is open. Official accounts and assistants get no reply."""
    container = context.container
    if not event.is_official and not container.accounts.is_own(event.contact_id):
        emit_received(replace(event, kind=MessageKind.AUDIO) if context.voice else event, context)
    if context.voice and event.kind is MessageKind.TEXT:
        event = replace(event, text=f"{VOICE_PREFIX} {event.text}")
    ticket = container.tickets.of(event.account, event.contact_id)
    if ticket is None or event.kind in NOT_SHOWN:
        context.write(partial(container.conversations.record_incoming, message=event, stored_file=context.voice))
        return event.is_official or container.accounts.is_own(event.contact_id)
    if ticket.state == TicketState.OPEN and not _may_relay(event, context, ticket):
        context.write(
            partial(container.conversations.record_incoming, message=event, stored_file=context.voice, ticket=ticket.id)
        )
        return False
    stored_file, fetches_later = context.voice, False
    if stored_file is None:
        event, stored_file, fetches_later = await container.files.fetch_quickly(context.wechat, event)
    if fetches_later:
        context.write(partial(container.files.fetch_later, message=event))
    spoken = event.kind is MessageKind.TEXT
    line = with_quoted_text(event, stored_file.name if stored_file and not spoken else await _described(event, context))
    context.write(
        partial(container.conversations.record_incoming, message=event, stored_file=stored_file, ticket=ticket.id)
    )
    message = CustomerMessage(event.kind, line, event.name, None if spoken else stored_file, fetches_later)
    context.write(partial(container.ticket_relay.relay, ticket=ticket, message=message))
    return False


def _may_relay(event: PrivateMessage, context: EventContext, ticket: Ticket) -> bool:
    """Whether one more message of this person may be relayed; staff are notified once if not."""
    container = context.container
    verdict = container.budgets.spend(Budget.RELAYS, event.account, event.contact_id)
    if verdict is Verdict.EXCEEDED and ticket.room_id:
        notice = fill(container.config.texts.ticket_relays_paused, number=ticket.id, name=event.name or ticket.name)
        context.send(ticket.room_id, notice, priority=Priority.NOTICE)
    return verdict is Verdict.ALLOWED


def emit_received(event: PrivateMessage | GroupMessage, context: EventContext) -> None:
    """Emit message.received if a webhook subscribes to it."""
    container = context.container
    if event.kind in NOT_REPORTED or not container.webhook_events.wants("message.received"):
        return
    person = context.wechat.directory.contacts.get(event.contact_id)
    data: dict[str, Any] = {
        "assistant": event.account,
        "contact_id": event.contact_id,
        "name": person.name if person else "",
        "kind": event.kind,
        "text": event.text,
        **({"quoted": event.quoted} if event.quoted else {}),
        "at": event.at.isoformat(),
    }
    key = event.conversation
    if isinstance(event, GroupMessage):
        data["room_id"] = event.room_id
        if (qun := container.groups.by_room(event.account, event.room_id)) is not None:
            data["number"], key = qun.number, str(qun.number)
    context.write(lambda s: container.webhook_events.publish(s, "message.received", key, data))


async def _described(event: PrivateMessage, context: EventContext) -> str:
    """Return a description of a message that is neither a text nor a file."""
    wechat = context.wechat
    if event.target:
        lines = event.text.splitlines()
        return " ".join((*lines[:1], event.target)) if event.kind is MessageKind.LINK else " ".join(lines)
    try:
        if event.kind is MessageKind.LINK:
            card = await wechat.link(event.id)
            return f"{card.title} {card.url}"
        if event.kind is MessageKind.CARD:
            person = await wechat.contact(await wechat.card(event.id))
            return f"{person.name}（{person.weixin or person.id}）"
        if event.kind is MessageKind.MINI_PROGRAM:
            return await wechat.program_title(event.id)
        if event.kind is MessageKind.LOCATION:
            return await wechat.place(event.id)
    except WeChatError:
        return event.text
    return event.text


async def record_in_group(event: GroupMessage, context: EventContext) -> bool:
    """Store a group message to the assistant; messages of assistants get no reply."""
    is_own = context.container.accounts.is_own(event.contact_id)
    if event.mentioned:
        context.write(partial(context.container.conversations.record_incoming, message=event))
        if not is_own:
            emit_received(event, context)
    return is_own


async def stop_if_served(event: PrivateMessage, context: EventContext) -> bool:
    """Stop here if the person has an open ticket or the message is old, except for join tokens and commands."""
    if event.kind in NOT_REPORTED:
        return True
    if event.kind is MessageKind.TEXT and (find_token(event.text) or event.text.lstrip().startswith(COMMAND)):
        return False
    return context.is_old or context.container.tickets.has_open(event.account, event.contact_id)


async def open_ticket(event: PrivateMessage, context: EventContext) -> bool:
    """Open a ticket if the customer asks for a person (人工)."""
    container = context.container
    if event.kind is not MessageKind.TEXT or not container.person_requests.match(text_to_assistant(event, context)):
        return False
    if context.container.tickets.of(event.account, event.contact_id) is None:
        verdict = context.container.budgets.spend(Budget.TICKETS, event.account, event.contact_id)
        if verdict is not Verdict.ALLOWED:
            if verdict is Verdict.EXCEEDED:
                context.reply(context.container.config.texts.too_many_tickets)
            return True
    await container.waiting_tickets.refresh_missing_room(event.account)
    name = event.name or "客户"
    if context.container.tickets.of(event.account, event.contact_id) is None:
        context.write(lambda s: context.container.files.fetch_recent(s, event.account, event.contact_id))
    context.write(lambda s: container.handover.open(s, event.account, event.contact_id, name))
    return True


async def suggest_private_chat(event: GroupMessage, context: EventContext) -> bool:
    """Reply to a request for a person in a group that it must be sent in private."""
    question = text_to_assistant(event, context)
    if not event.mentioned or context.is_old or not context.container.person_requests.match(question):
        return False
    context.reply(context.container.config.texts.handoff_in_private, mentions=[event.contact_id])
    return True


async def rate(event: PrivateMessage, context: EventContext) -> bool:
    """Store the customer's rating 1–5, within a day after the ticket's end.

    If a menu or flow has asked the customer something since then, the message is the answer to that.
    """
    container = context.container
    message = text_to_assistant(event, context)
    rating = rating_in(message) if event.kind is MessageKind.TEXT else None
    rating_request = container.tickets.rating_request(event.account, event.contact_id)
    if rating is None or rating_request is None:
        return False
    person = (event.account, event.contact_id, event.contact_id)
    menu = container.question_menus.offered_at(person)
    newer_menu = menu if is_bare_digit(message) else 0.0
    if max(newer_menu, await container.flows.asked_at(event.account, event.contact_id)) > rating_request.at:
        return False
    context.write(lambda s: container.ticket_actions.rate(s, event.account, event.contact_id, rating_request, rating))
    if (
        0 < menu <= rating_request.at
    ):  # a repeated rating is no choice from a menu that was offered before the ticket's end
        context.write(lambda s: container.question_menus.close(s, person))
    return True
