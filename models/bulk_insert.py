"""Rows collected over a transaction and inserted with one execution per statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection
from sqlmodel import Session

from models.row_statements import Row, RowStatement

OnResult = Callable[[Any], object]  # called with the row of the statement's RETURNING clause
KEY: Final = "bulk"


class BulkInsert:
    """The pending rows of one transaction. A write that fails discards its rows."""

    def __init__(self) -> None:
        self._waiting: dict[RowStatement, tuple[list[Row], list[OnResult]]] = {}

    def put(self, statement: RowStatement, row: Row, on_result: OnResult | None = None) -> None:
        """Add a row for the statement."""
        rows, callbacks = self._waiting.setdefault(statement, ([], []))
        rows.append(row)
        if on_result is not None:
            callbacks.append(on_result)

    def write(self, connection: Connection) -> None:
        """Execute the statements for all pending rows."""
        waiting, self._waiting = self._waiting, {}
        for statement, (rows, callbacks) in waiting.items():
            answers = statement.execute(connection, rows)
            if callbacks:
                for on_result, answer in zip(callbacks, answers, strict=True):
                    on_result(answer)


def in_bulk(session: Session, statement: RowStatement, row: Row, on_result: OnResult | None = None) -> None:
    """Insert the row with the commit at the latest, together with the other rows of the same statement.

    `on_result` is called with what the statement returns for the row. Either all rows of a statement have it or none;
    results come in the order of the rows.
    """
    session.info[KEY].put(statement, row, on_result)


def write_bulk(session: Session) -> None:
    """Insert the pending rows now, for code that reads them in the same transaction."""
    if KEY in session.info:
        session.info[KEY].write(session.connection())
