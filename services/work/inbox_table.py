"""SQL statements of the inbox, precompiled and batched because every event executes three of them."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from models.bulk_insert import in_bulk
from models.db import Store
from models.durable import EventState, InboxEvent
from models.fence import belongs_to
from wechat.events import RawEvent

_KEEP_BODY: Final = (
    update(InboxEvent)
    .where(col(InboxEvent.id) == bindparam("row"))
    .values(body=bindparam("kept"))
    .execution_options(synchronize_session=False)
)
_END: Final = (
    update(InboxEvent)
    .where(col(InboxEvent.id) == bindparam("row"))
    .values(state=bindparam("to"), handler=bindparam("by"))
    .execution_options(synchronize_session=False)
)
_TRY: Final = (
    update(InboxEvent)
    .where(col(InboxEvent.id) == bindparam("row"))
    .values(tries=col(InboxEvent.tries) + 1)
    .execution_options(synchronize_session=False)
)


def end_event(session: Session, account: str, row: int, handler: str, state: str = EventState.DONE) -> None:
    """Mark an event as handled, in the transaction of its handler."""
    belongs_to(session, account)
    in_bulk(session, _END, {"row": row, "to": state, "by": handler})


class InboxRows:
    """Inbox rows of one account."""

    def __init__(self, store: Store, account: str) -> None:
        self._account = account
        new = store.insert(InboxEvent).on_conflict_do_nothing()
        self._insert: Any = new.returning(col(InboxEvent.id), col(InboxEvent.event_id))

    def insert(self, session: Session, raws: list[RawEvent]) -> dict[str, int]:
        """Insert events; return the row ids of the new ones by event id."""
        belongs_to(session, self._account)
        rows = [
            {
                "account": raw.account,
                "event_id": raw.id,
                "kind": raw.kind,
                "data": json.dumps(raw.data, ensure_ascii=False),
                "state": EventState.NEW,
                "handler": "",
                "tries": 0,
                "received_at": raw.at.timestamp(),
            }
            for raw in raws
        ]
        return {event_id: int(row) for row, event_id in session.connection().execute(self._insert, rows)}

    def keep_bodies(self, session: Session, bodies: list[dict[str, Any]]) -> None:
        """Store resolved events, so that they can be handled after a restart without the gateway."""
        session.connection().execute(_KEEP_BODY, bodies)

    def end(self, session: Session, ends: list[dict[str, Any]]) -> None:
        """End events that no handler ends."""
        belongs_to(session, self._account)
        session.connection().execute(_END, ends)

    def count_tries(self, session: Session, rows: list[dict[str, Any]]) -> None:
        """Count attempts to handle events after a restart."""
        session.connection().execute(_TRY, rows)

    def forget_tries(self, session: Session) -> None:
        """Reset the attempts of open events when the process stops in an orderly way."""
        belongs_to(session, self._account)
        statement = update(InboxEvent).where(col(InboxEvent.account) == self._account, col(InboxEvent.tries) > 0)
        session.connection().execute(statement.where(col(InboxEvent.state) == EventState.NEW).values(tries=0))

    def open_rows(self, session: Session) -> list[InboxEvent]:
        """Return the unfinished events in order of arrival."""
        query = select(InboxEvent).where(InboxEvent.account == self._account, InboxEvent.state == EventState.NEW)
        return list(session.exec(query.order_by(col(InboxEvent.id))).all())
