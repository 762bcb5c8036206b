"""Rows that many writes leave for the end of their common transaction: one execution for all of a statement's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Executable
from sqlmodel import Session

Row = dict[str, Any]
Given = Callable[[Any], object]  # takes the row that a statement's RETURNING gives
KEY: Final = "bulk"


class BulkInsert:
    """What waits in one transaction. A write that fails loses what it left here, with all else it did."""

    def __init__(self) -> None:
        self._waiting: dict[Executable, tuple[list[Row], list[Given]]] = {}

    def put(self, statement: Executable, row: Row, given: Given | None = None) -> None:
        """Leave a row."""
        rows, givens = self._waiting.setdefault(statement, ([], []))
        rows.append(row)
        if given is not None:
            givens.append(given)

    def write(self, connection: Connection) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, {}
        for statement, (rows, givens) in waiting.items():
            answers = connection.execute(statement, rows)
            if givens:
                for given, answer in zip(givens, answers, strict=True):
                    given(answer)


def in_bulk(session: Session, statement: Executable, row: Row, given: Given | None = None) -> None:
    """Have a row written at the latest with the commit, together with those that others leave for the same statement.

    `given`: told what the statement returns of it (all rows of a statement or none; they come back in order).
    """
    session.info[KEY].put(statement, row, given)


def write_bulk(session: Session) -> None:
    """Write what waits now: for who reads such rows, perhaps in the transaction that writes them."""
    if KEY in session.info:
        session.info[KEY].write(session.connection())
