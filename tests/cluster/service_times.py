"""Measures how long accounts are without service after the process that held them was killed, frozen or cut off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import aiohttp
import psycopg

from tests.cluster.processes import Member, percentile
from tests.waiting import SECONDS, until

POLL_SECONDS: Final = 0.2
# By the tables, not by what the processes say: one that has just been thawed still believes to hold its accounts.
HOLDERS: Final = (
    "SELECT l.account, m.id, m.advertise, m.seen FROM accountlease l JOIN member m ON m.id = l.member "
    "WHERE l.account <> ''"
)
# Sessions of a process that wait for its next statement within a transaction.
IN_TRANSACTION: Final = (
    "SELECT count(*) FROM pg_stat_activity a JOIN member m ON a.application_name = 'wxbot-' || m.id "
    "WHERE m.advertise = %s AND a.state LIKE 'idle in transaction%%'"
)


@dataclass(slots=True)
class Outage:
    """An account without service. Times are those of time.monotonic(), 0 if not yet."""

    account: str
    cause: str
    holder: str  # id of the member that was lost
    renewed: Any  # when the lease was last renewed, by PostgreSQL's clock
    lost: float
    first_lost: float  # differs from `lost` if a holder was lost again before it served the account
    claimed: float = 0.0  # another member has the lease
    served: float = 0.0

    @property
    def seconds(self) -> float:
        """From the loss of its holder until it was served again."""
        return self.served - self.lost

    def __str__(self) -> str:
        at = datetime.fromtimestamp(time.time() - time.monotonic() + self.lost).astimezone()
        claimed = f"claimed after {self.claimed - self.lost:.2f} s" if self.claimed else "kept by its holder"
        return f"{at:%H:%M:%S} {self.account} {self.cause}, {claimed}, served after {self.seconds:.2f} s"


class ServiceTimes:
    """Polls who serves each account. Begun and ended by `async with`."""

    def __init__(self, database: str, accounts: Collection[str], members: Sequence[Member], lease: float) -> None:
        self.ended: list[Outage] = []
        self.without_gateway: set[str] = set()  # accounts whose gateway is cut off, which nobody can serve
        self.answering: dict[str, float] = {}  # process -> since when it has answered each poll
        self._database = database
        self._accounts = accounts
        self._members = members
        self._lease = lease
        self._open: dict[str, Outage] = {}
        self._served: set[str] = set()
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._http: aiohttp.ClientSession
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> ServiceTimes:
        self._http = aiohttp.ClientSession()
        self._task = asyncio.create_task(self._poll_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._http.close()
        if self._connection is not None:
            await self._connection.close()

    # ---- losses ----

    async def lost(self, member: Member, cause: str, at: float) -> None:
        """Record that a process has failed at a time: the accounts of its leases are without service."""
        for account, holder, address, renewed in await self._rows(HOLDERS):
            known = self._open.get(account)
            if address != member.url or (known is not None and (known.holder, known.renewed) == (holder, renewed)):
                continue
            self._open[account] = Outage(account, cause, holder, renewed, at, known.first_lost if known else at)

    async def is_in_transaction(self, member: Member) -> bool:
        """Whether a session of a process is within a transaction."""
        return bool((await self._rows(IN_TRANSACTION, member.url))[0][0])

    def may_fail(self, member: Member) -> bool:
        """Whether a process answers, as do all others but one, and one of them can take over its accounts."""
        if not member.is_up or member.name not in self.answering:
            return False
        others = [self.answering[m.name] for m in self._members if m is not member and m.name in self.answering]
        # A process takes over nothing in its first lease.
        return len(others) >= max(1, len(self._members) - 2) and min(others) < time.monotonic() - 1.1 * self._lease

    async def settled(self, seconds: float = SECONDS) -> None:
        """Wait until every process answers and every account is served."""
        await until(self._is_settled, self._describe, seconds)

    def _is_settled(self) -> bool:
        missing = set(self._accounts) - self._served - self.without_gateway
        return not missing and not self._open and len(self.answering) == len(self._members)

    def _describe(self) -> str:
        silent = [member for member in self._members if member.name not in self.answering]
        logs = "\n".join(f"--- {member.name}\n{member.log()[-1500:]}" for member in silent)
        missing = sorted(set(self._accounts) - self._served)
        return f"all are served; not {missing[:20]}, {list(self._open.values())[:3]}, silent: {silent}\n{logs}"

    # ---- polling ----

    async def _poll_forever(self) -> None:
        while True:
            began = time.monotonic()
            with suppress(psycopg.Error):  # such as while PostgreSQL restarts
                await self._poll()
            await asyncio.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - began)))

    async def _poll(self) -> None:
        up = [member for member in self._members if member.is_up]
        answers = dict(zip(up, await asyncio.gather(*(m.states(self._http) for m in up)), strict=True))
        now = time.monotonic()
        self.answering = {m.name: self.answering.get(m.name, now) for m, a in answers.items() if a is not None}
        online = {m.url: {a for a, s in (answers[m] or {}).items() if s == "online"} for m in up}
        rows = await self._rows(HOLDERS)
        self._served = {account for account, _, address, _ in rows if account in online.get(address, ())}
        for account, holder, _, _ in rows:
            outage = self._open.get(account)
            if outage is None or now < outage.lost:
                continue
            if holder != outage.holder:
                outage.claimed = outage.claimed or now
            # The holder itself serves it again if it was frozen for less than a lease.
            if account in self._served:
                outage.served = now
                self.ended.append(self._open.pop(account))
        for account in self._open.keys() & self.without_gateway:
            del self._open[account]

    async def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self._database, autocommit=True)
        cursor = await self._connection.execute(query, values or None)
        return list(await cursor.fetchall())


def _figures(values: Iterable[float]) -> str:
    ordered = sorted(values)
    return " / ".join(f"{percentile(ordered, part):.2f}" for part in (0.5, 0.99, 1.0)) if ordered else "-"


def summary(ended: Sequence[Outage]) -> str:
    """Describe outages: time to service, its parts, and the slowest ones."""
    moved = [move for move in ended if move.claimed]
    slowest = "".join(f"\n  {move}" for move in sorted(ended, key=lambda move: -move.seconds)[:5])
    return (
        f"served again after p50/p99/max {_figures(move.seconds for move in ended)} s ({len(ended)} accounts); "
        f"until claimed {_figures(move.claimed - move.lost for move in moved)} s, "
        f"from then until served {_figures(move.served - move.claimed for move in moved)} s; "
        f"without service when the next holder failed, too: {_figures(m.served - m.first_lost for m in ended)} s"
        f"{slowest}"
    )
