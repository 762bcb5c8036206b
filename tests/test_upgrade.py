"""A database of the first version with rows in every table is migrated without loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    and_,
    create_engine,
    func,
    select,
    text,
)
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import models  # noqa: F401 - registers the tables
from models import schema
from models.db import Store, parse
from models.schema import MIGRATIONS
from tests.databases import database, postgres

__all__ = ["database", "postgres"]
FIRST = "0001"
ROWS = 3
RENAMED = {"standing": "memberrecord", "befriended": "becamefriend"}  # tables by their original names


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = create_engine(parse(database), poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def old(engine: Engine) -> Engine:
    """A database of the first version, with rows in every table."""
    with engine.begin() as connection:
        _upgrade(connection, FIRST)
        _fill(connection, _tables(connection), range(1, ROWS + 1))
    return engine


def _upgrade(connection: Connection, revision: str) -> None:
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["connection"] = connection
    command.upgrade(settings, revision)


def _fill(connection: Connection, tables: Sequence[Table], numbers: Iterable[int]) -> None:
    for table in tables:
        connection.execute(table.insert(), [_row(table, number) for number in numbers])


def _tables(connection: Connection) -> list[Table]:
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def _row(table: Table, number: int) -> dict[str, Any]:
    """Return a row that satisfies the constraints; each number gives another one."""
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.primary_key and column.name == "id" and isinstance(column.type, Integer):
            continue  # assigned by the database
        if isinstance(column.type, Boolean):
            values[column.name] = False
        elif isinstance(column.type, Integer | Float):
            values[column.name] = number
        elif isinstance(column.type, LargeBinary):
            values[column.name] = f"值{number}".encode()
        elif isinstance(column.type, JSON):
            values[column.name] = {"name": f"值{number}"}
        else:
            values[column.name] = f"值{number}"
    return values


def _counts(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in _tables(connection)
    }


async def test_migration_keeps_all_rows(old: Engine, database: str) -> None:
    with old.connect() as connection:
        before = _counts(connection)
    assert before and set(before.values()) == {ROWS}
    store = Store(database)
    await store.open()
    await store.close()
    with old.connect() as connection:
        after = _counts(connection)
        after["setting"] -= 1  # schema.OLDEST
        assert {name: after.get(RENAMED.get(name, name)) for name in before} == before
        assert after.keys() == SQLModel.metadata.tables.keys()
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


async def test_second_start_changes_nothing(old: Engine, database: str) -> None:
    for _ in range(2):
        store = Store(database)
        await store.open()
        await store.close()
    with old.connect() as connection:
        counts = _counts(connection)
        counts["setting"] -= 1  # schema.OLDEST
        assert all(count in (0, ROWS) for count in counts.values())


async def test_code_of_the_oldest_supported_revision_can_use_the_newest_tables(engine: Engine) -> None:
    """In a rolling upgrade, the processes that have not been restarted keep running."""
    with engine.begin() as connection:
        _upgrade(connection, schema.OLDEST)
        tables = _tables(connection)  # as that code knows them
        _fill(connection, tables, [1])
        _upgrade(connection, "head")
    with engine.begin() as connection:
        _fill(connection, tables, [2])
        for table in tables:
            assert len(connection.execute(select(table)).all()) == 2, table.name
        for table in reversed(tables):
            key = table.primary_key.columns.values()
            row = connection.execute(select(*key)).first()
            assert row is not None
            mine = and_(*(column == value for column, value in zip(key, row, strict=True)))
            rest = {column.name: column for column in table.columns if not column.primary_key}
            if rest:
                connection.execute(table.update().where(mine).values(rest))
            connection.execute(table.delete().where(mine))


@pytest.mark.parametrize(("oldest", "usable"), [("0010", True), ("9998", False)])
async def test_a_process_restarts_after_a_newer_version_has_migrated(
    engine: Engine, database: str, monkeypatch: pytest.MonkeyPatch, oldest: str, *, usable: bool
) -> None:
    with engine.begin() as connection:
        _upgrade(connection, "0012")
        monkeypatch.setattr(schema, "OLDEST", oldest)  # as of the newer version
        schema.migrate(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store = Store(database)
    if usable:
        await store.open()
    else:
        with pytest.raises(schema.UnusableDatabase, match="newer wxbot"):
            await store.open()
    await store.close()
