"""Actions of staff on tickets, written in the transaction of the event."""

from __future__ import annotations

import uuid
from collections import OrderedDict

from sqlmodel import Session

from config.texts import Texts, fill
from models.support import Ticket, TicketState
from services.clock import Clock
from services.messaging.body_type import BodyType
from services.messaging.conversations import KIND_NAMES, Conversations, as_one_line
from services.messaging.messages import Body, Messages, choices, text
from services.support.ticket_history import TicketHistory
from services.support.ticket_messages import TicketMessages
from services.support.ticket_texts import join_lines
from services.support.tickets import RatingRequest, Tickets
from services.work.job import GiveUp, Job
from wechat.events import MessageKind

RATINGS = ("5分", "4分", "3分", "2分", "1分")
MAX_QUOTED = 60  # characters quoted of an undelivered message


class TicketActions:
    """Performs ticket actions."""

    def __init__(
        self,
        tickets: Tickets,
        conversations: Conversations,
        history: TicketHistory,
        outgoing: TicketMessages,
        messages: Messages,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self.tickets = tickets
        self._conversations = conversations
        self._history = history
        self._outgoing = outgoing
        self._messages = messages
        self._texts = texts
        self._clock = clock
        # (ticket, staff id) pairs that were asked whether a message is for the ticket
        self._asked: OrderedDict[tuple[int, str], None] = OrderedDict()

    # ---- actions ----

    def answer(
        self, session: Session, ticket: Ticket, staff_id: str, staff_name: str, body: Body, room_id: str, key: str = ""
    ) -> None:
        """Send a staff member's message to the customer. The first to answer becomes the assignee.

        `room_id`: the staff room, or "". `key`: a unique key, by which the outbox row is found.
        """
        now = self._clock()
        values = {
            "last_at": now,
            "quiet_seconds": 0,
            "answered_at": ticket.answered_at or now,
            "refusals": 0,
            "called_by": staff_id,
            "called_at": now,
            "state": TicketState.OPEN,
            "room_id": room_id,
        }
        first = not ticket.staff_id
        if first:
            values |= {"staff_id": staff_id, "staff_name": staff_name}
        if not self.tickets.change(session, ticket.id or 0, **values):
            if room_id:
                self._messages.queue(session, ticket.account, room_id, self.unknown(ticket.id or 0))
            return
        key = key or f"ticket:{ticket.id}:{uuid.uuid4().hex}"
        answer = {**body, "staff": staff_id, "ticket": ticket.id, "key": key}
        self._outgoing.to_customer(session, ticket, answer, idempotency_key=key)
        if first and room_id:
            taken_notice = fill(self._texts.ticket_taken, number=ticket.id, staff=staff_name)
            self._outgoing.to_staff(session, ticket, room_id, taken_notice)

    def delivery_failed(self, session: Session, job: Job, failure: GiveUp) -> None:
        """Notify staff of an undelivered answer or file."""
        body = job.body
        template, number = self._texts.ticket_undelivered, body.get("ticket") if body.get("staff") else None
        if body.get("relays") and body["type"] == BodyType.FILE:
            template, number = self._texts.ticket_relay_lost, body["relays"]
        ticket = session.get(Ticket, number) if number else None
        if ticket is None or not ticket.room_id:
            return
        quoted = as_one_line(body["type"], body.get("text") or body.get("title") or body.get("name") or "")[:MAX_QUOTED]
        notice = fill(template, number=ticket.id, name=ticket.name, words=quoted)
        self._outgoing.to_staff(session, ticket, ticket.room_id, notice)

    def file_result(self, ticket: Ticket, kind: MessageKind, *, is_sent: bool) -> str:
        """Return the reply to a staff member whose picture, file or card was sent or could not be fetched."""
        word = KIND_NAMES[MessageKind.FILE if kind is MessageKind.OTHER else kind]
        template = self._texts.ticket_file_sent if is_sent else self._texts.ticket_file_lost
        return fill(template, number=ticket.id, name=ticket.name, kind=word)

    def unknown(self, number: int) -> str:
        """Return the reply for the number of a ticket that is not open."""
        return fill(self._texts.ticket_unknown, number=number)

    def assign(self, session: Session, ticket: Ticket, staff_id: str, staff_name: str, room_id: str) -> None:
        """Assign the ticket to a staff member."""
        if self.tickets.change(session, ticket.id or 0, staff_id=staff_id, staff_name=staff_name) and room_id:
            assigned = fill(self._texts.ticket_taken, number=ticket.id, staff=staff_name)
            notice = "\n".join(filter(None, [assigned, self._history.notes(session, ticket)]))
            self._outgoing.to_staff(session, ticket, room_id, text(notice, [staff_id]))

    def show_history(self, session: Session, ticket: Ticket, room_id: str) -> None:
        """Post earlier tickets, notes and recent messages in the staff room."""
        history = "\n".join(self._history.lines(session, ticket))
        history_text = fill(self._texts.ticket_history, number=ticket.id, name=ticket.name, history=history)
        for part in join_lines(history_text.split("\n")):
            self._outgoing.to_staff(session, ticket, room_id, part)

    def malformed(self, number: int, command: str) -> str:
        """Return the reply to a malformed command."""
        return fill(self._texts.ticket_malformed, number=number, words=command)

    def ask_recipient(self, account: str, staff_id: str, within: float) -> str | None:
        """Return the question whether a message without `#` right after `#12 …` is for the customer; once per ticket
        and staff member.
        """
        ticket = self.last_addressed(account, staff_id, within)
        if ticket is None or (ticket.id or 0, staff_id) in self._asked:
            return None
        self._asked[ticket.id or 0, staff_id] = None
        if len(self._asked) > 10_000:
            self._asked.popitem(last=False)
        return fill(self._texts.ticket_meant, number=ticket.id, name=ticket.name)

    def add_note(self, session: Session, ticket: Ticket, staff_id: str, note: str) -> None:
        """Add a staff note."""
        self._conversations.add_note(session, ticket.account, ticket.contact_id, ticket.id or 0, staff_id, note)

    def address(self, session: Session, ticket: Ticket, staff_id: str, room_id: str) -> None:
        """Record that a staff member addressed a ticket: their next picture or file belongs to it."""
        self.tickets.change(session, ticket.id or 0, called_by=staff_id, called_at=self._clock())
        notice = fill(self._texts.ticket_called, number=ticket.id, name=ticket.name)
        self._outgoing.to_staff(session, ticket, room_id, notice)

    def last_addressed(self, account: str, staff_id: str, within: float) -> Ticket | None:
        """Return the ticket that a staff member addressed last, at most `within` seconds ago."""
        since = self._clock() - within
        addressed = [
            t for t in self.tickets if t.account == account and t.called_by == staff_id and t.called_at >= since
        ]
        return max(addressed, key=lambda t: t.called_at, default=None)

    def listing(self, account: str) -> str:
        """Return the list of unfinished tickets for staff."""
        lines = []
        for ticket in sorted((t for t in self.tickets if t.account == account), key=lambda t: t.id or 0):
            assigned = fill(self._texts.ticket_taken, number=ticket.id, staff=ticket.staff_name).partition(" ")[2]
            lines.append(
                fill(
                    self._texts.ticket_line,
                    number=ticket.id,
                    name=ticket.name,
                    minutes=int((self._clock() - ticket.opened_at) // 60),
                    staff=assigned if ticket.staff_id else self._texts.ticket_nobody,
                )
            )
        return "\n".join(lines) or self._texts.ticket_none

    # ---- closing ----

    def close(
        self,
        session: Session,
        ticket: Ticket,
        by: str,
        notice: str,
        room_id: str = "",
        *,
        is_session_over: bool = False,
    ) -> bool:
        """Close a ticket, ask the customer for a rating and notify staff; return False if it was closed already.

        `room_id`: where to post `notice` if the ticket was not announced in a room. `is_session_over`: the platform has
        ended the customer's session.
        """
        now = self._clock()
        if not self.tickets.change(session, ticket.id or 0, state=TicketState.CLOSED, closed_at=now, closed_by=by):
            return False
        if not is_session_over:
            self._messages.end_session(session, ticket.account, ticket.contact_id)
        rating_question = choices(self._texts.handoff_closed, RATINGS)
        self._outgoing.to_customer(session, ticket, rating_question)
        if ticket.room_id or room_id:
            self._outgoing.to_staff(session, ticket, ticket.room_id or room_id, notice)
        self._outgoing.event(session, "ticket.closed", ticket, closed_by=by)
        return True

    def rate(self, session: Session, account: str, contact_id: str, rating_request: RatingRequest, rating: int) -> None:
        """Store the customer's rating and show it to staff."""
        if not self.tickets.rate(session, rating_request, account, contact_id, rating):
            return
        self._messages.queue(session, account, contact_id, self._texts.handoff_marked)
        if rating_request.room_id:
            notice = fill(
                self._texts.ticket_marked, number=rating_request.ticket, name=rating_request.name, mark=rating
            )
            self._messages.queue(
                session, account, rating_request.room_id, {**text(notice), "relays": rating_request.ticket}
            )
