"""Ticket actions of agents in the console. All of them are mirrored in the staff room."""

from __future__ import annotations

from typing import NamedTuple

from sqlmodel import Session, col, select

from config.texts import Texts, fill
from errors import InvalidParameter, NotFound, WeChatError
from models.durable import OutboxItem, Outcome
from models.support import Ticket, TicketState
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.messaging.conversations import as_one_line
from services.messaging.messages import Body, Messages
from services.support.staff_rooms import StaffRooms
from services.support.ticket_actions import TicketActions
from services.support.ticket_texts import relay
from wechat.interface import Capability


class Agent(NamedTuple):
    """An agent. `actor` is the form used in the audit log."""

    id: str
    name: str
    actor: str


class AgentActions:
    """The actions raise NotFound for an unknown ticket, InvalidParameter for a closed one.

    All but `set_remark` run inside a transaction.
    """

    def __init__(
        self,
        accounts: Accounts,
        actions: TicketActions,
        messages: Messages,
        staff_rooms: StaffRooms,
        audit: Audit,
        texts: Texts,
    ) -> None:
        self._accounts = accounts
        self._actions = actions
        self._messages = messages
        self._staff_rooms = staff_rooms
        self._audit = audit
        self._texts = texts

    def reply(self, session: Session, number: int, agent: Agent, body: Body, key: str) -> None:
        """Send a reply to the customer, once per `key`."""
        ticket = self._unfinished(session, number)
        unique = f"ticket:{number}:{key}"
        if session.exec(select(OutboxItem.id).where(col(OutboxItem.idempotency_key) == unique)).first() is not None:
            return
        room_id = self._room_of(ticket)
        self._actions.answer(session, ticket, agent.id, agent.name, body, room_id, key=unique)
        self._note(session, ticket, agent, "ticket_reply")
        if room_id:
            line = as_one_line(body["type"], body.get("text") or body.get("name") or "")
            announcement = fill(self._texts.ticket_answered_in_console, number=number, staff=agent.name, words=line)
            self._messages.queue(session, ticket.account, room_id, relay(ticket, announcement))

    def add_note(self, session: Session, number: int, agent: Agent, note: str) -> None:
        """Add a note that the customer does not see; closed tickets are allowed."""
        ticket = self._ticket(session, number)
        self._actions.add_note(session, ticket, agent.id, note)
        self._note(session, ticket, agent, "ticket_note")

    def assign(self, session: Session, number: int, agent: Agent, staff_id: str, staff_name: str) -> None:
        """Assign the ticket to a staff member."""
        ticket = self._unfinished(session, number)
        self._actions.assign(session, ticket, staff_id, staff_name, self._room_of(ticket))
        self._note(session, ticket, agent, "ticket_assign", before=ticket.staff_id, after=staff_id)

    def close(self, session: Session, number: int, agent: Agent) -> None:
        """Close the ticket and ask the customer for a rating."""
        ticket = self._unfinished(session, number)
        notice = fill(self._texts.ticket_closed_in_console, number=number, staff=agent.name)
        if self._actions.close(session, ticket, agent.id, notice):
            self._note(session, ticket, agent, "ticket_close")

    def reopen(self, session: Session, number: int, agent: Agent) -> None:
        """Reopen a closed ticket; raise InvalidParameter if the customer has another one."""
        ticket = self._ticket(session, number)
        if not self._actions.tickets.reopen(session, number):
            raise InvalidParameter("the ticket is not closed, or the customer has another open one")
        self._note(session, ticket, agent, "ticket_reopen")

    async def set_remark(self, ticket: Ticket, agent: Agent, alias: str) -> None:
        """Set the customer's 备注 in WeChat, outside a transaction.

        Raises NotSupported, AssistantOffline or WeChatError.
        """
        self._accounts.require(ticket.account, Capability.SET_ALIAS)
        wechat = self._accounts.online(ticket.account)
        contact = wechat.directory.contacts.get(ticket.contact_id)
        detail = {"before": contact.alias if contact else "", "after": alias}
        action = await self._audit.begin(ticket.account, "alias", agent.actor, ticket.contact_id, **detail)
        try:
            await wechat.set_alias(ticket.contact_id, alias)
        except WeChatError as error:
            await self._audit.end(action, Outcome.FAILED, str(error))
            raise
        await self._audit.end(action, Outcome.DONE)

    def _ticket(self, session: Session, number: int) -> Ticket:
        ticket = session.get(Ticket, number)
        if ticket is None:
            raise NotFound(f"ticket {number}")
        return ticket

    def _unfinished(self, session: Session, number: int) -> Ticket:
        ticket = self._ticket(session, number)
        if ticket.state == TicketState.CLOSED:
            raise InvalidParameter(f"ticket {number} is closed")
        return ticket

    def _room_of(self, ticket: Ticket) -> str:
        room = self._staff_rooms.of(ticket.account)
        return ticket.room_id or (room.id if room else "")

    def _note(self, session: Session, ticket: Ticket, agent: Agent, kind: str, **detail: str) -> None:
        self._audit.record(session, ticket.account, kind, agent.actor, str(ticket.id), Outcome.DONE, **detail)
