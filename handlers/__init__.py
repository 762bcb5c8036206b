"""Event handlers. An event is offered to the handlers below in order, until one of them handles it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from app.container import Container
from handlers import commands, deliveries, flows, friends, members, moderation, replies, staff, support, tokens, voice
from handlers.context import EventContext
from services.support.tickets import TicketClosed
from wechat import events
from wechat.events import Event

# Takes an event and its context; returns False if the next handler should be called.
Handler = Callable[[Any, EventContext], Awaitable[bool]]

HANDLERS: Final[tuple[tuple[type[Event], Handler], ...]] = (
    (events.FriendRequested, friends.accept_request),
    (events.FriendAdded, friends.welcome_friend),
    (events.MessageFailed, deliveries.record_failure),
    (events.StaffMessage, deliveries.record_staff_message),
    (events.SessionChanged, deliveries.session_changed),
    (events.MemberJoined, members.record_joins),
    (events.MemberLeft, members.record_leaves),
    (events.TopicChanged, members.topic_changed),
    (events.RoomInvited, members.accept_invitation),
    (events.GroupMessage, moderation.moderate),
    (events.GroupMessage, support.record_in_group),
    (events.GroupMessage, staff.execute_command),
    (events.GroupMessage, commands.run_in_group),
    (events.PrivateMessage, support.record),
    (events.PrivateMessage, friends.bind_admin),
    (events.PrivateMessage, commands.run_in_private),
    (events.PrivateMessage, commands.confirm_broadcast),
    (events.PrivateMessage, support.stop_if_served),
    (events.PrivateMessage, support.rate),
    (events.PrivateMessage, flows.handle),  # before tokens: an answer may look like one
    (events.PrivateMessage, tokens.join_by_token),
    (events.GroupMessage, support.suggest_private_chat),
    (events.PrivateMessage, support.open_ticket),
    (events.PrivateMessage, commands.reply_unknown),
    (events.Message, replies.answer_by_keyword),
    (events.Message, replies.answer_question),
    (events.PrivateMessage, replies.acknowledge),
)


async def dispatch(event: Event, context: EventContext) -> str:
    """Offer the event to its handlers in order; return the name of the one that handled it, or `unhandled`."""
    for kind, handler in HANDLERS:
        if isinstance(event, kind) and await handler(event, context):
            return f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}"
    return "unhandled"


async def handle(container: Container, event: Event, row: int) -> str:
    """Handle one event of the inbox and end it: all effects are written in one transaction."""
    try:
        return await _handle_once(container, event, row)
    except TicketClosed as closed:  # while the event was handled, which is now one of a customer without a ticket
        container.tickets.forget_closed(closed.number)
        return await _handle_once(container, event, row)


async def _handle_once(container: Container, event: Event, row: int) -> str:
    context = EventContext(container, event, row)
    context.event = await voice.read(event, context)
    async with container.event_gate.handling():
        name = await dispatch(context.event, context)
        await context.end(name)
    return name
