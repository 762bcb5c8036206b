"""Files that pass between customers and staff, fetched beside the conversation: nobody's words wait for a file.

What is there at once goes with its message; what is not is promised (queue "fetch:ACCOUNT") and follows, or is told as
missing.
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
from services.messaging.conversations import WORDS, Conversations
from services.messaging.media import FETCHED, Kept, MediaStore, may_hold_file
from services.messaging.messages import Messages, file
from services.support.ticket_actions import TicketActions
from services.support.ticket_texts import head, relay
from services.work.job import Job, Retry
from services.work.outbox import Outbox
from wechat.events import GroupMessage, Message, MessageKind
from wechat.interface import WeChat

log = logging.getLogger(__name__)
QUEUE: Final = "fetch"
AT_ONCE: Final = 4  # files of an account
SECONDS: Final = 15.0  # that a file may take
AT_FIRST: Final = 0.5  # that a conversation waits for one
SLOW_FOR: Final = 60.0  # seconds for which a conversation waits for none after one that was slow
RECENT: Final = 6  # things said before 人工 among which files are looked for
MISSING: Final = "（没能取得）"
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
        outbox.serve(QUEUE, self._deliver, at_once=AT_ONCE, is_open=accounts.is_online)

    async def at_once(self, wechat: WeChat, message: AnyMessage) -> tuple[AnyMessage, Kept | None, bool]:
        """The message with its file where that is there at once; the last says that it is to be fetched `later`."""
        if not may_hold_file(message):
            return message, None, False
        if time.monotonic() < self._slow_until:
            return message, None, True
        try:
            async with asyncio.timeout(AT_FIRST):
                message, kept = await self._media.of(wechat, message)
        except TimeoutError:
            self._slow_until = time.monotonic() + SLOW_FOR
            return message, None, True
        return message, kept, False

    def later(self, session: Session, message: Message, **answer: str | int) -> None:
        """Promise to fetch a message's file. `answer`: of a staff member's file, `ticket` and `name` of who sent it."""
        body: dict[str, Any] = {"message": message.id, "kind": str(message.kind), "from": message.contact_id, **answer}
        if isinstance(message, GroupMessage):
            body["room"] = message.room_id
        self._promise(session, message.account, body)

    def recent(self, session: Session, account: str, contact_id: str) -> None:
        """Promise to fetch the files among what was said last: people send the picture and then ask for a person."""
        for row in self._conversations.last(session, account, contact_id, RECENT):
            if row.by and row.kind in FETCHED and not row.media:
                self._promise(
                    session, account, {"message": row.message_id, "kind": row.kind, "from": contact_id, "row": row.id}
                )

    def _promise(self, session: Session, account: str, body: dict[str, Any]) -> None:
        self._outbox.add(session, f"{QUEUE}:{account}", body["message"], body)

    async def _deliver(self, work: Job) -> str | Retry:
        account, message_id = work.queue.partition(":")[2], work.body["message"]
        kept = None
        try:
            async with asyncio.timeout(SECONDS):
                kept = await self._media.fetch(
                    self._accounts.get(account), message_id, work.body["kind"], work.body["from"]
                )
        except TimeoutError:
            if not self._accounts.is_online(account):
                return Retry(1.0, "the account is away", counts=False)
            log.warning("%s: the file of message %s did not come in time", account, message_id)
        await self._store.write(lambda s: self._fetched(s, account, work.body, kept))
        return ""

    def _fetched(self, session: Session, account: str, body: dict[str, Any], kept: Kept | None) -> None:
        """Pass a file on, or tell that it is missing."""
        if "ticket" in body:
            self._answer(session, account, body, kept)
            return
        if kept is not None:
            self._conversations.media_of(session, account, body["message"], kept)
        ticket = self._ticket_actions.tickets.of(account, body["from"])
        if ticket is None or ticket.state != TicketState.OPEN or not ticket.room_id:
            return  # shown with the ticket, once that is
        if kept is not None:
            words = relay(ticket, file(kept.path, kept.name))
        elif body["kind"] in FETCHED:
            words = relay(ticket, f"{head(ticket)}[{WORDS[MessageKind(body['kind'])]}]{MISSING}")
        else:
            return
        self._messages.say(session, account, ticket.room_id, words)

    def _answer(self, session: Session, account: str, body: dict[str, Any], kept: Kept | None) -> None:
        ticket = self._ticket_actions.tickets.get(body["ticket"])
        kind = MessageKind(body["kind"])
        if ticket is None or (kept is None and kind is MessageKind.OTHER):  # no file after all
            return
        if kept is not None:
            sent = file(kept.path, kept.name)
            self._ticket_actions.answer(session, ticket, body["from"], body["name"], sent, body["room"])
        words = self._ticket_actions.about_file(ticket, kind, is_sent=kept is not None)
        self._messages.say(session, account, body["room"], words)
