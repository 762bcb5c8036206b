"""SQL statements of the inbox, precompiled and batched because every event executes three of them."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final

from sqlalchemy import Executable, String, Text, delete, update
from sqlmodel import Session, col, select

from models.bulk_insert import in_bulk
from models.durable import EventState, InboxEvent
from models.fence import belongs_to
from models.row_id import WIDE
from models.row_statements import ColumnOf, Row, insert_rows, update_rows
from wechat.events import RawEvent


def _replace_body(column: ColumnOf) -> Executable:
    return update(InboxEvent).where(col(InboxEvent.id) == column("row")).values(body=column("kept"))


def _end(column: ColumnOf) -> Executable:
    return (
        update(InboxEvent).where(col(InboxEvent.id) == column("row")).values(state=column("to"), handler=column("by"))
    )


def _count_try(column: ColumnOf) -> Executable:
    return update(InboxEvent).where(col(InboxEvent.id) == column("row")).values(tries=col(InboxEvent.tries) + 1)


_COLUMNS: Final = ("account", "event_id", "kind", "data", "state", "handler", "tries", "received_at")
_INSERT: Final = insert_rows(InboxEvent, _COLUMNS, col(InboxEvent.id), col(InboxEvent.event_id), ignore_repeated=True)
_REPLACE_BODY: Final = update_rows("row", {"row": WIDE, "kept": Text()}, _replace_body)
_END: Final = update_rows("row", {"row": WIDE, "to": String(), "by": String()}, _end)
_TRY: Final = update_rows("row", {"row": WIDE}, _count_try)


def end_event(session: Session, account: str, row: int, handler: str, state: str = EventState.DONE) -> None:
    """Mark an event as handled, in the transaction of its handler."""
    belongs_to(session, account)
    in_bulk(session, _END, {"row": row, "to": state, "by": handler})


def open_events(session: Session, accounts: Collection[str]) -> dict[str, list[InboxEvent]]:
    """Return the unfinished events of accounts in order of arrival."""
    query = select(InboxEvent).where(col(InboxEvent.account).in_(accounts), InboxEvent.state == EventState.NEW)
    events: dict[str, list[InboxEvent]] = {}
    for row in session.exec(query.order_by(col(InboxEvent.id))):
        events.setdefault(row.account, []).append(row)
    return events


class InboxRows:
    """Inbox rows of one account."""

    def __init__(self, account: str) -> None:
        self._account = account

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
        return {event_id: int(row) for row, event_id in _INSERT.execute(session.connection(), rows)}

    def store_bodies(self, session: Session, bodies: list[Row]) -> None:
        """Store resolved events, so that they can be handled after a restart without the gateway."""
        _REPLACE_BODY.execute(session.connection(), bodies)

    def remove(self, session: Session, row: int) -> None:
        """Delete an event."""
        belongs_to(session, self._account)
        session.connection().execute(delete(InboxEvent).where(col(InboxEvent.id) == row))

    def end(self, session: Session, ends: list[Row]) -> None:
        """End events that no handler ends."""
        belongs_to(session, self._account)
        _END.execute(session.connection(), ends)

    def count_tries(self, session: Session, rows: list[Row]) -> None:
        """Count attempts to handle events after a restart."""
        _TRY.execute(session.connection(), rows)

    def forget_tries(self, session: Session) -> None:
        """Reset the attempts of open events when the process stops in an orderly way."""
        belongs_to(session, self._account)
        statement = update(InboxEvent).where(col(InboxEvent.account) == self._account, col(InboxEvent.tries) > 0)
        session.connection().execute(statement.where(col(InboxEvent.state) == EventState.NEW).values(tries=0))

    def open_rows(self, session: Session) -> list[InboxEvent]:
        """Return the unfinished events in order of arrival."""
        return open_events(session, (self._account,)).get(self._account, [])
