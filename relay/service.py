"""The puppet service of a relay for its clients."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from protocol import puppet_pb2 as pb
from protocol.relaying import ACKNOWLEDGED, EPOCH, JOURNAL, NO_GATEWAY, RESUME, Position, parse_epoch
from protocol.server import AUTHORITY, shows_token
from relay.feed import Feed
from relay.fence import Fence
from relay.journal import Journal
from relay.keeper import KEPT_CALLS, Keeper
from relay.stock import Delivered
from relay.upstream import Upstream
from relay.wire import LOST, UNARY_IN, pass_on, path_of, unpack

log = logging.getLogger(__name__)
EVENT: Final = path_of("Event")
STOP: Final = path_of("Stop")
READY_DELAY: Final = 0.1
OWN: Final = frozenset({"authorization", AUTHORITY, EPOCH, ACKNOWLEDGED, RESUME})
PAYLOAD_CALLS: Final = frozenset(
    path_of(name) for name in ("MessagePayload", "FriendshipPayload", "RoomInvitationPayload")
)


class RelayService:
    """Handles Event and Stop, some payloads from the journal, and forwards all other calls to the gateway."""

    def __init__(self, token: str, journal: Journal, feed: Feed, upstream: Upstream, keeper: Keeper) -> None:
        self._token = token
        self._journal = journal
        self._feed = feed
        self._upstream = upstream
        self._keeper = keeper
        self._delivered = Delivered(journal)
        self.fence = Fence(journal)
        self.calls = 0

    async def serve(self, north: Any) -> None:
        """Handle a call."""
        self.calls += 1
        if not shows_token(north.metadata, self._token):
            raise GRPCError(Status.UNAUTHENTICATED, "Invalid Wechaty TOKEN")
        epoch = self._epoch(north)
        await self.fence.admit(epoch)
        self._acknowledge(north)
        path = north._method_name
        with self.fence.running(epoch):
            if path == EVENT:
                await self._event(north, epoch)
            elif path == STOP:
                await self._stop(north)
            else:
                await self._call(north, path)

    def _epoch(self, north: Any) -> int | None:
        text = north.metadata.get(EPOCH)
        try:
            return None if text is None else parse_epoch(text)
        except ValueError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from None

    def _acknowledge(self, north: Any) -> None:
        position = Position.parse(north.metadata.get(ACKNOWLEDGED, ""))
        if position is not None and position.journal == self._journal.id:
            self._journal.take(position.number)

    # ---- event stream ----

    async def _event(self, north: Any, epoch: int | None) -> None:
        await north.recv_message()
        resume = north.metadata.get(RESUME)
        if self._upstream.channel is None:
            raise GRPCError(Status.UNAVAILABLE, NO_GATEWAY)
        self.fence.hold(epoch)
        knows = resume is not None
        try:
            await north.send_initial_metadata(metadata={JOURNAL: self._journal.id})
            for body in self._feed.standing.at_once():
                await north.send_message(body)
            if ready := self._feed.standing.after_a_moment():
                await asyncio.sleep(READY_DELAY)
                for body in ready:
                    await north.send_message(body)
            await self._follow(north, self._start(resume), knows)
        finally:
            self.fence.release()
            self._delivered.lost()

    def _start(self, resume: str | None) -> int:
        """Return the number after which to resume."""
        position = Position.parse(resume or "")
        if position is None or position.journal != self._journal.id:
            return self._journal.taken
        return min(position.number, self._journal.last)

    async def _follow(self, north: Any, after: int, knows: bool) -> None:
        async for number, _, body in self._feed.follow(after):
            if not number:
                await north.send_message(body)
                continue
            if knows:
                await north.send_message(body + pb.EventResponse(relay_number=number).SerializeToString())
            else:
                await north.send_message(body)
                self._delivered.sent(number, body)
            self._keeper.handed = number

    def settle(self) -> None:
        """Mark events as received that were sent a while ago to a client without acknowledgements."""
        self._delivered.settle()

    # ---- other calls ----

    async def _stop(self, north: Any) -> None:
        """End the client's stream. The gateway is not called, so that the account keeps receiving events."""
        await north.recv_message()
        self.fence.end_stream()
        await north.send_message(pb.Empty().SerializeToString())

    async def _call(self, north: Any, path: str) -> None:
        first = await north.recv_message() if path in UNARY_IN else None
        if first is not None and path in PAYLOAD_CALLS:
            self._delivered.asked(first)
        if first is not None and path in KEPT_CALLS and self._journal.answers:
            kept = await self._journal.answer(path, first)
            if kept is not None:
                for message in unpack(kept):
                    await north.send_message(message)
                return
        channel = self._upstream.channel
        if channel is None:
            raise GRPCError(Status.UNAVAILABLE, NO_GATEWAY)
        metadata = [(key, value) for key, value in north.metadata.items() if key not in OWN]
        metadata += self._upstream.metadata.items()
        try:
            await pass_on(north, first, path, channel, metadata)
        except LOST:
            raise GRPCError(Status.UNAVAILABLE, "the connection to the gateway was lost") from None
