"""Releases accounts in batches: those that become ready during a release are released together by the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlmodel import Session

from models.db import Store
from services.cluster.member import ClusterMember


class AccountReleases:
    """Releases the leases of accounts that were stopped. `released` is called after each release."""

    def __init__(self, store: Store, member: ClusterMember, released: Callable[[], None]) -> None:
        self._store = store
        self._member = member
        self._released = released
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def release(self, account: str) -> None:
        """Release an account once all writes queued so far are committed; raises what the database raises."""
        future = self._waiting[account] = asyncio.get_running_loop().create_future()
        if self._running is None:
            self._running = asyncio.create_task(self._release_all())
        await future

    async def _release_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                await self._release_batch(batch)
        finally:
            self._running = None

    async def _release_batch(self, batch: dict[str, asyncio.Future[None]]) -> None:
        try:
            await self._store.write(_no_write)
            await self._member.release(batch.keys())
        except Exception as error:  # noqa: BLE001 - raised in the callers
            for future in batch.values():
                if not future.done():
                    future.set_exception(error)
            return
        for future in batch.values():
            if not future.done():
                future.set_result(None)
        self._released()


def _no_write(_session: Session) -> None:
    """Do nothing: a write that is committed after those queued before it."""
