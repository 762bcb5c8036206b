"""The rows of the outbox: the statements that write them, and jobs made of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import and_, bindparam, case, insert, update
from sqlmodel import Session, col, select

from models.durable import OutboxItem, WorkState
from services.work.job import Job

INSERT: Final = insert(OutboxItem).returning(col(OutboxItem.id), sort_by_parameter_order=True)
CANCEL_REQUESTED: Final = "cancel requested"  # the error of a row that is being sent and must not be retried
_IS_CANCELLED: Final = and_(bindparam("retried"), col(OutboxItem.error) == CANCEL_REQUESTED)
END: Final = (
    update(OutboxItem)
    .where(col(OutboxItem.id) == bindparam("item"))
    .values(
        state=case((_IS_CANCELLED, WorkState.CANCELLED), else_=bindparam("to")),
        result=bindparam("what"),
        error=bindparam("why"),
        attempts=bindparam("tries"),
        done_at=case((_IS_CANCELLED, bindparam("now")), else_=bindparam("ended")),
        run_at=bindparam("again_at"),
    )
    .execution_options(synchronize_session=False)
)


def open_items(session: Session, account: str | None) -> Sequence[OutboxItem]:
    """Return the open rows of one account, or of all, the oldest first."""
    query = select(OutboxItem).where(col(OutboxItem.state).in_((WorkState.QUEUED, WorkState.SENDING)))
    if account is not None:
        query = query.where(OutboxItem.account == account)
    return session.exec(query.order_by(col(OutboxItem.id))).all()


def keep_body(session: Session, number: int, body: dict[str, Any]) -> None:
    """Replace the body of a job."""
    values = {"body": json.dumps(body, ensure_ascii=False)}
    session.connection().execute(update(OutboxItem).where(col(OutboxItem.id) == number).values(**values))


def joined_items(session: Session, job: Job) -> list[OutboxItem]:
    """Return the rows of the jobs that were joined to this one, and to those."""
    ids = job.body.get("joined")
    if not ids:
        return []
    items = list(session.exec(select(OutboxItem).where(col(OutboxItem.id).in_(ids)).order_by(col(OutboxItem.id))))
    return [one for item in items for one in (item, *joined_items(session, job_of(item)))]


def cancel_items(session: Session, ids: Sequence[int], now: float) -> list[int]:
    """Cancel the rows that have not been attempted, and return their ids; those being sent now are not retried."""
    condition = col(OutboxItem.id).in_(ids)
    queued = update(OutboxItem).where(condition, col(OutboxItem.state) == WorkState.QUEUED)
    cancelled = queued.values(state=WorkState.CANCELLED, done_at=now).returning(col(OutboxItem.id))
    cancelled_ids = [int(id) for (id,) in session.connection().execute(cancelled) if id is not None]
    sending = update(OutboxItem).where(condition, col(OutboxItem.state) == WorkState.SENDING)
    session.connection().execute(sending.values(error=CANCEL_REQUESTED))
    return cancelled_ids


def job_of(item: OutboxItem) -> Job:
    """Return the job of a row."""
    return Job(
        item.id or 0,
        item.queue,
        item.key,
        json.loads(item.body),
        item.priority,
        item.run_at,
        item.created_at,
        item.attempts,
        account=item.account,
    )


def sent_since(session: Session, queue: str, since: float) -> list[float]:
    """Return when the queue's jobs were done after `since`, in order, for its rate limiter."""
    when = col(OutboxItem.done_at)
    query = select(when).where(OutboxItem.queue == queue, when > since).order_by(when)
    return [at or 0.0 for at in session.exec(query).all()]


def last_sent(session: Session, queue: str, key: str, since: float) -> int:
    """Return the id of the newest job of a key done since this time, or 0."""
    done = select(OutboxItem.id).where(OutboxItem.queue == queue, OutboxItem.key == key)
    done = done.where(OutboxItem.state == WorkState.SENT, col(OutboxItem.done_at) >= since)
    return session.exec(done.order_by(col(OutboxItem.id).desc()).limit(1)).first() or 0
