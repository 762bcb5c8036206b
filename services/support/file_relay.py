"""Fetches the files of customers and staff without delaying their conversations.

A file that is available at once is sent with its message. Others are fetched by jobs (queue "fetch:ACCOUNT") and sent
when they arrive, or reported as missing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final, TypeVar

from sqlmodel import Session

from models.db import Store
from models.support import TicketState
from services.accounts.registry import Accounts
from services.messaging.conversations import KIND_NAMES, Conversations
from services.messaging.media import FETCHED, MediaStore, StoredFile, may_hold_file
from services.messaging.messages import Messages, file
from services.support.ticket_actions import TicketActions
from services.support.ticket_relay import UNAVAILABLE
from services.support.ticket_texts import head, relay
from services.work.job import Job, Retry
from services.work.outbox import Outbox
from wechat.events import GroupMessage, Message, MessageKind, StaffMessage
from wechat.interface import WeChat

log = logging.getLogger(__name__)
QUEUE: Final = "fetch"
CONCURRENT: Final = 4  # files of an account
TIMEOUT: Final = 15.0  # seconds to fetch a file
QUICK_TIMEOUT: Final = 0.5  # seconds that a conversation waits for a file
SLOW_SECONDS: Final = 60.0  # seconds after a slow file during which conversations do not wait for files
RECENT: Final = 6  # messages before 人工 whose files are fetched
AnyMessage = TypeVar("AnyMessage", bound=Message)


class FileRelay:
    """Fetches the files of customers and staff."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        outbox: Outbox,
        media: MediaStore,
        conversations: Conversations,
        messages: Messages,
        ticket_actions: TicketActions,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._outbox = outbox
        self._media = media
        self._conversations = conversations
        self._messages = messages
        self._ticket_actions = ticket_actions
        self._slow_until = 0.0
        outbox.serve(QUEUE, self._deliver, concurrency=CONCURRENT, is_open=accounts.is_online)

    async def fetch_quickly(self, wechat: WeChat, message: AnyMessage) -> tuple[AnyMessage, StoredFile | None, bool]:
        """Return the message, its file if it is available at once, and whether to call `fetch_later`."""
        if not may_hold_file(message):
            return message, None, False
        if time.monotonic() < self._slow_until:
            return message, None, True
        try:
            async with asyncio.timeout(QUICK_TIMEOUT):
                message, stored_file = await self._media.fetch_file(wechat, message)
        except TimeoutError:
            self._slow_until = time.monotonic() + SLOW_SECONDS
            return message, None, True
        return message, stored_file, False

    def fetch_later(self, session: Session, message: Message | StaffMessage, **answer: str | int) -> None:
        """Queue fetching a message's file. `answer`: of a staff member's file, the `ticket` and the sender's `name`."""
        body: dict[str, Any] = {"message": message.id, "kind": str(message.kind), "from": message.contact_id, **answer}
        if isinstance(message, GroupMessage):
            body["room"] = message.room_id
        self._queue(session, message.account, body)

    def fetch_recent(self, session: Session, account: str, contact_id: str) -> None:
        """Queue fetching the files of recent messages: people send a picture and then ask for a person."""
        for row in self._conversations.last(session, account, contact_id, RECENT):
            if row.by and row.kind in FETCHED and not row.media:
                self._queue(
                    session, account, {"message": row.message_id, "kind": row.kind, "from": contact_id, "row": row.id}
                )

    def _queue(self, session: Session, account: str, body: dict[str, Any]) -> None:
        self._outbox.add(session, f"{QUEUE}:{account}", body["message"], body)

    async def _deliver(self, job: Job) -> str | Retry:
        account, message_id = job.queue.partition(":")[2], job.body["message"]
        stored_file = None
        try:
            async with asyncio.timeout(TIMEOUT):
                stored_file = await self._media.fetch(
                    self._accounts.get(account), message_id, job.body["kind"], job.body["from"]
                )
        except TimeoutError:
            if not self._accounts.is_online(account):
                return Retry(1.0, "the account is offline", counts=False)
            log.warning("%s: the file of message %s could not be fetched in time", account, message_id)
        await self._store.write(lambda s: self._finish(s, account, job.body, stored_file))
        return ""

    def _finish(self, session: Session, account: str, body: dict[str, Any], stored_file: StoredFile | None) -> None:
        """Send a file to staff or the customer, or report that it is missing."""
        if "ticket" in body:
            self._answer(session, account, body, stored_file)
            return
        message = account, body["from"], body["message"]
        if stored_file is not None:
            self._conversations.record_file(session, *message, stored_file)
        elif body["kind"] in FETCHED:
            self._conversations.record_missing_file(session, *message, UNAVAILABLE)
        ticket = self._ticket_actions.tickets.of(account, body["from"])
        if ticket is not None:
            self._conversations.announce_change(session, ticket.id or 0)
        if ticket is None or ticket.state != TicketState.OPEN or not ticket.room_id:
            return  # the announcement of the ticket, or the console, will show it
        if stored_file is not None:
            relayed = relay(ticket, file(stored_file.path, stored_file.name))
        elif body["kind"] in FETCHED:
            relayed = relay(ticket, f"{head(ticket)}[{KIND_NAMES[MessageKind(body['kind'])]}]{UNAVAILABLE}")
        else:
            return
        self._messages.queue(session, account, ticket.room_id, relayed)

    def _answer(self, session: Session, account: str, body: dict[str, Any], stored_file: StoredFile | None) -> None:
        ticket = self._ticket_actions.tickets.get(body["ticket"])
        kind = MessageKind(body["kind"])
        if ticket is None or (stored_file is None and kind is MessageKind.OTHER):  # the file is not available
            return
        if stored_file is not None:
            sent = file(stored_file.path, stored_file.name)
            self._ticket_actions.answer(session, ticket, body["from"], body["name"], sent, body["room"])
        reply = self._ticket_actions.file_result(ticket, kind, is_sent=stored_file is not None)
        self._messages.queue(session, account, body["room"], reply)
