"""人工: hands customers over to staff. All changes are written in the transaction of the event."""

from __future__ import annotations

import logging
import re
from functools import lru_cache, partial

from sqlmodel import Session, func, select

from config.texts import Texts, fill
from errors import WeChatError
from models.conversations import Said
from models.db import Store
from models.durable import Priority
from models.support import Ticket, TicketState
from services.accounts.registry import Accounts
from services.clock import Clock
from services.messaging.conversations import Conversations
from services.messaging.media import FETCHED, Kept
from services.messaging.messages import Messages, file, text
from services.messaging.webhook_events import WebhookEvents
from services.support.hours import OfficeHours
from services.support.staffing import Staffing
from services.support.ticket_history import TicketHistory
from services.support.ticket_texts import facts, head, packed, relay
from services.support.tickets import Tickets
from services.text import normal
from services.work.job import GiveUp, Job
from wechat.events import MessageKind

log = logging.getLogger(__name__)
BEFORE = 6  # messages before 人工 that are shown to staff
MAX_SHOWN = 300  # messages shown of a ticket that waited long
REFUSED_SECONDS = 600.0  # seconds until a staff room that rejected a ticket is tried again
# Requests for a person: one of `handoff.words` surrounded by these words only.
BEFORE_IT = (
    "你好|您好|请|问|麻烦|帮|忙|我|想|需要|要|给|找|接|通|转|到|呼叫|叫|联系|换|一下|个|回复|直接|快|赶紧|马上|急"
)
MAY_I = "有没有|有|能不能|能|可不可以|可以"
BEHIND_IT = "客服|服务|帮忙|坐席|座席|在不在|在哪里|在哪|在|有|行|吗|么|呢|吧|啊|呀|一下|谢谢|快点|快|急"
SIGNS = "[,。.!?~… 、“”\"'「」]"


@lru_cache(maxsize=16)
def asking(words: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return the pattern of normalised texts that ask for a person; None without words."""
    longest_first = sorted(map(normal, words), key=len, reverse=True)
    word = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?:{BEFORE_IT}|{MAY_I}|{SIGNS})*(?:{word})(?:{word}|{BEHIND_IT}|{SIGNS})*") if words else None


class Handover:
    """The customer's side of tickets: opening, announcing to staff, relaying messages."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        staffing: Staffing,
        tickets: Tickets,
        conversations: Conversations,
        history: TicketHistory,
        messages: Messages,
        webhook_events: WebhookEvents,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._staffing = staffing
        self.tickets = tickets
        self._conversations = conversations
        self._history = history
        self._messages = messages
        self._webhook_events = webhook_events
        self.settings = staffing.settings
        self._texts = texts
        self._clock = clock

    # ---- recognising requests ----

    def wants_person(self, words: str) -> bool:
        """Whether a text asks for a person."""
        asks = asking(tuple(self.settings.words))
        return asks is not None and len(words) < 40 and asks.fullmatch(normal(words)) is not None

    @property
    def _hours(self) -> OfficeHours:
        return self._staffing.hours

    async def look_for_room(self, account: str) -> None:
        """Read the account's groups if no staff room is known: some gateways do not report new groups."""
        if self._staffing.room(account) is None and self._accounts.is_online(account):
            try:
                await self._accounts.get(account).read_new_rooms()
            except WeChatError as error:
                log.warning("%s: could not read the groups: %s", account, error)

    # ---- opening ----

    def open(self, session: Session, account: str, contact_id: str, name: str) -> None:
        """Open a ticket, or tell the customer the state of their waiting one."""
        room = self._staffing.room(account)
        there = self._hours.is_open(self._clock())
        ticket = self.tickets.of(account, contact_id)
        if ticket is None:
            ticket = self.add(session, account, contact_id, name)
            if room is None and self._staffing.needs_room(account) and self._accounts.is_online(account):
                self._miss_room(session, ticket)
        if there and (room is not None or not self._staffing.needs_room(account)):
            self.announce(session, ticket, room.id if room else "")
            return
        self._messages.say(session, account, contact_id, self._texts.handoff_waiting if there else self._away())

    def add(self, session: Session, account: str, contact_id: str, name: str) -> Ticket:
        """Create a waiting ticket."""
        recent = self._conversations.last(session, account, contact_id, BEFORE)
        told = (recent[0].id or 1) - 1 if recent else 0
        ticket = self.tickets.add(
            session, account=account, contact_id=contact_id, name=name, state=TicketState.WAITING, told=told
        )
        self._webhook_events.tell(session, "ticket.opened", f"ticket {ticket.id}", facts(ticket))
        return ticket

    def _away(self) -> str:
        return fill(self._texts.handoff_away, time=self._hours.when(self._clock()))

    def _miss_room(self, session: Session, ticket: Ticket) -> None:
        log.warning("%s: ticket %s is waiting: there is no staff room", ticket.account, ticket.id)
        words = fill(self._texts.no_staff_room, number=ticket.id, name=ticket.name or "客户")
        self._tell_admins(session, ticket.account, words)

    def _tell_admins(self, session: Session, account: str, words: str) -> None:
        for admin in self._accounts.admins(account):
            self._messages.say(session, account, admin, words, priority=Priority.NOTICE)

    def announce(self, session: Session, ticket: Ticket, room_id: str) -> None:
        """Announce the ticket in the staff room, with the messages staff has not seen, and tell the customer.

        Without a room ("") staff see it in the console, or the customer is handed to them in their own client.
        """
        number, now = ticket.id or 0, self._clock()
        rows = self._conversations.last(session, ticket.account, ticket.contact_id, MAX_SHOWN, ticket.told)
        told = max((row.id or 0 for row in rows), default=ticket.told)
        values = {"state": TicketState.OPEN, "room_id": room_id, "told": told, "last_at": now, "announced_at": now}
        if not self.tickets.change(session, number, quiet_seconds=0, **values):
            return
        if not room_id:
            self._announce_without_room(session, ticket)
            return
        more = self._conversations.count(session, ticket.account, ticket.contact_id, ticket.told) - len(rows)
        lines = ([f"（更早的 {more} 条略）"] if more > 0 else []) + [
            self._history.line(session, ticket, row) for row in rows
        ]
        lines += filter(None, [self._history.notes(session, ticket)])
        before = {"told": ticket.told}
        *first, last = packed(lines)
        for part in first:
            self._messages.say(session, ticket.account, room_id, {**relay(ticket, f"{head(ticket)}\n{part}"), **before})
        opened = fill(self._texts.ticket_opened, history=last, number=number)
        room = self._staffing.room(ticket.account)
        shown = text(head(ticket) + opened, self._staffing.on_duty(ticket.account, room) if room else [])
        self._messages.say(session, ticket.account, room_id, {**relay(ticket, shown), **before})
        for row in rows:
            if row.media and row.by and row.kind != MessageKind.TEXT:  # a text has one where it was spoken
                self._messages.say(session, ticket.account, room_id, relay(ticket, file(row.media, row.text)))
        if not ticket.refusals:
            self._messages.say(session, ticket.account, ticket.contact_id, self._texts.handoff)

    def _announce_without_room(self, session: Session, ticket: Ticket) -> None:
        if not ticket.refusals:
            self._messages.say(session, ticket.account, ticket.contact_id, self._texts.handoff)
        if self._staffing.has_client(ticket.account):
            self._messages.hand_over(session, ticket.account, ticket.contact_id, ticket.id or 0)
        else:
            words = fill(self._texts.ticket_in_console, number=ticket.id, name=ticket.name or "客户")
            self._tell_admins(session, ticket.account, words)

    # ---- relaying ----

    def relay(
        self,
        session: Session,
        ticket: Ticket,
        kind: str,
        line: str,
        kept: Kept | None,
        name: str,
        *,
        follows: bool = False,
    ) -> None:
        """Pass on to the staff what the customer, now called `name`, says; while the ticket waits it is only kept.
        `follows`: the message's file comes later."""
        if name and name != ticket.name and self.tickets.change(session, ticket.id or 0, name=name):
            ticket = Ticket(**{**ticket.model_dump(), "name": name})
        row = session.get(Ticket, ticket.id)  # read again, because the ticket may be announced in this same commit
        if row is None or row.state == TicketState.WAITING:
            return
        number, now = ticket.id or 0, self._clock()
        room_id = self._room_of(ticket)
        if not room_id and not self._staffing.needs_room(ticket.account):
            self.tickets.change(session, number, last_at=now, quiet_seconds=0)
            return
        if not room_id:
            newest = select(func.max(Said.id)).where(
                Said.account == ticket.account, Said.conversation == ticket.contact_id
            )
            told = (session.exec(newest).one() or 1) - 1  # this message is the first that staff has not seen
            if self.tickets.change(session, number, state=TicketState.WAITING, told=told, last_at=now):
                self._miss_room(session, ticket)
                self._messages.say(session, ticket.account, ticket.contact_id, self._texts.handoff_waiting)
            return
        self.tickets.change(session, number, last_at=now, room_id=room_id, quiet_seconds=0)
        lost = "（没能取得）" if kept is None and kind in FETCHED and not follows else ""
        for part in packed([f"{self._history.shown(session, ticket, kind, line)}{lost}"]):
            self._messages.say(session, ticket.account, room_id, relay(ticket, f"{head(ticket)}{part}"))
        if kept is not None:
            self._messages.say(session, ticket.account, room_id, relay(ticket, file(kept.path, kept.name)))

    def _room_of(self, ticket: Ticket) -> str:
        room = self._staffing.room(ticket.account)
        if room is not None:
            return room.id
        known = self._accounts.get(ticket.account).directory.rooms
        unread = not self._accounts.is_online(ticket.account)  # right after a start the groups are not known yet
        return ticket.room_id if unread or ticket.room_id in known else ""

    def refused(self, session: Session, work: Job, gone: GiveUp) -> None:
        """Put a ticket that the staff room or the staff's client rejected back to waiting; customer and admins are told
        once.
        """
        number: int = work.body.get("relays") or 0
        to_client = work.body["type"] == "hand_over"
        ticket = session.get(Ticket, number) if number and (to_client or work.body["type"] == "text") else None
        if ticket is None or ticket.state != TicketState.OPEN or (work.key != ticket.room_id and not to_client):
            return
        told = work.body.get("told", max(0, self._conversations.first_of(session, number) - 1))
        later = self._clock() + REFUSED_SECONDS
        values = {"told": min(told, ticket.told), "refusals": ticket.refusals + 1, "not_before": later}
        first = not ticket.refusals
        if self.tickets.change(session, number, state=TicketState.WAITING, **values) and first:
            self._messages.say(session, ticket.account, ticket.contact_id, self._texts.handoff_waiting)
            facts = {"number": number, "name": ticket.name or "客户", "reason": gone.why}
            told_as = self._texts.ticket_client_refused if to_client else self._texts.ticket_room_refused
            self._tell_admins(session, ticket.account, fill(told_as, **facts))

    # ---- waiting tickets ----

    async def announce_waiting(self) -> int:
        """Announce the waiting tickets within the hours; return their number."""
        announced = 0
        if self._hours.is_open(self._clock()):
            accounts = self._accounts.names()  # accounts that are no longer configured keep their tickets
            now = self._clock()
            waiting = [
                t
                for t in self.tickets
                if t.state == TicketState.WAITING and t.account in accounts and t.not_before <= now
            ]
            for account in {ticket.account for ticket in waiting}:
                if self._staffing.needs_room(account):
                    await self.look_for_room(account)
            for ticket in waiting:
                room = self._staffing.room(ticket.account)
                if room is not None or not self._staffing.needs_room(ticket.account):
                    room_id = room.id if room else ""
                    await self._store.write(partial(self._announce_again, ticket=ticket, room_id=room_id))
                    announced += 1
        return announced

    def _announce_again(self, session: Session, ticket: Ticket, room_id: str) -> None:
        row = session.get(Ticket, ticket.id)
        if row is not None and row.state == TicketState.WAITING:
            self.announce(session, ticket, room_id)
