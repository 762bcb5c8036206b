"""The listener of an account: events go to its inbox, state changes to queues, webhooks and console."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Final

from sqlmodel import Session

from app.container import Container
from config.texts import fill
from models.durable import Priority
from services.accounts.address_book import AddressBook
from services.changes import ChangeKind
from services.work.conversation_workers import Handle
from services.work.inbox import Inbox
from services.work.write_batcher import WriteBatcher
from wechat.entities import Contact
from wechat.events import Event, Message, RawEvent
from wechat.interface import State, WeChat

# number of new friends found together up to which they are greeted; more mean that the list itself has changed
MAX_GREETED: Final = 20


class EventListener:
    """The listener of one account (wechat.interface.Listener)."""

    def __init__(self, container: Container, account: str, handle: Handle) -> None:
        self._container = container
        self._account = account
        self._handle = handle
        self._inbox: Inbox | None = None
        self._address_book: AddressBook | None = None
        self._wechat: WeChat | None = None
        self._was_online = False
        self._state_reports = WriteBatcher[tuple[str, str]](container.store, self._report)
        self._catch_up_lock = asyncio.Lock()

    def attach(self, wechat: WeChat) -> None:
        """Set the account, and create its inbox and address book."""
        self._container.accounts.add(wechat)
        self._wechat = wechat
        self._inbox = Inbox(
            self._account,
            self._container.store,
            partial(self._resolve, wechat),
            self._handle,
            self._report_parked,
            wechat.acknowledge,
        )
        self._address_book = AddressBook(self._container.store, wechat, self._container.clock)

    async def _resolve(self, wechat: WeChat, raw: RawEvent, on_conversation: Callable[[str], None]) -> Event | None:
        """Resolve an event, and measure the clock skew with messages."""
        event = await wechat.resolve(raw, on_conversation)
        if isinstance(event, Message):
            self._container.account_clocks.record_message(self._account, event.at.timestamp(), raw.at.timestamp())
        return event

    @property
    def inbox(self) -> Inbox:
        """The account's inbox, available after `attach`."""
        if self._inbox is None:
            raise RuntimeError("no account attached")
        return self._inbox

    @property
    def address_book(self) -> AddressBook:
        """The account's address book, available after `attach`."""
        if self._address_book is None:
            raise RuntimeError("no account attached")
        return self._address_book

    async def start(self, epoch: int | None = None) -> None:
        """Load the address book and resume stored events. `epoch`: of the account's lease, if it has one."""
        state = await self._container.stored_states.begin(self._account, epoch)
        await self.address_book.start(state.directory)
        await self.inbox.start(state.events)
        if self._wechat is not None:
            self._wechat.begin(state.epoch, state.position)

    async def stop(self, grace: float) -> None:
        """Stop within `grace` seconds."""
        await self.inbox.stop(grace)
        await self._state_reports.drain(grace)
        await self.address_book.stop()

    async def store_event(self, raw: RawEvent) -> None:
        """Store an event."""
        await self.inbox.take(raw)

    async def state_changed(self, account: str, state: State, reason: str) -> None:
        """Handle a change of the connection's state: wake queues, notify console and webhooks."""
        if state in (State.SYNCING, State.ONLINE):
            self.inbox.wake()
        self._container.accounts.state_changed(account, self._container.clock())
        self._container.account_clocks.state_changed(account, state)
        self._container.changes.publish(ChangeKind.ACCOUNT, account=account)
        online = state is State.ONLINE
        if online:
            self._container.outbox.wake_account(account)
        went_offline = self._was_online and state in (State.CONNECTING, State.LOGGED_OUT, State.REFUSED)
        if online != self._was_online and (online or went_offline):
            self._was_online = online
            kind = "assistant.online" if online else "assistant.offline"
            self._state_reports.put((kind, reason))  # written in the background, because the database may be down, too

    async def scanned(self, account: str, qr_code: str) -> None:
        """Report a new login QR code."""
        self._container.changes.publish(ChangeKind.ACCOUNT, account=account)
        self._state_reports.put(("account.scan", qr_code))

    def _report(self, session: Session, reports: list[tuple[str, str]]) -> None:
        for kind, reason in reports:
            data = {"assistant": self._account, "qr_code" if kind == "account.scan" else "reason": reason}
            self._container.webhook_events.publish(session, kind, self._account, data)

    async def synced(self, account: str, since: datetime | None, changed: Iterable[str]) -> None:
        """Handle what was found while contacts and groups were read again."""
        async with self._catch_up_lock:
            await self._container.admins.check_seen(account)
            contacts = self._container.accounts.get(account).directory.contacts
            people = [contacts[id] for id in changed if id in contacts]
            new = [person for person in people if person.friend and not person.official]
            for person in new:
                await self._container.store.write(
                    partial(self._became_friend, person=person, greet=len(new) <= MAX_GREETED)
                )
            for contact_id in await self._container.reconcile.account(account):
                self._container.token_joins.became_friend_soon(
                    account, contact_id
                )  # in the background, because adding people is slow
            await self._container.recognition.propose_rooms(account)
            await self._container.token_joins.resume(account)
        await self.address_book.save()

    def _report_parked(self, session: Session, raw: RawEvent) -> None:
        container = self._container
        notice = fill(container.config.texts.event_parked, kind=raw.kind, id=raw.id)
        for admin in container.accounts.admins(self._account):
            container.messages.queue(session, self._account, admin, notice, priority=Priority.NOTICE)

    def _became_friend(self, session: Session, person: Contact, *, greet: bool) -> None:
        """Greet and report a friend for whom there was no event, because the bot was away or the gateway did not send
        one.
        """
        if greet:
            self._container.greetings.greet(session, self._account, person.id)
        self._container.webhook_events.friend_added(session, self._account, person.id, person.name)
