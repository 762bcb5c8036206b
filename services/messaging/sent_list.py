"""Pages of messages sent to WeChat, newest first, and resending of failed ones."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_
from sqlmodel import Session, col, select

from errors import NotFound
from models.durable import OutboxItem, Outcome, WorkState
from services.accounts.audit import Audit
from services.messaging.messages import QUEUE
from services.paging import Page, PageRequest, page_of
from services.work.outbox import Outbox


def list_messages(
    session: Session,
    accounts: Sequence[str],
    state: WorkState | None,
    to: str,
    page: PageRequest,
    ids: Sequence[str] = (),
) -> Page[OutboxItem]:
    """Return the messages of these accounts, in a state (None = all), by recipient.

    `to` is a part of the recipient's id, `ids` are further recipients; "" = all.
    """
    query = select(OutboxItem).where(col(OutboxItem.queue).in_([f"{QUEUE}:{account}" for account in accounts]))
    if state is not None:
        query = query.where(OutboxItem.state == state)
    if to:
        query = query.where(or_(col(OutboxItem.key).contains(to, autoescape=True), col(OutboxItem.key).in_(ids)))
    if page.before is not None:
        query = query.where(col(OutboxItem.id) < page.bound)
    rows = session.exec(query.order_by(col(OutboxItem.id).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda item: item.id)


def send_again(session: Session, outbox: Outbox, audit: Audit, item_id: int, actor: str) -> bool:
    """Queue a failed message again, inside a transaction; return False if it has not failed. Raises NotFound."""
    item = session.get(OutboxItem, item_id)
    if item is None or not item.queue.startswith(f"{QUEUE}:"):
        raise NotFound(f"message {item_id}")
    if item.state not in (WorkState.FAILED, WorkState.UNKNOWN):
        return False
    outbox.requeue(session, item)
    audit.record(session, item.queue.partition(":")[2], "message_resend", actor, str(item_id), Outcome.DONE)
    return True
