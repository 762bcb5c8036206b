"""Fencing of clients: one at a time holds the event stream, the one with the highest epoch."""

from __future__ import annotations

import asyncio
import logging

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from protocol.relaying import TAKEN_OVER
from relay.call import Call
from relay.journal import Journal
from relay.journal_tables import Fact

log = logging.getLogger(__name__)


class Fence:
    """The epochs of a relay's clients. Clients without an epoch rank below all others."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._calls: dict[Call, int | None] = {}  # calls that have not ended
        self._holder: Call | None = None
        self._storing: asyncio.Future[None] | None = None  # done once the highest epoch is on disk

    @property
    def epoch(self) -> int:
        """The highest epoch so far."""
        return self._journal.epoch

    @property
    def is_held(self) -> bool:
        """Whether a client holds the event stream."""
        return self._holder is not None

    @property
    def holder(self) -> Call | None:
        """The call of the client that holds the event stream, if any."""
        return self._holder

    def register(self, call: Call, epoch: int | None) -> asyncio.Future[None] | None:
        """Register a call; refuse an older epoch (GRPCError). A newer one ends all calls of older ones.

        A call must wait for the returned future, if there is one: until its epoch is stored.
        """
        if epoch is not None and epoch < self.epoch:
            raise self._refused()
        if epoch is not None and epoch > self.epoch:
            log.info("epoch %d takes over", epoch)
            self._journal.epoch = epoch
            self._end_older(epoch)
            self._storing = self._journal.remember(Fact.EPOCH, epoch)
            self._storing.add_done_callback(self._report)
        self._calls[call] = epoch
        return None if epoch is None or self._storing is None or self._storing.done() else self._storing

    def take_stream(self, call: Call) -> None:
        """Give the event stream to a call.

        Raises ALREADY_EXISTS if another client has it whose epoch is not older. The same epoch is the same client,
        whose previous connection is lost.
        """
        if self._holder is not None:
            if self._calls.get(call) is None:
                raise GRPCError(Status.ALREADY_EXISTS, "another client holds the event stream")
            self._holder.reject(self._refused())
        self._holder = call

    def end_stream(self) -> None:
        """End the event stream at the client's request."""
        if self._holder is not None:
            self._holder.finish(Status.OK)

    def ended(self, call: Call) -> None:
        """Unregister a call that has ended."""
        self._calls.pop(call, None)
        if self._holder is call:
            self._holder = None

    def _end_older(self, epoch: int) -> None:
        for call, of in list(self._calls.items()):
            if (of is not None and of < epoch) or call is self._holder:
                call.reject(self._refused())

    def _refused(self) -> GRPCError:
        return GRPCError(Status.FAILED_PRECONDITION, f"{TAKEN_OVER}: {self.epoch}")

    @staticmethod
    def _report(stored: asyncio.Future[None]) -> None:
        if not stored.cancelled() and stored.exception() is not None:
            log.error("could not store the epoch; it is lost if the relay restarts")
