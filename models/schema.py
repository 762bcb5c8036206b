"""The tables: an empty database gets them as they are now, an older one is migrated to them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"
MAX_ID: Final = 2**31 - 1  # what a row's number can be on PostgreSQL
_STAMP: Final = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


def bring_up_to_date(connection: Connection) -> None:
    """Make or migrate the tables, inside the connection's transaction."""
    tables = inspect(connection).get_table_names()
    if not tables:
        create(connection)
    elif "alembic_version" not in tables or _version(connection) != _newest():
        migrate(connection)


def create(connection: Connection) -> None:
    """Make every table, in an empty database."""
    SQLModel.metadata.create_all(connection, checkfirst=False)
    connection.execute(text(_STAMP))
    connection.execute(text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": _newest()})


def migrate(connection: Connection) -> None:
    """Run the migrations that are not in yet."""
    # Late: alembic weighs 11 MB and a third of a second, and hardly a start has something to migrate.
    from alembic import command
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def _newest() -> str:
    """The newest migration's number (versions/NUMBER_what.py)."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _version(connection: Connection) -> str | None:
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version
