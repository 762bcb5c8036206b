"""The rows of the outbox: the statements that write them, and jobs made of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Boolean, Executable, Float, Integer, String, and_, case, update
from sqlalchemy.types import TypeEngine
from sqlmodel import Session, col, select

from models.durable import OutboxItem, WorkState
from models.row_id import WIDE
from models.row_statements import ColumnOf, insert_rows, update_rows
from services.work.job import Job

CANCEL_REQUESTED: Final = "cancel requested"  # the error of a row that is being sent and must not be retried
_COLUMNS: Final = (
    *("queue", "account", "key", "priority", "body", "state", "attempts", "error", "result"),
    *("idempotency_key", "fingerprint", "run_at", "created_at"),
)
INSERT: Final = insert_rows(OutboxItem, _COLUMNS, col(OutboxItem.id))


def _end(column: ColumnOf) -> Executable:
    is_cancelled = and_(column("retried"), col(OutboxItem.error) == CANCEL_REQUESTED)
    values = {
        "state": case((is_cancelled, WorkState.CANCELLED), else_=column("to")),
        "result": column("what"),
        "error": column("why"),
        "attempts": column("tries"),
        "done_at": case((is_cancelled, column("now")), else_=column("ended")),
        "run_at": column("again_at"),
    }
    return update(OutboxItem).where(col(OutboxItem.id) == column("item")).values(values)


_TIMES: Final = dict.fromkeys(("now", "ended", "again_at"), Float())
_TEXTS: Final = dict.fromkeys(("to", "what", "why"), String())
_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    "item": WIDE,
    "tries": Integer(),
    "retried": Boolean(),
    **_TIMES,
    **_TEXTS,
}
END: Final = update_rows("item", _TYPES, _end)


def open_items(session: Session, accounts: Collection[str] | None) -> Sequence[OutboxItem]:
    """Return the open rows of some accounts, or of all, the oldest first."""
    query = select(OutboxItem).where(col(OutboxItem.state).in_((WorkState.QUEUED, WorkState.SENDING)))
    if accounts is not None:
        query = query.where(col(OutboxItem.account).in_(accounts))
    return session.exec(query.order_by(col(OutboxItem.id))).all()


def replace_body(session: Session, number: int, body: dict[str, Any]) -> None:
    """Replace the body of a job."""
    values = {"body": json.dumps(body, ensure_ascii=False)}
    session.connection().execute(update(OutboxItem).where(col(OutboxItem.id) == number).values(**values))


def joined_items(session: Session, job: Job) -> list[OutboxItem]:
    """Return the rows of the jobs that were merged into this one, directly or through another one."""
    ids = job.body.get("joined")
    if not ids:
        return []
    items = list(session.exec(select(OutboxItem).where(col(OutboxItem.id).in_(ids)).order_by(col(OutboxItem.id))))
    return [row for item in items for row in (item, *joined_items(session, job_of(item)))]


def mark_sending(session: Session, id: int) -> bool:
    """Mark an open row as being sent; return False if it is not open."""
    condition = col(OutboxItem.id) == id, col(OutboxItem.state).in_((WorkState.QUEUED, WorkState.SENDING))
    marked = update(OutboxItem).where(*condition).values(state=WorkState.SENDING)
    return bool(session.connection().execute(marked).rowcount)


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


def sent_since(session: Session, queues: Collection[str], since: float) -> dict[str, list[float]]:
    """Return when the queues' jobs were done after `since`, in order, for their rate limiters."""
    done_at = col(OutboxItem.done_at)
    query = (
        select(OutboxItem.queue, done_at).where(col(OutboxItem.queue).in_(queues), done_at > since).order_by(done_at)
    )
    times: dict[str, list[float]] = {queue: [] for queue in queues}
    for queue, at in session.exec(query):
        times[queue].append(at or 0.0)
    return times


def last_sent(session: Session, queue: str, key: str, since: float) -> int:
    """Return the id of the newest job of a key done since this time, or 0."""
    done = select(OutboxItem.id).where(OutboxItem.queue == queue, OutboxItem.key == key)
    done = done.where(OutboxItem.state == WorkState.SENT, col(OutboxItem.done_at) >= since)
    return session.exec(done.order_by(col(OutboxItem.id).desc()).limit(1)).first() or 0


def sent_as_newest(session: Session, queue: str, key: str, since: float) -> int:
    """Return the id of the newest job of a key sent since this time; 0 if a later one waits, is sent or was refused."""
    number = last_sent(session, queue, key, since)
    later = select(OutboxItem.id).where(OutboxItem.queue == queue, OutboxItem.key == key, col(OutboxItem.id) > number)
    others = col(OutboxItem.state).in_((WorkState.QUEUED, WorkState.SENDING, WorkState.FAILED))
    return 0 if session.exec(later.where(others).limit(1)).first() else number
