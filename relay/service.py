"""The puppet service of a relay for its clients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from protocol import puppet_pb2 as pb
from protocol.relaying import ACKNOWLEDGED, EPOCH, JOURNAL, NO_GATEWAY, RESUME, Position, parse_epoch
from protocol.server import AUTHORITY, has_token
from relay.call import Call
from relay.delivery_tracker import DeliveryTracker
from relay.feed import Feed, NumberedEvent
from relay.fence import Fence
from relay.headers import Headers
from relay.http2 import GatewayLost, TooManyCalls
from relay.journal import Journal
from relay.payload_keeper import KEPT_CALLS, PayloadKeeper
from relay.rpc import frame, path_of
from relay.streams import Stream
from relay.upstream import Upstream

log = logging.getLogger(__name__)
EVENT: Final = path_of("Event")
STOP: Final = path_of("Stop")
READY_DELAY: Final = 0.1  # seconds
PAYLOAD_CALLS: Final = frozenset(
    path_of(name) for name in ("MessagePayload", "FriendshipPayload", "RoomInvitationPayload")
)
READ_CALLS: Final = PAYLOAD_CALLS | KEPT_CALLS
NOT_GRPC: Final = Headers([(b":status", b"415")])
KNOWN_CLIENTS: Final = 256  # different headers of calls
MAX_EVENTS_PER_WRITE: Final = 20  # events in one write


class Client(NamedTuple):
    """The client's properties from the headers of a call."""

    epoch: int | None
    acknowledged: int  # it has stored all events up to this number


class RelayService:
    """Handles Event and Stop, some payloads from the journal, and forwards all other calls to the gateway."""

    def __init__(self, token: str, journal: Journal, feed: Feed, upstream: Upstream, keeper: PayloadKeeper) -> None:
        self._token = token
        self._journal = journal
        self._feed = feed
        self._upstream = upstream
        self._keeper = keeper
        self._delivered = DeliveryTracker(journal)
        self._tasks: dict[Call, asyncio.Task[None]] = {}
        self._client_of = lru_cache(KNOWN_CLIENTS)(self._read_client)
        self.fence = Fence(journal)
        self.calls = 0

    def accept(self, stream: Stream, headers: Headers) -> Call:
        """Handle a new call."""
        self.calls += 1
        call = Call(self, stream, headers)
        if not call.metadata.get("content-type", "").startswith("application/grpc"):
            stream.send_headers(NOT_GRPC, end=True)
            call.end()
            return call
        try:
            self._admit(call)
        except GRPCError as error:
            call.reject(error)
        return call

    def _admit(self, call: Call) -> None:
        client = self._client_of(call.headers)
        stored = self.fence.register(call, client.epoch)
        if client.acknowledged > self._journal.acknowledged:
            self._journal.acknowledge(client.acknowledged)
        if stored is None:
            self._route(call)
        else:
            stored.add_done_callback(lambda _: self._route(call))

    def _read_client(self, headers: Headers) -> Client:
        """Return who makes a call; raise GRPCError."""
        metadata = headers.metadata
        shown_metadata = {"authorization": metadata.get("authorization"), AUTHORITY: metadata.get(":authority", "")}
        if not has_token(shown_metadata, self._token):
            raise GRPCError(Status.UNAUTHENTICATED, "Invalid Wechaty TOKEN")
        text = metadata.get(EPOCH)
        try:
            epoch = None if text is None else parse_epoch(text)
        except ValueError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from None
        position = Position.parse(metadata.get(ACKNOWLEDGED, ""))
        if position is None or position.journal != self._journal.id:
            return Client(epoch, 0)
        return Client(epoch, position.number)

    def _route(self, call: Call) -> None:
        if call.is_done:
            return
        try:
            if call.path == EVENT:
                self._open_events(call)
            elif call.path == STOP:
                # A client disconnects. The account stays started, and its events arrive; the gateway is not notified.
                self.fence.end_stream()
                call.respond(frame(b""))
            elif call.path in READ_CALLS and self._is_read(call.path):
                call.read_request()
            else:
                self._forward(call)
        except GRPCError as error:
            call.reject(error)

    def on_end(self, call: Call) -> None:
        """Handle the end of a call."""
        if self.fence.holder is call:
            self._delivered.reset()
            self._keeper.client_lost()
        self.fence.ended(call)
        task = self._tasks.pop(call, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _spawn(self, call: Call, work: object) -> None:
        self._tasks[call] = task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        task.add_done_callback(partial(self._ended, call))

    def _ended(self, call: Call, task: asyncio.Task[None]) -> None:
        """End the call if its task failed, so that the client does not wait."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", call.path, exc_info=error)
            call.finish(Status.INTERNAL, "the relay failed")

    # ---- event stream ----

    def _open_events(self, call: Call) -> None:
        if self._upstream.connection is None:
            raise GRPCError(Status.UNAVAILABLE, NO_GATEWAY)
        self.fence.take_stream(call)
        call.stream.is_long_lived = True
        self._spawn(call, self._tell_events(call))

    async def _tell_events(self, call: Call) -> None:
        resume = call.metadata.get(RESUME)
        call.send_headers((JOURNAL.encode(), self._journal.id.encode()))
        first, later = self._feed.account_status.first_events(), self._feed.account_status.later_events()
        with self._feed.subscribe(self._start(resume)) as following:
            for body in first:
                await call.send(body)
            if later:
                await asyncio.sleep(READY_DELAY)
                for body in later:
                    await call.send(body)
            async for events in following:
                for start in range(0, len(events), MAX_EVENTS_PER_WRITE):
                    await self._send_events(
                        call, events[start : start + MAX_EVENTS_PER_WRITE], numbered=resume is not None
                    )

    async def _send_events(self, call: Call, events: Sequence[NumberedEvent], *, numbered: bool) -> None:
        """Send events, and record that the client was sent them."""
        await call.send_framed(
            b"".join(frame(body + _number_field(number) if numbered and number else body) for number, body in events)
        )
        for number, body in events:
            if number:
                self._keeper.last_delivered = number
                if not numbered:
                    self._delivered.sent(number, body)

    def _start(self, resume: str | None) -> int:
        """Return the number after which to resume."""
        position = Position.parse(resume or "")
        if position is None or position.journal != self._journal.id:
            return self._journal.acknowledged
        return min(position.number, self._journal.last)

    async def confirm(self) -> None:
        """Determine what a client without acknowledgements has read."""
        holder, number = self.fence.holder, self._delivered.last_handled()
        if (
            holder is not None
            and number
            and await holder.stream.connection.wait_until_read()
            and self.fence.holder is holder
        ):
            self._delivered.confirm(number)

    # ---- other calls ----

    def _is_read(self, path: str) -> bool:
        """Whether the request of such a call must be read, not only forwarded."""
        return (len(self._journal.responses) > 0 and path in KEPT_CALLS) or (
            self._delivered.is_tracking and path in PAYLOAD_CALLS
        )

    def on_request(self, call: Call, request: bytes | None) -> None:
        """Handle the request of one of READ_CALLS, or None if it cannot be decoded."""
        if request is not None and call.path in PAYLOAD_CALLS:
            self._delivered.payload_requested(request)
        if request is not None and call.path in KEPT_CALLS and self._journal.responses.may_have(call.path, request):
            self._spawn(call, self._answer_from_journal(call, request))
        else:
            self._forward(call)

    async def _answer_from_journal(self, call: Call, request: bytes) -> None:
        stored = await self._journal.response(call.path, request)
        if stored is None:
            self._forward(call)
        else:
            call.respond(stored)

    def _forward(self, call: Call) -> None:
        connection = self._upstream.connection
        try:
            if connection is None:
                raise GatewayLost
            call.forward(connection, self._upstream.forwarded(call.headers))
        except GatewayLost:
            call.finish(Status.UNAVAILABLE, NO_GATEWAY)
        except TooManyCalls:
            call.finish(Status.UNAVAILABLE, f"{NO_GATEWAY} for so many calls at once")


def _number_field(number: int) -> bytes:
    """Return the field that adds its number to a serialized event."""
    return pb.EventResponse(relay_number=number).SerializeToString()
