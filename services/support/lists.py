"""Pages of tickets, newest first, and of their messages."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from sqlmodel import Session, col, func, select

from models.bulk_insert import write_bulk
from models.conversations import StoredMessage
from models.support import Ticket, TicketState
from services.paging import Page, PageRequest, page_of

SECONDS_AFTER_END = 60.0  # seconds after a ticket's end whose messages are shown with it


class TicketView(StrEnum):
    """Ticket lists in the console."""

    WAITING = "waiting"  # without an assignee
    MINE = "mine"
    OPEN = "open"
    CLOSED = "closed"


class UnfinishedTickets(NamedTuple):
    """The number of unfinished tickets, of those without an assignee, and when the oldest of the latter was opened."""

    open: int
    waiting: int
    oldest: float | None


def author_of(ticket: Ticket, row: StoredMessage) -> str:
    """Return who wrote a message of a ticket: customer, staff or assistant."""
    return "customer" if row.by == ticket.contact_id else "staff" if row.staff else "assistant"


def count_unfinished(session: Session) -> UnfinishedTickets:
    """Count the unfinished tickets of all accounts."""
    unassigned = col(Ticket.staff_id) == ""
    waiting = func.count().filter(unassigned), func.min(Ticket.opened_at).filter(unassigned)
    states = [state for state in TicketState if state is not TicketState.CLOSED]
    query = select(func.count(), *waiting).select_from(Ticket).where(col(Ticket.state).in_(states))
    return UnfinishedTickets(*session.exec(query).one())


def list_for_agent(session: Session, view: TicketView, agent_id: str, q: str, page: PageRequest) -> Page[Ticket]:
    """Return a page of a view; `q`: part of the customer's name, or the number."""
    query = select(Ticket)
    query = query.where(
        Ticket.state == TicketState.CLOSED if view is TicketView.CLOSED else Ticket.state != TicketState.CLOSED
    )
    if view is TicketView.WAITING:
        query = query.where(Ticket.staff_id == "")
    elif view is TicketView.MINE:
        query = query.where(Ticket.staff_id == agent_id)
    if q:
        by_name = col(Ticket.name).contains(q, autoescape=True)
        number = q.lstrip("#")
        is_number = number.isdecimal() and len(number) < 16
        query = query.where(by_name | (col(Ticket.id) == int(number)) if is_number else by_name)
    if page.before is not None:
        query = query.where(col(Ticket.id) < page.bound)
    rows = session.exec(query.order_by(col(Ticket.id).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda ticket: ticket.id)


def list_tickets(session: Session, account: str, state: TicketState | None, page: PageRequest) -> Page[Ticket]:
    """Return a page of the tickets of an account ("" = all) in a state (None = all)."""
    query = select(Ticket)
    if account:
        query = query.where(Ticket.account == account)
    if state is not None:
        query = query.where(Ticket.state == state)
    if page.before is not None:
        query = query.where(col(Ticket.id) < page.bound)
    rows = session.exec(query.order_by(col(Ticket.id).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda ticket: ticket.id)


def read_conversation(session: Session, ticket_id: int, page: PageRequest) -> tuple[Ticket, Page[StoredMessage]] | None:
    """Return a ticket with a page of the customer's messages, including earlier ones, newest first; None if it is
    unknown.
    """
    ticket = session.get(Ticket, ticket_id)
    if ticket is None:
        return None
    write_bulk(session)
    query = select(StoredMessage).where(
        StoredMessage.account == ticket.account, StoredMessage.conversation == ticket.contact_id
    )
    if ticket.closed_at is not None:
        query = query.where(
            (col(StoredMessage.ticket) == ticket_id) | (col(StoredMessage.at) <= ticket.closed_at + SECONDS_AFTER_END)
        )
    if page.before is not None:
        query = query.where(col(StoredMessage.id) < page.bound)
    rows = session.exec(query.order_by(col(StoredMessage.id).desc()).limit(page.limit + 1)).all()
    return ticket, page_of(rows, page, lambda row: row.id)


def read_ticket(session: Session, ticket_id: int, page: PageRequest) -> tuple[Ticket, Page[StoredMessage]] | None:
    """Return a ticket with a page of its own messages, newest first; None if it is unknown."""
    ticket = session.get(Ticket, ticket_id)
    if ticket is None:
        return None
    write_bulk(session)
    query = select(StoredMessage).where(StoredMessage.ticket == ticket_id)
    if page.before is not None:
        query = query.where(col(StoredMessage.id) < page.bound)
    rows = session.exec(query.order_by(col(StoredMessage.id).desc()).limit(page.limit + 1)).all()
    return ticket, page_of(rows, page, lambda row: row.id)
