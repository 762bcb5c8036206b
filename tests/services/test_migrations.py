"""Creating and migrating the tables of a database."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, inspect, text
from sqlmodel import SQLModel

from models import schema
from models.db import Store
from tests.services.conftest import OpenStore
from tests.services.stored_settings import keys, put

METADATA = SQLModel.metadata


def shape(connection: Connection) -> dict[str, Any]:
    """Return the complete schema, in any order."""
    seen = inspect(connection)
    looks = (seen.get_columns, seen.get_indexes, seen.get_unique_constraints, seen.get_foreign_keys)
    tables: dict[str, Any] = {}
    for name in seen.get_table_names():
        parts = [sorted(str(_plain(part)) for part in look(name)) for look in looks]
        tables[name] = [*parts, seen.get_pk_constraint(name)["constrained_columns"]]
    return tables


def _plain(part: Any) -> Any:
    return {key: _plain(value) for key, value in part.items()} if isinstance(part, dict) else str(part)


def test_created_tables_equal_migrated_tables(database: str) -> None:
    shapes = []
    for make in (schema.create, schema.migrate):
        store = Store(database)
        with store.engine.connect() as connection:
            transaction = connection.begin()
            make(connection)
            shapes.append(shape(connection))
            assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA) == []
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == schema._newest()
            transaction.rollback()
        store.engine.dispose()
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) > 20


async def test_older_database_is_migrated(database: str, open_store: OpenStore) -> None:
    """Without a recorded version, all migrations are pending."""
    older = Store(database)
    with older.engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    older.engine.dispose()
    store = await open_store()
    await store.write(lambda s: put(s, "a"))
    assert await keys(store) == ["a", schema.OLDEST_KEY]


async def test_second_start_changes_nothing(open_store: OpenStore) -> None:
    first = await open_store()
    await first.write(lambda s: put(s, "kept"))
    await first.close()
    assert await keys(await open_store()) == ["kept"]


async def test_interrupted_migration_is_rolled_back(database: str, open_store: OpenStore) -> None:
    broken = Store(database)
    tables = 0

    def cut(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal tables
        tables += "CREATE TABLE" in statement
        if tables == 5 and "CREATE TABLE" in statement:
            raise RuntimeError("cut off")

    event.listen(broken.engine, "before_cursor_execute", cut)
    with pytest.raises(RuntimeError, match="cut off"):
        broken._migrate()
    assert inspect(broken.engine).get_table_names() == []
    broken.engine.dispose()
    store = await open_store()
    await store.write(lambda s: put(s, "a"))
