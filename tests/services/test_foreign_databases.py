"""Databases that wxbot cannot use stop the start with one line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from models.db import Store, parse
from models.durable import Setting
from models.schema import UnusableDatabase

Encoded = Callable[[str], str]


@pytest.fixture
def encoded(database: str) -> Encoded:
    """Make a database with an encoding on the test's server; its address."""

    def make(encoding: str) -> str:
        url = parse(database)
        name = f"{url.database}_{encoding.lower()}"
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            how = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            connection.execute(text(f"CREATE DATABASE {name} {how}"))
        engine.dispose()
        return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    return make


async def open_error(url: str) -> str:
    store = Store(url)
    try:
        with pytest.raises(UnusableDatabase) as refused:
            await store.open()
        return str(refused.value)
    finally:
        await store.close()


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_CN"])
async def test_wrong_encoding_is_rejected(encoded: Encoded, encoding: str) -> None:
    line = await open_error(encoded(encoding))
    assert line == f"its encoding is {encoding}; create one with ENCODING 'UTF8' TEMPLATE template0"


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_client_encoding_is_set(database: str) -> None:
    """Whatever the server would choose for its clients."""
    engine = create_engine(parse(database), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {parse(database).database} SET client_encoding = 'LATIN1'"))
    engine.dispose()
    store = Store(database)
    await store.open()
    await store.write(lambda s: s.merge(Setting(key="k", value="你好😀")))
    row = await store.read(lambda s: s.get_one(Setting, "k"))
    assert row.value == "你好😀"
    await store.close()


@pytest.mark.parametrize(
    ("statements", "line"),
    [
        (["CREATE TABLE orders (id INTEGER)"], "it contains tables of another program (orders, …)"),
        (
            ["CREATE TABLE alembic_version (version_num VARCHAR(32))", "INSERT INTO alembic_version VALUES ('abc')"],
            "it contains tables of another program (alembic_version, …)",
        ),
        (
            ["CREATE TABLE alembic_version (version_num VARCHAR(32))", "INSERT INTO alembic_version VALUES ('9999')",
             "CREATE TABLE inboxevent (id INTEGER)"],
            "it was used by a newer wxbot (schema version 9999); install that version",
        ),
    ],
)  # fmt: skip
async def test_foreign_tables_are_rejected(database: str, statements: list[str], line: str) -> None:
    engine = create_engine(parse(database))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
    assert await open_error(database) == line
