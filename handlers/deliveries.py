"""Delivery failures reported later, and messages that staff sent from their own client."""

from __future__ import annotations

import asyncio
from typing import Final

from handlers.context import EventContext
from services.messaging.media import FETCHED
from services.messaging.messages import QUEUE
from services.work.outbox_rows import last_sent, sent_as_newest
from wechat.events import MessageFailed, SessionChanged, SessionStep, StaffMessage

NOTE_SECONDS: Final = 120.0  # seconds after a message within which WeChat reports that it was not delivered
ATTEMPTS: Final = 10
PAUSE: Final = 0.2  # seconds


async def record_failure(event: MessageFailed, context: EventContext) -> bool:
    """Mark an accepted message that was not delivered as failed, and notify those who depend on it."""
    outbox, queue = context.container.outbox, f"{QUEUE}:{event.account}"
    number = int(event.message_id) if event.message_id else await _sent_last(event, context, queue)
    if number:
        context.write(lambda s: outbox.results.fail_sent(s, number, queue, event.reason))
    if event.unfriended:
        context.after(lambda: context.wechat.directory.unfriend(event.contact_id))
    return True


async def _sent_last(event: MessageFailed, context: EventContext, queue: str) -> int:
    """Return the id of the message last sent to the person, 0 if it is too old.

    WeChat's note may arrive before the result of the message is stored.
    """
    store, since = context.container.store, context.container.clock() - NOTE_SECONDS
    find = last_sent if event.accepted else sent_as_newest
    for _ in range(ATTEMPTS):
        number = await store.read(lambda s: find(s, queue, event.contact_id, since))
        if number:
            return number
        await asyncio.sleep(PAUSE)
    return 0


async def record_staff_message(event: StaffMessage, context: EventContext) -> bool:
    """Store a message that staff sent from their own client, and keep silent while they serve the customer."""
    container = context.container
    context.write(lambda s: container.staff_client.record(s, event))
    if event.kind in FETCHED:
        context.write(lambda s: container.files.fetch_later(s, event))
    return True


async def session_changed(event: SessionChanged, context: EventContext) -> bool:
    """Update the ticket of a session that staff took over in their own client or that has ended."""
    client = context.container.staff_client
    ended = event.step is SessionStep.ENDED
    context.write(lambda s: client.ended(s, event) if ended else client.session_taken_over(s, event))
    return True
