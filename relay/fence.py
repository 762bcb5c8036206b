"""Fencing of clients: one at a time holds the event stream, the one with the highest epoch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from protocol.relaying import TAKEN_OVER
from relay.journal import Journal, JournalError

log = logging.getLogger(__name__)


def refused(epoch: int) -> GRPCError:
    """Return the error for a client with an older epoch."""
    return GRPCError(Status.FAILED_PRECONDITION, f"{TAKEN_OVER}: {epoch}")


class Fence:
    """The epochs of a relay's clients. Clients without an epoch rank below all others."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._calls: dict[asyncio.Task[None], int | None] = {}
        self._holder: asyncio.Task[None] | None = None

    @property
    def epoch(self) -> int:
        """The highest epoch so far."""
        return self._journal.epoch

    @property
    def is_held(self) -> bool:
        """Whether a client holds the event stream."""
        return self._holder is not None

    async def admit(self, epoch: int | None) -> None:
        """Admit a call: raise for an older epoch; a newer one ends all calls of older ones."""
        if epoch is None or epoch == self.epoch:
            return
        if epoch < self.epoch:
            raise refused(self.epoch)
        log.info("epoch %d takes over", epoch)
        try:
            self._journal.epoch = epoch
            self._end_older(epoch)
            await self._journal.raise_epoch(epoch)
        except JournalError:
            log.error("could not store epoch %d; it is lost when the relay restarts", epoch)  # noqa: TRY400

    @contextmanager
    def running(self, epoch: int | None) -> Iterator[None]:
        """Register a call while it runs; raise GRPCError if a newer epoch ended it."""
        task = asyncio.current_task()
        assert task is not None
        self._calls[task] = epoch
        try:
            yield
        except asyncio.CancelledError:
            if task in self._calls:  # cancelled by the client or the relay's stop
                raise
            task.uncancel()
            raise refused(self.epoch) from None
        finally:
            self._calls.pop(task, None)

    def hold(self, epoch: int | None) -> None:
        """Give the event stream to the current task.

        Raises ALREADY_EXISTS if it is held and the caller has no epoch. The same epoch means the same client after a
        reconnect.
        """
        if self._holder is not None:
            if epoch is None:
                raise GRPCError(Status.ALREADY_EXISTS, "another client holds the event stream")
            self._end(self._holder)
        self._holder = asyncio.current_task()

    def release(self) -> None:
        """Release the event stream if the current task holds it."""
        if self._holder is asyncio.current_task():
            self._holder = None

    def end_stream(self) -> None:
        """End the event stream at the client's request."""
        if self._holder is not None:
            self._end(self._holder)
            self._holder = None

    def _end_older(self, epoch: int) -> None:
        for task, of in list(self._calls.items()):
            if (of is not None and of < epoch) or task is self._holder:
                self._end(task)
        self._holder = None

    def _end(self, task: asyncio.Task[None]) -> None:
        self._calls.pop(task, None)
        task.cancel()
