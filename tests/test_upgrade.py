"""A database of the first version with rows in every table is migrated without loss."""

from __future__ import annotations

from collections.abc import Iterator
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
    create_engine,
    func,
    select,
)
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import models  # noqa: F401 - registers the tables
from models.db import Store, parse
from models.schema import MIGRATIONS
from tests.databases import database, postgres

__all__ = ["database", "postgres"]
FIRST = "0001"
ROWS = 3
RENAMED = {"standing": "memberrecord", "befriended": "becamefriend"}  # tables by their original names


@pytest.fixture
def old(database: str) -> Iterator[Engine]:
    """A database of the first version, with rows in every table."""
    engine = create_engine(parse(database), poolclass=NullPool)
    with engine.begin() as connection:
        settings = Config()
        settings.set_main_option("script_location", str(MIGRATIONS))
        settings.attributes["connection"] = connection
        command.upgrade(settings, FIRST)
        for table in _tables(connection):
            connection.execute(table.insert(), [_row(table, number) for number in range(1, ROWS + 1)])
    yield engine
    engine.dispose()


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
        assert all(count in (0, ROWS) for count in _counts(connection).values())
