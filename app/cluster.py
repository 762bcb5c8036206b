"""Serves the accounts that this process holds a lease on: starts and stops them as leases are taken and released."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

from sqlmodel import Session

from app.account_parts import forget_account, load_accounts, stop_account
from app.assistants import Assistants
from app.container import Container
from app.shared_data import SharedData
from config.settings import AssistantSettings
from jobs.scheduler import Jobs
from models.db import is_away
from services.cluster.notifications import ClusterNotifications
from services.cluster.parts import Cause, ClusterParts
from services.work.key_batcher import KeyBatcher
from services.work.ownership import GLOBAL

log = logging.getLogger(__name__)
MAX_STARTED_AT_ONCE: Final = 100
COMPARE_PAUSE: Final = 0.02  # seconds between two comparisons of the leases with the accounts served
# A process that stops releases an account every DRAIN_INTERVAL, so that the others can start it at once, but all of
# them within DRAIN_SECONDS.
DRAIN_INTERVAL: Final = 0.1
DRAIN_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 1.0  # seconds until an account that could not be taken is tried again
LOSS_GRACE: Final = 0.2  # seconds that running work may still take after the leases were lost
BALANCE_GRACE: Final = 5.0  # seconds that running work may take when an account moves to another process
MIN_GRACE: Final = 0.1


class Cluster:
    """One process of a cluster. `start_again` is called when it must become a new member: the other processes have
    declared this one dead, or a part of it has failed.
    """

    def __init__(
        self,
        container: Container,
        parts: ClusterParts,
        assistants: Assistants,
        jobs: Jobs,
        grace: Callable[[], float],
        start_again: Callable[[], object],
    ) -> None:
        self._container = container
        self._parts = parts
        self._member = parts.member
        self._assistants = assistants
        self._jobs = jobs
        self._grace = grace
        self._start_again = start_again
        shared = SharedData(container, self._refresh_accounts)
        self.news = ClusterNotifications(container.config.database, parts, container.changes, shared.reload)
        self._known: dict[str, AssistantSettings] = {}
        self.serving: dict[str, int] = {}  # account -> epoch
        self._applied: dict[str, AssistantSettings] = {}  # of the accounts served
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._taking = asyncio.Semaphore(MAX_STARTED_AT_ONCE)
        self._load, self._release = KeyBatcher(self._load_accounts), KeyBatcher(self._release_accounts)
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._draining = False

    # ---- life ----

    async def begin(self) -> None:
        """Record the versions of the shared data, before it is loaded."""
        await self.news.begin()

    async def start(self) -> None:
        """Start to take accounts."""
        await self._refresh_accounts()
        loops = (
            self._member.run(self._known_accounts, self._changed),
            self._follow(),
            self.news.publish_forever(),
            self.news.listen_forever(),
            self.news.poll_forever(),
        )
        self._tasks = [asyncio.create_task(self._supervise(loop)) for loop in loops]

    async def _supervise(self, loop: Coroutine[Any, Any, None]) -> None:
        try:
            await loop
        except Exception:  # otherwise the process would stay a member but do only part of its work
            log.exception("a task of the cluster member failed")
            self._start_again()

    async def drain(self) -> None:
        """Release all accounts one by one, after finishing running work."""
        self._draining = True
        if not self._member.fenced:
            await self._announce_draining()
        # Accounts that are being taken are released completely.
        await asyncio.gather(*self._busy.values(), return_exceptions=True)
        started, accounts = time.monotonic(), list(self.serving)
        moves = [
            asyncio.create_task(self._release(account)) for account in self._member.held if account not in accounts
        ]
        interval = min(DRAIN_INTERVAL, DRAIN_SECONDS / len(accounts)) if accounts and self._member.has_others else 0.0
        for number, account in enumerate(accounts, 1):
            moves.append(asyncio.create_task(self._hand_over(account, Cause.DRAIN)))
            await asyncio.sleep(max(0.0, started + number * interval - time.monotonic()))
        for outcome in await asyncio.gather(*moves, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("an account could not be handed over", exc_info=outcome)

    async def _announce_draining(self) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._member.drain()
        except Exception as error:  # noqa: BLE001 - the accounts are given up anyway
            log.warning("could not announce the stop to the other processes: %s", type(error).__name__)

    async def stop(self) -> None:
        """Stop the heartbeat."""
        for task in (*self._tasks, *self._busy.values()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._busy.values(), return_exceptions=True)

    # ---- following the leases ----

    def _known_accounts(self) -> Collection[str]:
        return self._known.keys()

    async def _changed(self) -> None:
        self._wake.set()

    async def _follow(self) -> None:
        while True:
            # Once the leases have run out, others may begin a second later: the gateways must be free by then.
            seconds_left = self._member.seconds_left()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(seconds_left, RETRY_SECONDS) if seconds_left else RETRY_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            if self._member.fenced:
                self._start_again()
            self._compare()
            await asyncio.sleep(COMPARE_PAUSE)

    def _compare(self) -> None:
        held = dict(self._member.held) if self._member.valid() else {}
        for account, epoch in self.serving.items():
            if held.get(account) != epoch:
                self._assistants.disconnect(account)  # at once, even during another change of the account
                self._move(account, self._stop_lost(account))
        if self._draining:
            return
        for account, epoch in held.items():
            if account not in self.serving and (account in self._known or account == GLOBAL):
                self._move(account, self._take(account, epoch))
        for account in self.serving.keys() - self._known.keys() - {GLOBAL}:
            self._move(account, self._hand_over(account, Cause.REMOVED))
        for account, settings in self._applied.items():
            if self._known.get(account) != settings:
                self._move(account, self._drop_changed(account))
        for account in self._member.surplus():
            if account in self.serving:
                self._move(account, self._hand_over(account, Cause.BALANCE))

    def _move(self, account: str, work: Coroutine[Any, Any, None]) -> None:
        """Start or stop an account, one change at a time, and check again afterwards."""
        if account in self._busy:
            work.close()
            return
        task = self._busy[account] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._moved(account, done))

    def _moved(self, account: str, done: asyncio.Task[None]) -> None:
        del self._busy[account]
        if not done.cancelled() and done.exception() is not None:
            log.error("account %s could not be moved", account, exc_info=done.exception())
        self._wake.set()

    # ---- moving ----

    async def _take(self, account: str, epoch: int) -> None:
        async with self._taking:
            started = time.monotonic()
            self._parts.ownership.take(account)
            self.serving[account] = epoch
            try:
                if account == GLOBAL:
                    await self._container.outbox.load([GLOBAL])
                else:
                    self._applied[account] = settings = self._known[account]
                    await self._load(account)
                    if self._member.held.get(account) != epoch:  # the lease ended meanwhile
                        await self._drop(account, LOSS_GRACE)
                        return
                    await self._assistants.start(settings, epoch)
            except Exception as error:  # the lease is kept, and the start is retried
                trace = None if is_away(error) else error
                log.error(  # noqa: TRY400 - without a traceback while the database is away
                    "account %s cannot be served yet: %s", account, type(error).__name__, exc_info=trace
                )
                await self._drop(account, LOSS_GRACE)
                await asyncio.sleep(RETRY_SECONDS)
                return
            self._log_change(account, Cause.TAKEN, epoch, started)
            self._jobs.account_taken()

    async def _stop_lost(self, account: str) -> None:
        started, epoch = time.monotonic(), self.serving.get(account, 0)
        await self._drop(account, LOSS_GRACE)
        self._log_change(account, Cause.LOST, epoch, started)

    async def _drop_changed(self, account: str) -> None:
        """Stop an account, which is taken again with its new settings."""
        started, epoch = time.monotonic(), self.serving[account]
        await self._drop(account, BALANCE_GRACE)
        self._log_change(account, Cause.CHANGED, epoch, started)

    async def _hand_over(self, account: str, cause: Cause) -> None:
        if account not in self.serving:
            return
        started, epoch = time.monotonic(), self.serving[account]
        await self._drop(account, self._grace() if cause is Cause.DRAIN else BALANCE_GRACE)
        await self._release(account)
        if cause is Cause.REMOVED:
            await self._member.call(self._parts.leases.forget, account)
        self._log_change(account, cause, epoch, started)

    async def _drop(self, account: str, grace: float) -> None:
        self._parts.ownership.drop(account)
        until = time.monotonic() + grace
        await stop_account(self._container, account, grace)
        if account in self._assistants.accounts:
            await self._assistants.stop(account, max(MIN_GRACE, until - time.monotonic()))
        forget_account(self._container, account)
        self._applied.pop(account, None)
        self.serving.pop(account, None)

    async def _load_accounts(self, accounts: Sequence[str]) -> None:
        await load_accounts(self._container, [self._known[account] for account in accounts])

    async def _release_accounts(self, accounts: Sequence[str]) -> None:
        await self._container.store.write(_no_write)  # all that was queued before it is committed now
        await self._container.outbox.results.write_now()  # otherwise the next holder would repeat deliveries
        await self._member.release(accounts)
        self._parts.pending_notifications.account_released()

    def _log_change(self, account: str, cause: Cause, epoch: int, started: float) -> None:
        self._parts.moves[cause] += 1
        elapsed = (time.monotonic() - started) * 1000
        log.info("account %s %s, epoch %d, %.0f ms", account or "(jobs)", cause, epoch, elapsed)

    async def _refresh_accounts(self) -> None:
        """Reload the list of assistants; those whose settings changed are started again."""
        stored = await self._container.stored_assistants.load()
        configured = {assistant.account: assistant for assistant in self._container.config.assistants}
        accounts = {assistant.account: assistant for assistant in stored} | configured
        self._known = accounts
        await self._member.call(self._parts.leases.register_accounts, list(accounts))
        self._member.wake()
        self._wake.set()


def _no_write(_session: Session) -> None:
    """Do nothing: a write that waits for the writes before it."""
