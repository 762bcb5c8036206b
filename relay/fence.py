"""Who may call: one client at a time holds the event stream, and the one with the highest epoch wins."""

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
    """What a client of an older epoch is told."""
    return GRPCError(Status.FAILED_PRECONDITION, f"{TAKEN_OVER}: {epoch}")


class Fence:
    """The epochs of one relay's clients. A client that tells none is below every one that does."""

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
        """Whether a client has the event stream."""
        return self._holder is not None

    async def admit(self, epoch: int | None) -> None:
        """Refuse an older epoch; a newer one ends every call of the older ones."""
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
            log.error("epoch %d could not be stored: a restart of the relay forgets it", epoch)  # noqa: TRY400

    @contextmanager
    def running(self, epoch: int | None) -> Iterator[None]:
        """A call, from its admission to its end; GRPCError when a newer epoch ended it."""
        task = asyncio.current_task()
        assert task is not None
        self._calls[task] = epoch
        try:
            yield
        except asyncio.CancelledError:
            if task in self._calls:  # the client itself, or the relay's stop, ended it
                raise
            task.uncancel()
            raise refused(self.epoch) from None
        finally:
            self._calls.pop(task, None)

    def hold(self, epoch: int | None) -> None:
        """The running task takes the event stream. ALREADY_EXISTS when one holds it that this epoch does not
        replace; the same epoch again is the same client, whose old connection is gone."""
        if self._holder is not None:
            if epoch is None:
                raise GRPCError(Status.ALREADY_EXISTS, "another client holds the event stream")
            self._end(self._holder)
        self._holder = asyncio.current_task()

    def release(self) -> None:
        """The running task lets go of the event stream."""
        if self._holder is asyncio.current_task():
            self._holder = None

    def end_stream(self) -> None:
        """End the event stream, as its client asked."""
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
