"""Event stream of a gateway: events of an account, queued for the connected bot."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from protocol import puppet_pb2 as pb
from sandbox.world.model import Refused
from sandbox.world.world import World

MAX_QUEUED: Final = 20_000  # queued events; further ones are dropped
# The Node client misses events that come right after the first ones; the official gateway waits as long.
READY_DELAY: Final = 0.1

EVENT_TYPES: Final[dict[str, int]] = {
    "heartbeat": pb.EVENT_HEARTBEAT,
    "message": pb.EVENT_MESSAGE,
    "dong": pb.EVENT_DONG,
    "post": pb.EVENT_POST,
    "error": pb.EVENT_ERROR,
    "friendship": pb.EVENT_FRIENDSHIP,
    "room-invite": pb.EVENT_ROOM_INVITE,
    "room-join": pb.EVENT_ROOM_JOIN,
    "room-leave": pb.EVENT_ROOM_LEAVE,
    "room-topic": pb.EVENT_ROOM_TOPIC,
    "scan": pb.EVENT_SCAN,
    "ready": pb.EVENT_READY,
    "reset": pb.EVENT_RESET,
    "login": pb.EVENT_LOGIN,
    "logout": pb.EVENT_LOGOUT,
    "dirty": pb.EVENT_DIRTY,
}


def date_header(world: World) -> dict[str, str]:
    """Return the header with a gateway's time. Node.js sends it with every response; here Event and Version do."""
    return {"date": formatdate(world.clock(), usegmt=True)}


class EventBacklog:
    """A bounded queue of events with optional delays."""

    def __init__(self, bound: int = MAX_QUEUED) -> None:
        self._bound = bound
        self._items: deque[pb.EventResponse | None] = deque()
        self._filled = asyncio.Event()
        self._late: set[asyncio.TimerHandle] = set()
        self.dropped = 0

    def emit(self, event: str, payload: dict[str, Any], delay: float = 0.0) -> None:
        """Queue an event after `delay` seconds."""
        text = json.dumps(payload, ensure_ascii=False)
        self.put(pb.EventResponse(type=EVENT_TYPES[event], payload=text), delay)

    def put(self, item: pb.EventResponse | None, delay: float = 0.0) -> None:
        """Queue a raw event after `delay` seconds; None ends the stream."""
        if delay > 0:
            self._late = {handle for handle in self._late if handle.when() > asyncio.get_running_loop().time()}
            self._late.add(asyncio.get_running_loop().call_later(delay, self.put, item))
        elif len(self._items) >= self._bound and item is not None:
            self.dropped += 1
        else:
            self._items.append(item)
            self._filled.set()

    async def get(self, timeout: float) -> pb.EventResponse | None:
        """Return the next event, a heartbeat after `timeout` seconds without one, or None at the end."""
        while not self._items:
            self._filled.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._filled.wait()
            except TimeoutError:
                return pb.EventResponse(type=pb.EVENT_HEARTBEAT, payload='{"data": "sandbox"}')
        return self._items.popleft()

    def close(self) -> None:
        """Cancel the delayed events."""
        for handle in self._late:
            handle.cancel()


class EventStream:
    """The event stream of an account, which one bot at a time may open."""

    def __init__(self, world: World, account: str, heartbeat: float) -> None:
        self._world = world
        self._account = account
        self._heartbeat = heartbeat
        self._outbox: EventBacklog | None = None
        self._leave: Callable[[], None] | None = None

    @property
    def open(self) -> bool:
        """Whether a bot is connected."""
        return self._outbox is not None

    async def serve(self, stream: Any) -> None:
        """Serve the Event call: heartbeat, then login and ready (or scan), then events as they occur."""
        await stream.recv_message()
        if self._outbox is not None:
            raise GRPCError(Status.ALREADY_EXISTS, "GrpcServerImpl.event() can not call twice.")
        outbox = self._claim()
        try:
            await stream.send_initial_metadata(metadata=date_header(self._world))
            while (event := await outbox.get(self._heartbeat)) is not None:
                await stream.send_message(event)
        finally:
            self.release(outbox)

    def end(self) -> None:
        """End the stream after the queued events."""
        if self._outbox is not None:
            self._outbox.put(None)

    def send_raw(self, event: pb.EventResponse) -> None:
        """Queue a raw event; raise Refused if no bot is connected."""
        if self._outbox is None:
            raise Refused("no bot is connected")
        self._outbox.put(event)

    def release(self, outbox: EventBacklog | None = None) -> None:
        """Close the stream. If `outbox` is given, do so only while it is still the current one."""
        if self._outbox is None or outbox not in (None, self._outbox):
            return
        self._outbox.close()
        self._outbox = None
        if self._leave is not None:
            self._leave()
            self._leave = None

    def _claim(self) -> EventBacklog:
        outbox = self._outbox = EventBacklog()
        accounts = self._world.accounts
        account = accounts.get(self._account)
        outbox.emit("heartbeat", {"data": "Wechaty Puppet gRPC stream connect successfully"})
        if account.online:
            outbox.emit("login", {"contactId": account.person_id})
            outbox.emit("ready", {"data": "ready"}, READY_DELAY)
        else:
            outbox.emit("scan", accounts.scan_payload(self._account))
        self._leave = accounts.subscribe(self._account, outbox.emit)
        return outbox
