"""The database schema: an empty database gets the current tables, an older one is migrated."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"
# The oldest revision whose code can use the newest tables: during a rolling upgrade, processes of both versions run on
# them. Later migrations only add what that code need not know; what it still needs is removed in the release after.
OLDEST: Final = "0010"
OLDEST_KEY: Final = "schema_oldest"  # of the table setting
MAX_ID: Final = 2**31 - 1  # largest value of an INTEGER column on PostgreSQL
_REVISION: Final = re.compile(r"^revision(?:: str)? = [\"'](\w+)[\"']", re.MULTILINE)
# Processes that start together make or migrate the tables one after the other.
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('wxbot tables'))")
_KEEP_OLDEST: Final = text(
    "INSERT INTO setting (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_CREATE_VERSION_TABLE: Final = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


class UnusableDatabase(Exception):
    """This version cannot use the database; the message has the reason."""


def bring_up_to_date(connection: Connection) -> None:
    """Create or migrate the tables in the connection's transaction; raise UnusableDatabase."""
    _check_encoding(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_AT_A_TIME)
    tables = inspect(connection).get_table_names()
    if not tables:
        create(connection)
        return
    error = UnusableDatabase(f"it contains tables of another program ({', '.join(sorted(tables)[:3])}, …)")
    if "alembic_version" not in tables:
        raise error
    version = _version(connection)
    if version == _newest():
        return
    if version is not None and version not in _versions():
        if "inboxevent" not in tables:
            raise error
        if _oldest(connection, tables) in _versions():
            return
        raise UnusableDatabase(f"it was used by a newer wxbot (schema version {version}); install that version")
    migrate(connection)


def _check_encoding(connection: Connection) -> None:
    """Raise UnusableDatabase unless a PostgreSQL database uses UTF-8."""
    if connection.dialect.name == "postgresql":
        encoding = connection.execute(text("SHOW server_encoding")).scalar()
        if encoding != "UTF8":
            raise UnusableDatabase(f"its encoding is {encoding}; create one with ENCODING 'UTF8' TEMPLATE template0")


def create(connection: Connection) -> None:
    """Create all tables in an empty database."""
    SQLModel.metadata.create_all(connection, checkfirst=False)
    connection.execute(text(_CREATE_VERSION_TABLE))
    connection.execute(text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": _newest()})


def migrate(connection: Connection) -> None:
    """Run the pending migrations."""
    # Imported late: alembic takes 11 MB and a third of a second, and few starts have anything to migrate.
    from alembic import command
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
    connection.execute(_KEEP_OLDEST, {"key": OLDEST_KEY, "value": OLDEST})


def _newest() -> str:
    """Return the revision of the newest migration (versions/REVISION_subject.py)."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _versions() -> set[str]:
    """Return all known revisions."""
    files = (MIGRATIONS / "versions").glob("*.py")
    return {match[1] for file in files if (match := _REVISION.search(file.read_text(encoding="utf-8")))}


def _oldest(connection: Connection, tables: Collection[str]) -> str | None:
    """Return the oldest revision whose code can use the tables, as stored by the version that migrated them."""
    if "setting" not in tables:
        return None
    query = text("SELECT value FROM setting WHERE key = :key")
    oldest: str | None = connection.execute(query, {"key": OLDEST_KEY}).scalar()
    return oldest


def _version(connection: Connection) -> str | None:
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version
