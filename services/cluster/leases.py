"""The lease rows.

Every call is one short transaction on a separate connection; times are compared by PostgreSQL's clock only.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.pool import NullPool

from models.db import leave_read_only_server, parse, with_keepalives
from models.fence import Fenced, session_name
from services.work.ownership import GLOBAL

if TYPE_CHECKING:
    import psycopg

CHANNEL: Final = "wxbot"
NOW: Final = "extract(epoch FROM clock_timestamp())"
SECRET: Final = "cluster_secret"  # of the table setting
CONNECT_SECONDS: Final = 3
# A statement that hangs on a connection that is dead must not be waited for beyond the lease. Milliseconds.
OPTIONS: Final = "-c statement_timeout=3000"

_JOIN = text(
    "INSERT INTO member (id, advertise, capacity, version, draining, seen) "
    f"VALUES (:id, :advertise, :capacity, :version, :starting, {NOW})"
)
_KNOWN = text(
    "INSERT INTO accountlease (account, epoch, since) "
    "SELECT known.account, coalesce(setting.value::bigint, 0), "
    f"{NOW} FROM unnest(CAST(:accounts AS varchar[])) AS known (account) "
    "LEFT JOIN setting ON setting.key = 'relay-epoch:' || known.account "
    "ON CONFLICT DO NOTHING"
)
_RENEW = text(f"UPDATE member SET seen = {NOW} WHERE id = :id RETURNING seen")
_HELD = text("SELECT account, epoch FROM accountlease WHERE member = :id")
# A member frozen within a transaction holds its row. PostgreSQL's idle_in_transaction_session_timeout ends that only
# sometimes: not after what psycopg sends in pipeline mode (executemany), which ends with a Flush behind the Sync.
_SILENT = text(f"SELECT id FROM member WHERE seen < {NOW} - :seconds AND id <> :id")
_END_SESSIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name AND state <> 'idle' "
    "AND datname = current_database()"
)
_REMOVE_DEAD = text(
    "DELETE FROM member WHERE id IN (SELECT id FROM member WHERE seen < "
    f"{NOW} - :seconds AND id <> :id FOR UPDATE SKIP LOCKED) RETURNING id"
)
_MEMBERS = text(
    "SELECT m.id, m.advertise, m.capacity, m.version, m.draining, count(l.account) AS held, "
    f"m.id <> :id AND m.seen < {NOW} - :late AS is_late FROM member m "
    "LEFT JOIN accountlease l ON l.member = m.id AND l.account <> '' GROUP BY m.id ORDER BY m.id"
)
_ORPHAN = "(l.member IS NULL OR NOT EXISTS (SELECT 1 FROM member m WHERE m.id = l.member))"
# Orphans that no process knows, such as accounts that were removed from the config, do not count.
_COUNT = text(
    f"SELECT count(*) FILTER (WHERE l.account <> '' AND (known OR NOT {_ORPHAN})), "
    f"count(*) FILTER (WHERE l.account <> '' AND known AND {_ORPHAN}), "
    f"count(*) FILTER (WHERE l.account = '' AND {_ORPHAN}) "
    "FROM accountlease l, LATERAL (SELECT l.account = ANY(CAST(:known AS varchar[])) AS known) k"
)
# The member's row is locked as by a commit (models.fence): a removed process cannot take accounts.
_CLAIM = text(
    "WITH alive AS (SELECT id FROM member WHERE id = :id FOR KEY SHARE), "
    f"free AS (SELECT l.account FROM accountlease l WHERE {_ORPHAN} AND l.account = ANY(CAST(:known AS varchar[])) "
    "ORDER BY l.account LIMIT :most FOR UPDATE OF l SKIP LOCKED) "
    f"UPDATE accountlease a SET member = alive.id, since = {NOW}, "
    f"epoch = greatest(a.epoch + 1, floor({NOW})::bigint) "
    "FROM free, alive WHERE a.account = free.account RETURNING a.account, a.epoch"
)
_RELEASE = text(
    "WITH mine AS (SELECT account FROM accountlease WHERE account = ANY(CAST(:accounts AS varchar[])) "
    "AND member = :id ORDER BY account FOR UPDATE) "  # in the order of models.fence: no deadlock
    "UPDATE accountlease a SET member = NULL FROM mine WHERE a.account = mine.account"
)
_FORGET = text(
    f"DELETE FROM accountlease l WHERE l.account = :account AND {_ORPHAN} "
    "AND NOT EXISTS (SELECT 1 FROM storedassistant s WHERE s.account = l.account)"  # it was added again
)
_VERSIONS = text("SELECT kind, version FROM sharedversion")


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member as seen by the others. `held`: number of its accounts; `is_late`: its heartbeat is overdue."""

    id: str
    advertise: str
    capacity: int
    version: str
    draining: bool  # it starts or is about to stop
    held: int
    is_late: bool = False

    @property
    def takes_accounts(self) -> bool:
        """Whether it takes accounts without a holder."""
        return not self.draining and not self.is_late


@dataclass(frozen=True, slots=True)
class View:
    """A snapshot of the cluster. `orphans`: number of accounts without a holder."""

    members: Sequence[MemberView]
    accounts: int
    orphans: int
    jobs_free: bool  # no process holds the lease of the jobs that run in a single process

    def fair_share(self, member: str) -> int:
        """Return a member's fair number of accounts by its share of the capacity, rounded up."""
        capacities = {member.id: member.capacity for member in self.members if member.takes_accounts}
        if member not in capacities:
            return 0
        share = -(-self.accounts * capacities[member] // sum(capacities.values()))
        return min(share, capacities[member])

    @property
    def is_uneven(self) -> bool:
        """Whether any member has fewer accounts than its share."""
        return any(member.held < self.fair_share(member.id) for member in self.members)


class Leases:
    """Reads and writes the leases, from one thread. After a driver error the next call opens a new connection.

    Another member whose last heartbeat is more than `late` seconds old is counted as one that takes no accounts.
    """

    def __init__(
        self, url: str, member: str, advertise: str, capacity: int, version: str, late_seconds: float = math.inf
    ) -> None:
        parsed = parse(url)
        options = f"{parsed.query.get('options', '')} {OPTIONS}".strip()  # the URL may choose a schema by search_path
        settings = with_keepalives(parsed) | {"options": options, "connect_timeout": CONNECT_SECONDS}
        self._engine = create_engine(
            parsed, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=settings, hide_parameters=True
        )
        event.listen(self._engine, "handle_error", leave_read_only_server)
        self._connection: Connection | None = None
        self._driver: psycopg.Connection | None = None  # the connection of psycopg, for `abort`
        self.server_time = 0.0  # PostgreSQL's clock at the last heartbeat
        self.installation = ""  # shared by the members; known once this process has joined
        self._values = {"advertise": advertise, "capacity": capacity, "version": version}
        self.member = member
        self._late = late_seconds

    # ---- membership ----

    def join(self, *, starting: bool = False) -> str:
        """Join the cluster; return the secret shared by its members. `starting`: it takes no accounts until `begin`."""
        self._run(_JOIN, id=self.member, starting=starting, **self._values)
        fresh = {"key": SECRET, "value": secrets.token_urlsafe(32)}
        self._run(text("INSERT INTO setting (key, value) VALUES (:key, :value) ON CONFLICT DO NOTHING"), **fresh)
        self.register_accounts([GLOBAL])
        secret = str(self._run(text("SELECT value FROM setting WHERE key = :key"), key=SECRET)[0][0])
        self.installation = blake2b(secret.encode(), digest_size=6).hexdigest()
        return secret

    def renew(self) -> dict[str, int]:
        """Renew the leases; return the epochs of the accounts held. Raises Fenced if the member's row is gone."""
        row = self._run(_RENEW, id=self.member)
        if not row:
            raise Fenced(self.member)
        self.server_time = float(row[0][0])
        return {row.account: row.epoch for row in self._run(_HELD, id=self.member)}

    def begin(self) -> None:
        """Begin to take accounts; until now the others took the share of this member."""
        self._run(text("UPDATE member SET draining = false WHERE id = :id"), id=self.member)

    def drain(self) -> None:
        """Stop taking accounts."""
        self._run(text("UPDATE member SET draining = true WHERE id = :id"), id=self.member)

    def leave(self) -> None:
        """Leave the cluster; the accounts still held are free at once."""
        self._run(text("DELETE FROM member WHERE id = :id"), id=self.member)
        self.notify({"free": 1})

    def remove_dead(self, lease_seconds: float) -> list[str]:
        """Remove the members without a heartbeat for one lease, freeing their accounts; return their ids.

        If a transaction still locks a member's row, its sessions are terminated and it is removed the next
        time.
        """
        for row in self._run(_SILENT, id=self.member, seconds=lease_seconds):
            self._run(_END_SESSIONS, name=session_name(row.id))
        return [row.id for row in self._run(_REMOVE_DEAD, id=self.member, seconds=lease_seconds)]

    # ---- accounts ----

    def register_accounts(self, accounts: Collection[str]) -> None:
        """Insert a row for each of these accounts, continuing the epoch of a single process."""
        self._run(_KNOWN, accounts=list(accounts))

    def forget(self, account: str) -> None:
        """Delete the row of a removed account, unless a member still serves it."""
        self._run(_FORGET, account=account)

    def view(self, servable: Collection[str]) -> View:
        """Return a snapshot of the cluster. `servable`: the accounts that can be served here."""
        members = [MemberView(**row._mapping) for row in self._run(_MEMBERS, id=self.member, late=self._late)]
        ((accounts, orphans, jobs),) = self._run(_COUNT, known=list(servable))
        return View(members, accounts, orphans, bool(jobs))

    def claim(self, servable: Collection[str], limit: int) -> dict[str, int]:
        """Take up to this many free accounts; return their epochs. A member that was removed gets none."""
        if limit <= 0 or not servable:
            return {}
        rows = self._run(_CLAIM, id=self.member, known=list(servable), most=limit)
        return {row.account: row.epoch for row in rows}

    def release(self, accounts: Collection[str]) -> None:
        """Release accounts."""
        self._run(_RELEASE, accounts=list(accounts), id=self.member)

    # ---- changes ----

    def versions(self) -> dict[str, int]:
        """Return the version of each kind of shared data."""
        return {row.kind: row.version for row in self._run(_VERSIONS)}

    def notify(self, news: dict[str, Any]) -> None:
        """Send a NOTIFY to all processes. The channel is that of the whole database, whatever the schema."""
        sender = {"from": self.member} | ({"of": self.installation} if self.installation else {})
        payload = json.dumps(sender | news, ensure_ascii=False, separators=(",", ":"))
        self._run(text("SELECT pg_notify(:channel, :payload)"), channel=CHANNEL, payload=payload)

    # ---- the connection ----

    def abort(self) -> None:
        """Break the connection, from any thread, so that a call that waits for PostgreSQL fails at once."""
        driver = self._driver
        if driver is None or driver.closed:
            return
        import psycopg  # 5 MB, which SQLite does not need

        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(driver.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)  # an error means that it was closed concurrently

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            connection.close()
        self._engine.dispose()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.invalidated or self._connection.closed:
            self._connection = self._engine.connect()
            self._driver = self._connection.connection.driver_connection
        return self._connection

    def _run(self, statement: Any, **values: Any) -> Sequence[Any]:
        connection = self._connected()
        try:
            result = connection.execute(statement, values)
            return result.all() if result.returns_rows else ()
        except Exception:
            self._connection = self._driver = None
            connection.invalidate()
            connection.close()
            raise
