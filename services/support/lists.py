"""Tickets in pages, newest first, and what was said in one."""

from __future__ import annotations

from sqlmodel import Session, col, select

from models.bulk_insert import write_bulk
from models.conversations import Said
from models.support import Ticket, TicketState
from services.paging import Page, PageRequest, page_of


def list_tickets(session: Session, account: str, state: TicketState | None, page: PageRequest) -> Page[Ticket]:
    """The tickets of an account ("" = all) in a state (None = all)."""
    query = select(Ticket)
    if account:
        query = query.where(Ticket.account == account)
    if state is not None:
        query = query.where(Ticket.state == state)
    if page.before is not None:
        query = query.where(col(Ticket.id) < page.before)
    rows = session.exec(query.order_by(col(Ticket.id).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda ticket: ticket.id)


def read_ticket(session: Session, ticket_id: int, page: PageRequest) -> tuple[Ticket, Page[Said]] | None:
    """A ticket with a page of its messages, newest first; None when there is no such ticket."""
    ticket = session.get(Ticket, ticket_id)
    if ticket is None:
        return None
    write_bulk(session)
    query = select(Said).where(Said.ticket == ticket_id)
    if page.before is not None:
        query = query.where(col(Said.id) < page.before)
    rows = session.exec(query.order_by(col(Said.id).desc()).limit(page.limit + 1)).all()
    return ticket, page_of(rows, page, lambda row: row.id)
