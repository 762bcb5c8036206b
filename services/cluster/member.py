"""The membership of this process: heartbeat, taking and releasing accounts, and the local lease deadline."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from models.fence import Fenced
from services.clock import Clock
from services.cluster.leases import Leases, View
from services.work.ownership import GLOBAL

log = logging.getLogger(__name__)
T = TypeVar("T")
RENEWALS_PER_LEASE: Final = 10 / 3  # in the time of a lease: every 1.5 s with leases of 5 s
CHECKS_PER_LEASE: Final = 10.0  # checks for silent members and free accounts per lease duration
SAFETY: Final = 1.0  # seconds between the stop of this process and the start of others
MAX_RELEASED_AT_ONCE: Final = 5  # accounts given up per check, when another process has too few
SKEW: Final = 1.0  # seconds that this machine's clock may differ from PostgreSQL's without being corrected


def boot_time() -> float:
    """Return the seconds since boot, including time suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ClusterClock:
    """This machine's clock, corrected by PostgreSQL's: the processes share times, such as when a job is to run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.offset = 0.0  # seconds

    def __call__(self) -> float:  # noqa: D102 - a services.clock.Clock
        return self._clock() + self.offset

    def compare(self, server_time: float) -> None:
        """Correct this clock if it is wrong. `server_time`: PostgreSQL's, of this moment."""
        offset = server_time - self._clock()
        if abs(offset - self.offset) > SKEW:
            self.offset = offset if abs(offset) > SKEW else 0.0
            log.warning("the clock of this machine differs from PostgreSQL's by %.1f s, which is corrected", offset)


class ClusterMember:
    """Tracks the accounts held. `changed` is awaited whenever they change."""

    def __init__(self, leases: Leases, clock: ClusterClock, capacity: int, lease_seconds: float) -> None:
        self._leases = leases
        self._clock = clock
        self._capacity = capacity
        self._lease_seconds = lease_seconds
        self._thread = ThreadPoolExecutor(1, "cluster")
        self._deadline = 0.0  # on the clock of boot_time
        self._renewing_since: float | None = None
        self._next_renewal = 0.0
        self._wake = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None  # heartbeats until `run` sends them
        self.held: dict[str, int] = {}  # account -> epoch
        self.view = View((), 0, 0, jobs_free=False)
        self._takes_part = False  # whether accounts are taken here
        self.draining = False
        self.fenced = False
        self.takeovers = 0  # members that were found silent and removed by this one

    @property
    def id(self) -> str:
        """The id of this member."""
        return self._leases.member

    def valid(self) -> bool:
        """Whether the local lease deadline has not passed."""
        return boot_time() < self._deadline

    def seconds_left(self) -> float:
        """Seconds until the local lease deadline."""
        return max(0.0, self._deadline - boot_time())

    @property
    def has_others(self) -> bool:
        """Whether another process can take accounts of this one."""
        return not self.fenced and any(member.id != self.id and member.takes_accounts for member in self.view.members)

    def lease_age(self) -> float:
        """Seconds since the last renewal began."""
        return max(0.0, boot_time() - (self._deadline - self._lease_seconds + SAFETY)) if self._deadline else 0.0

    async def call(self, fn: Callable[..., T], *args: Any) -> T:
        """Run a call of Leases on its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(fn, *args))

    def wake(self) -> None:
        """Check now instead of at the next heartbeat."""
        self._wake.set()

    async def join(self) -> str:
        """Join the cluster; return its secret. Heartbeats begin: what is loaded until `run` may take longer than a
        lease. Meanwhile accounts without a holder are left to the others.
        """
        started = boot_time()
        secret = await self.call(partial(self._leases.join, starting=True))
        await self.call(self._leases.renew)
        self._clock.compare(self._leases.server_time)
        self._renewed(started)
        self._starting = asyncio.create_task(self._stay_alive())
        return secret

    async def run(self, servable: Callable[[], Collection[str]], changed: Callable[[], Awaitable[None]]) -> None:
        """Send heartbeats and take accounts until cancelled or fenced.

        `servable`: the accounts that can be served here.
        """
        await self._end_start()
        pause = self._lease_seconds / CHECKS_PER_LEASE
        while True:
            before = dict(self.held) if self.valid() else {}
            try:
                async with asyncio.timeout(self._lease_seconds - SAFETY):
                    await self._run_once(servable())
            except Fenced:
                self._lost("this process was taken for dead; others serve its accounts")
                self.fenced = True
            except (SQLAlchemyError, TimeoutError) as error:
                self._leases.abort()  # without waiting for a hanging connection
                self._renewing_since = None
                log.warning("the leases could not be renewed: %s", type(error).__name__)
            is_expired = bool(self.held) and not self.valid() and not self.fenced
            if is_expired:
                self._lost("the leases have run out: the database was not reached in time")
            if self.held != before or is_expired or self.fenced:
                await changed()
            if self.fenced:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()

    async def release(self, accounts: Collection[str]) -> None:
        """Release accounts that have been stopped."""
        await self.call(self._leases.release, accounts)
        for account in accounts:
            self.held.pop(account, None)  # not before: a running heartbeat still needs it

    async def drain(self) -> None:
        """Stop taking accounts."""
        self.draining = True
        await self.call(self._leases.drain)

    async def leave(self) -> None:
        """Leave the cluster. Nothing may be written afterwards."""
        await self._end_start()
        self.held, self._deadline = {}, 0.0
        try:
            async with asyncio.timeout(SAFETY):
                await self.call(self._leases.leave)
        except (SQLAlchemyError, TimeoutError) as error:
            log.warning("could not leave the cluster: %s", type(error).__name__)

    async def close(self) -> None:
        """Close the connection."""
        await self._end_start()
        try:
            async with asyncio.timeout(SAFETY):
                await self.call(self._leases.close)
        except (SQLAlchemyError, TimeoutError) as error:
            log.warning("could not close the connection of the leases: %s", type(error).__name__)
        self._thread.shutdown(wait=False)

    # ---- one turn ----

    async def _stay_alive(self) -> None:
        """Send heartbeats without taking accounts."""
        while True:
            await asyncio.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            try:
                await self._renew()
            except Fenced:  # the next write finds out whether it is still a member
                return
            except SQLAlchemyError as error:
                log.warning("the membership could not be renewed: %s", type(error).__name__)

    async def _end_start(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
            self._starting = None

    async def _renew(self) -> None:
        started = boot_time()
        self.held = await self.call(self._leases.renew)
        self._clock.compare(self._leases.server_time)
        self._renewed(started)

    async def _run_once(self, servable: Collection[str]) -> None:
        if boot_time() >= self._next_renewal:
            await self._renew()
        if self._renewing_since is not None and boot_time() - self._renewing_since >= self._lease_seconds:
            await self._remove_dead()
        if not self._takes_part and not self.draining:
            await self.call(self._leases.begin)
            self._takes_part = True
        self.view = await self.call(self._leases.view, servable)
        await self._take(servable)

    def _renewed(self, started: float) -> None:
        self._deadline = started + self._lease_seconds - SAFETY
        self._next_renewal = started + self._lease_seconds / RENEWALS_PER_LEASE
        if self._renewing_since is None:
            self._renewing_since = started

    async def _remove_dead(self) -> None:
        """Remove silent members.

        A member that was cut off removes no others until it has sent heartbeats for a whole lease: after
        a restart of PostgreSQL all members look silent.
        """
        removed = await self.call(self._leases.remove_dead, self._lease_seconds)
        self.takeovers += len(removed)
        for member in removed:
            log.warning("member %s was silent for %.1f s: its accounts are free", member, self._lease_seconds)
        if removed:
            await self.call(self._leases.notify, {"free": 1})  # the others take their share immediately

    async def _take(self, servable: Collection[str]) -> None:
        if self.draining:
            return
        if self.view.jobs_free:
            self.held |= await self.call(self._leases.claim, [GLOBAL], 1)
        held_count = len(self.held.keys() - {GLOBAL})
        count = min(self.view.orphans, self.view.fair_share(self.id) - held_count, self._capacity - held_count)
        if count > 0:
            self.held |= await self.call(self._leases.claim, servable, count)

    def surplus(self) -> list[str]:
        """Return the accounts to release now, because this process has more than its share and another one has far
        less.
        """
        view = self.view
        own_accounts = sorted(self.held.keys() - {GLOBAL})
        too_many = len(own_accounts) - view.fair_share(self.id)
        if self.draining or too_many <= 0 or view.orphans or not view.is_uneven:
            return []
        return own_accounts[-min(too_many, MAX_RELEASED_AT_ONCE) :]

    def _lost(self, reason: str) -> None:
        log.error("%s", reason)
        self.held, self._deadline = {}, 0.0
