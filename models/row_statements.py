"""Statements that write many rows at once.

On SQLite they are executed for each row. psycopg's executemany sends and awaits each row separately; on PostgreSQL all
rows are therefore one parameter, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import JSON, ColumnElement, Connection, Executable, Integer, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.expression import TableValuedAlias
from sqlalchemy.types import Text, TypeEngine
from sqlmodel import SQLModel

Row = dict[str, Any]
ColumnOf = Callable[[str], ColumnElement[Any]]  # returns a column of the given rows by its name
_NUMBER: Final = "row_number"  # column with the position of a row among the given ones


class RowStatement:
    """A statement in two forms: for one row, and for a list of rows in JSON.

    `key`: of rows with the same value of this column, only the last is used.
    """

    def __init__(self, one_row: Executable, all_rows: Executable, key: str = "") -> None:
        self._one_row = one_row
        self._all_rows = all_rows
        self._key = key

    def execute(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Any]:
        """Execute the statement for all rows; return what it returns for them, in their order."""
        if not rows:
            return ()
        if self._key:
            rows = list({row[self._key]: row for row in rows}.values())
        if connection.dialect.name == "postgresql":
            numbered = [{**row, _NUMBER: number} for number, row in enumerate(rows)]
            result = connection.execute(self._all_rows, {"rows": json.dumps(numbered, ensure_ascii=False)})
        else:
            result = connection.execute(self._one_row, list(rows))
        return result.all() if result.returns_rows else ()


def update_rows(
    key: str, types: Mapping[str, TypeEngine[Any]], build: Callable[[ColumnOf], Executable]
) -> RowStatement:
    """Create an update of rows that are identified by the column `key` of the given rows.

    `types`: of the columns of the given rows; `build`: makes the statement from these columns.
    """
    given_rows = _table(types)
    return RowStatement(build(bindparam), build(lambda name: given_rows.c[name]), key)


def insert_rows(
    table: type[SQLModel],
    columns: Sequence[str],
    *returned: ColumnElement[Any] | Mapped[Any],
    ignore_repeated: bool = False,
) -> RowStatement:
    """Create an insert of these columns. `ignore_repeated`: rows that violate a unique constraint are left out."""
    described = SQLModel.metadata.tables[str(table.__tablename__)].c
    given_rows = _table({name: described[name].type for name in columns})
    one_row = sqlite.insert(table)
    all_rows = postgresql.insert(table).from_select(
        columns, select(*(given_rows.c[name] for name in columns)).order_by(given_rows.c[_NUMBER])
    )
    if ignore_repeated:
        one_row, all_rows = one_row.on_conflict_do_nothing(), all_rows.on_conflict_do_nothing()
    if not returned:
        return RowStatement(one_row, all_rows)
    in_order = {"sort_by_parameter_order": not ignore_repeated}
    return RowStatement(one_row.returning(*returned, **in_order), all_rows.returning(*returned))


def _table(types: Mapping[str, TypeEngine[Any]]) -> TableValuedAlias:
    """Return the given rows as a table."""
    columns = [column(name, kind) for name, kind in types.items()]
    rows = func.json_to_recordset(cast(bindparam("rows", type_=Text()), JSON))
    return rows.table_valued(*columns, column(_NUMBER, Integer()), name="given").render_derived(with_types=True)
