"""The lease rows.

Every call is one short transaction on a separate connection; times are compared by PostgreSQL's clock only.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, create_engine, text
from sqlalchemy.pool import NullPool

from models.db import lively, parse
from models.fence import ALIVE, Fenced, session_name
from services.work.ownership import GLOBAL

CHANNEL: Final = "wxbot"
NOW: Final = "extract(epoch FROM clock_timestamp())"
SECRET: Final = "cluster_secret"  # of the table setting
# A statement that hangs on a connection that is dead must not be waited for beyond the lease. Milliseconds.
OPTIONS: Final = "-c statement_timeout=3000 -c idle_in_transaction_session_timeout=2000"

_JOIN = text(
    "INSERT INTO member (id, advertise, capacity, version, draining, seen) "
    f"VALUES (:id, :advertise, :capacity, :version, false, {NOW})"
)
_KNOWN = text(
    "INSERT INTO accountlease (account, epoch, since) "
    f"SELECT CAST(:account AS varchar), coalesce(max(value::bigint), 0), {NOW} FROM setting "
    "WHERE key = 'relay-epoch:' || CAST(:account AS varchar) "
    "ON CONFLICT DO NOTHING"
)
_BEAT = text(f"UPDATE member SET seen = {NOW} WHERE id = :id RETURNING id")
_HELD = text("SELECT account, epoch FROM accountlease WHERE member = :id")
# A member frozen within a transaction holds its row. PostgreSQL's idle_in_transaction_session_timeout ends that only
# sometimes: not after what psycopg sends in pipeline mode (executemany), which ends with a Flush behind the Sync.
_SILENT = text(f"SELECT id FROM member WHERE seen < {NOW} - :seconds AND id <> :id")
_END_SESSIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name AND state <> 'idle' "
    "AND datname = current_database()"
)
_BURY = text(
    "DELETE FROM member WHERE id IN (SELECT id FROM member WHERE seen < "
    f"{NOW} - :seconds AND id <> :id FOR UPDATE SKIP LOCKED) RETURNING id"
)
_MEMBERS = text(
    "SELECT m.id, m.advertise, m.capacity, m.version, m.draining, count(l.account) AS held FROM member m "
    "LEFT JOIN accountlease l ON l.member = m.id AND l.account <> '' GROUP BY m.id ORDER BY m.id"
)
_ORPHAN = "(l.member IS NULL OR NOT EXISTS (SELECT 1 FROM member m WHERE m.id = l.member))"
_COUNT = text(
    f"SELECT count(*) FILTER (WHERE l.account <> ''), count(*) FILTER (WHERE l.account <> '' AND {_ORPHAN}), "
    f"count(*) FILTER (WHERE l.account = '' AND {_ORPHAN}) FROM accountlease l"
)
_CLAIM = text(
    f"WITH free AS (SELECT l.account FROM accountlease l WHERE {_ORPHAN} AND l.account IN :known "
    "ORDER BY l.account LIMIT :most FOR UPDATE OF l SKIP LOCKED) "
    f"UPDATE accountlease a SET member = :id, since = {NOW}, "
    f"epoch = greatest(a.epoch + 1, floor({NOW})::bigint) "
    "FROM free WHERE a.account = free.account RETURNING a.account, a.epoch"
).bindparams(bindparam("known", expanding=True))
_RELEASE = text("UPDATE accountlease SET member = NULL WHERE account = :account AND member = :id")
_FORGET = text("DELETE FROM accountlease WHERE account = :account")
_HOLDERS = text(
    "SELECT l.account, m.id, m.advertise FROM accountlease l LEFT JOIN member m ON m.id = l.member "
    "WHERE l.account <> '' ORDER BY l.account"
)
_VERSIONS = text("SELECT kind, version FROM sharedversion")


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member as seen by the others. `held`: number of its accounts."""

    id: str
    advertise: str
    capacity: int
    version: str
    draining: bool
    held: int


@dataclass(frozen=True, slots=True)
class View:
    """A snapshot of the cluster. `orphans`: number of accounts without a holder."""

    members: Sequence[MemberView]
    accounts: int
    orphans: int
    jobs_free: bool  # nobody has the lease of the jobs that run at one process

    def fair_share(self, member: str) -> int:
        """Return a member's fair number of accounts by its share of the capacity, rounded up."""
        active = {one.id: one.capacity for one in self.members if not one.draining}
        if member not in active:
            return 0
        share = -(-self.accounts * active[member] // sum(active.values()))
        return min(share, active[member])

    def held_by(self, member: str) -> int:
        """Return the number of accounts of a member."""
        return next((one.held for one in self.members if one.id == member), 0)

    @property
    def is_uneven(self) -> bool:
        """Whether any member has fewer accounts than its share."""
        return any(one.held < self.fair_share(one.id) for one in self.members)


class Leases:
    """Reads and writes the leases, from one thread. After a driver error the next call opens a new connection."""

    def __init__(self, url: str, member: str, advertise: str, capacity: int, version: str) -> None:
        parsed = parse(url)
        settings = lively(parsed) | {"options": OPTIONS, "connect_timeout": 3}
        self._engine = create_engine(
            parsed, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=settings, hide_parameters=True
        )
        self._connection: Connection | None = None
        self._values = {"advertise": advertise, "capacity": capacity, "version": version}
        self.member = member

    # ---- membership ----

    def join(self) -> str:
        """Join the cluster; return the secret shared by its members."""
        self._run(_JOIN, id=self.member, **self._values)
        fresh = {"key": SECRET, "value": secrets.token_urlsafe(32)}
        self._run(text("INSERT INTO setting (key, value) VALUES (:key, :value) ON CONFLICT DO NOTHING"), **fresh)
        self.know([GLOBAL])
        return str(self._run(text("SELECT value FROM setting WHERE key = :key"), key=SECRET)[0][0])

    def beat(self) -> dict[str, int]:
        """Renew the leases; return the epochs of the accounts held. Raises Fenced if the member's row is gone."""
        if not self._run(_BEAT, id=self.member):
            raise Fenced(self.member)
        return {row.account: row.epoch for row in self._run(_HELD, id=self.member)}

    def drain(self) -> None:
        """Stop taking accounts."""
        self._run(text("UPDATE member SET draining = true WHERE id = :id RETURNING id"), id=self.member)

    def leave(self) -> None:
        """Leave the cluster; the accounts still held are free at once."""
        self._run(text("DELETE FROM member WHERE id = :id RETURNING id"), id=self.member)
        self.notify({})

    def bury(self, lease_seconds: float) -> list[str]:
        """Remove the members without a heartbeat for one lease, freeing their accounts; return their ids.

        If a transaction still locks a member's row, its sessions are terminated and it is removed the next
        time.
        """
        for row in self._run(_SILENT, id=self.member, seconds=lease_seconds):
            self._run(_END_SESSIONS, name=session_name(row.id))
        return [row.id for row in self._run(_BURY, id=self.member, seconds=lease_seconds)]

    # ---- accounts ----

    def know(self, accounts: Collection[str]) -> None:
        """Insert a row for each of these accounts, continuing the epoch of a single process."""
        for account in accounts:
            self._run(_KNOWN, account=account)

    def forget(self, account: str) -> None:
        """Delete the row of an account that is no longer served."""
        self._run(_FORGET, account=account)

    def view(self) -> View:
        """Return a snapshot of the cluster."""
        members = [MemberView(**row._mapping) for row in self._run(_MEMBERS)]
        ((accounts, orphans, jobs),) = self._run(_COUNT)
        return View(members, accounts, orphans, bool(jobs))

    def claim(self, known: Collection[str], most: int) -> dict[str, int]:
        """Take up to this many free accounts; return their epochs."""
        if most <= 0 or not known:
            return {}
        connection = self._connected()
        with _Transaction(connection):
            if connection.execute(ALIVE, {"id": self.member}).first() is None:
                raise Fenced(self.member)
            rows = connection.execute(_CLAIM, {"id": self.member, "known": list(known), "most": most}).all()
        return {row.account: row.epoch for row in rows}

    def release(self, account: str) -> None:
        """Release an account and notify the others."""
        self._run(_RELEASE, account=account, id=self.member)
        self.notify({"free": 1})

    def holders(self) -> dict[str, str]:
        """Return the address of the holder of every account, "" if it has none."""
        return {row.account: row.advertise or "" for row in self._run(_HOLDERS)}

    # ---- changes ----

    def versions(self) -> dict[str, int]:
        """Return the version of each kind of shared data."""
        return {row.kind: row.version for row in self._run(_VERSIONS)}

    def notify(self, news: dict[str, Any]) -> None:
        """Send a NOTIFY to all processes."""
        payload = json.dumps({"from": self.member, **news}, ensure_ascii=False, separators=(",", ":"))
        self._run(text("SELECT pg_notify(:channel, :payload)"), channel=CHANNEL, payload=payload)

    # ---- the connection ----

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._engine.dispose()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.invalidated or self._connection.closed:
            self._connection = self._engine.connect()
        return self._connection

    def _run(self, statement: Any, **values: Any) -> Sequence[Any]:
        connection = self._connected()
        try:
            result = connection.execute(statement, values)
            return result.all() if result.returns_rows else ()
        except Exception:
            self._connection = None
            connection.invalidate()
            connection.close()
            raise


class _Transaction:
    """Run one transaction on the autocommit connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.exec_driver_sql("BEGIN")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._connection.exec_driver_sql("COMMIT" if kind is None else "ROLLBACK")
