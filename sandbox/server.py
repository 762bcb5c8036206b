"""The puppet service of one account: what a Wechaty bot in any language connects to."""

from __future__ import annotations

import asyncio
import hmac
import inspect
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from ssl import SSLContext
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError

from protocol import CALLS, Call
from protocol import puppet_pb2 as pb
from sandbox.calls_messages import MessageCalls
from sandbox.calls_people import PeopleCalls
from sandbox.calls_rooms import RoomCalls
from sandbox.calls_streams import StreamCalls
from sandbox.faults import CallFault
from sandbox.files import Uploads
from sandbox.model import Refused
from sandbox.stream import Outbox
from sandbox.transport import AUTHORITY, GatewayServer
from sandbox.world import World

LARGEST_MESSAGE: Final = 4 * 1024 * 1024  # grpc-js takes no more in one message either
SESSION_CALLS: Final = frozenset(
    {"Start", "Stop", "Logout", "Ding", "Version", "Event", "DirtyPayload", "Upload", "Download"}
)
ACTIONS: Final = {
    "RoomCreate": "room_create",
    "RoomAdd": "room_add",
    "FriendshipAdd": "friend_add",
    "FriendshipAccept": "friend_accept",
    "MessageForward": "message",
}
SHOWN: Final = 200  # characters of a value the trace shows


class PuppetServer:
    """A gateway over one account of a world. `token` is what its clients must show."""

    def __init__(
        self,
        world: World,
        account: str,
        token: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: SSLContext | None = None,
        heartbeat: float = 5.0,
    ) -> None:
        if not ipaddress.ip_address(socket.gethostbyname(host)).is_loopback:
            raise ValueError(f"the sandbox's gateway listens on loopback only, not on {host}")
        if not token:
            raise ValueError("the sandbox's gateway needs a token")
        world.accounts.get(account)
        self.world, self.account, self.host, self.port = world, account, host, port
        self.uploads = Uploads()
        self._token, self._ssl, self._heartbeat = token, ssl, heartbeat
        self._grpc: GatewayServer | None = None
        self._outbox: Outbox | None = None
        self._leave: Callable[[], None] | None = None
        messages = MessageCalls(world, account, self.uploads)
        self._streams = StreamCalls(messages, self.uploads)
        self._parts = (
            self,
            messages,
            PeopleCalls(world, account, self.uploads),
            RoomCalls(world, account, self.uploads),
        )

    # ---- being there ----

    async def start(self) -> int:
        """Listen; returns the port. It may be started again, on the same port, after it was stopped or killed."""
        grpc = GatewayServer([self])
        await grpc.start(self.host, self.port, ssl=self._ssl)
        self._grpc, self.port = grpc, grpc.port
        return self.port

    async def stop(self) -> None:
        """End all streams and close; twice does nothing."""
        if (grpc := self._down()) is not None:
            grpc.close()
            grpc.cut(abruptly=False)
            await grpc.wait_closed()

    def kill(self) -> None:
        """Be gone at once, as a process that was killed: no goodbye on any connection, uploads forgotten."""
        if (grpc := self._down()) is not None:
            grpc.cut(abruptly=True)
            grpc.close()

    def freeze(self) -> None:
        """Accept connections and answer nothing at all, as a process that hangs."""
        if self._grpc is not None:
            self._grpc.freeze()

    def thaw(self) -> None:
        """Go on where freeze() stopped."""
        if self._grpc is not None:
            self._grpc.thaw()

    def send_raw(self, event: pb.EventResponse) -> None:
        """Tell the bot an event of any shape, for tests of what it survives."""
        if self._outbox is None:
            raise Refused("no bot listens")
        self._outbox.put(event)

    @property
    def listening(self) -> bool:
        """Whether a bot's event stream is open."""
        return self._outbox is not None

    def _down(self) -> GatewayServer | None:
        grpc, self._grpc = self._grpc, None
        self._release(self._outbox)
        self.uploads.clear()
        return grpc

    # ---- the calls ----

    def __mapping__(self) -> dict[str, Handler]:
        """The table grpclib serves; a call that is not in it is UNIMPLEMENTED."""
        streams: dict[str, Callable[[Any], Awaitable[Any]]] = {"Event": self._event, **self._streams.table()}
        table = {}
        for call in CALLS.values():
            plain = next((getattr(part, call.name) for part in self._parts if hasattr(part, call.name)), None)
            serve = streams.get(call.name) or plain
            if serve is not None:
                table[call.path] = Handler(self._guarded(call, serve), _cardinality(call), call.request, call.response)
        return table

    def _guarded(self, call: Call, serve: Callable[[Any], Any]) -> Callable[[Any], Awaitable[None]]:
        """A handler that asks for the token, throws the dice of the faults, and keeps the trace."""
        streaming = call.streams_in or call.streams_out

        async def handler(stream: Any) -> None:
            self._authorize(stream)
            request = None if streaming else await stream.recv_message()
            began, outcome = time.monotonic(), "broken"
            try:
                outcome = await self._run(call, serve, stream, request)
            except Refused as error:
                outcome = str(error)
                # The official gateway answers every puppet error with UNKNOWN and the error's text.
                raise GRPCError(Status.UNKNOWN, outcome) from None
            except GRPCError as error:
                outcome = error.message or error.status.name
                raise
            finally:
                self._traced(call, request, outcome, time.monotonic() - began)

        return handler

    async def _run(self, call: Call, serve: Callable[[Any], Any], stream: Any, request: Message | None) -> str:
        """Do one call, as far as the faults let it; returns how it went."""
        fault = self.world.faults.plan_call(call.name)
        await _before(fault)
        self._check(call.name, request)
        answer = serve(stream if request is None else request)
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is None:  # a stream that has sent its own answers
            return "ok"
        if fault is not None and fault.effect == "lose":
            await stream.cancel()
            return "done, answer lost"
        if fault is not None and fault.effect == "lose_silently":
            await _for_ever()
        await stream.send_message(answer)
        return "ok"

    def _check(self, name: str, request: Message | None) -> None:
        if request is not None and (size := request.ByteSize()) > LARGEST_MESSAGE:
            text = f"Received message larger than max ({size} vs {LARGEST_MESSAGE})"
            raise GRPCError(Status.RESOURCE_EXHAUSTED, text)
        if name in SESSION_CALLS:
            return
        if not self.world.accounts.get(self.account).online:
            raise Refused("not logged in")
        action = "message" if name.startswith("MessageSend") else ACTIONS.get(name)
        if action is not None:
            self.world.limits.take(self.account, action)

    def _authorize(self, stream: Any) -> None:
        metadata = stream.metadata
        shown = metadata.get("authorization")
        token = shown.removeprefix("Wechaty ") if shown else metadata.get(AUTHORITY, "")
        wrong_type = shown is not None and not shown.startswith("Wechaty ")
        if wrong_type or not hmac.compare_digest(token.encode(), self._token.encode()):
            raise GRPCError(Status.UNAUTHENTICATED, "Invalid Wechaty TOKEN" if token else "No Authorization found.")

    def _traced(self, call: Call, request: Message | None, outcome: str, seconds: float) -> None:
        shown = {key: _short(value) for key, value in MessageToDict(request).items()} if request is not None else {}
        world = self.world
        world.trace.add(
            self.account, world.clock(), "call", call.name, request=shown, outcome=outcome, ms=round(seconds * 1000, 1)
        )

    # ---- the session ----

    def Start(self, request: pb.Empty) -> pb.Empty:
        """The account's session is the world's; nothing to start."""
        return pb.Empty()

    def Stop(self, request: pb.Empty) -> pb.Empty:
        """End the event stream, as the official gateway does."""
        if self._outbox is not None:
            self._outbox.put(None)
        return pb.Empty()

    def Logout(self, request: pb.Empty) -> pb.Empty:
        """Log the account out."""
        self.world.accounts.logout(self.account)
        return pb.Empty()

    def Ding(self, request: pb.DingRequest) -> pb.Empty:
        """Answered by a dong event."""
        self.world.accounts.emit(self.account, "dong", {"data": request.data})
        return pb.Empty()

    def Version(self, request: pb.Empty) -> pb.VersionResponse:
        """The gateway's version: the protocol's generation, then whose it is."""
        return pb.VersionResponse(version="1.20.0-sandbox")

    def DirtyPayload(self, request: pb.DirtyPayloadRequest) -> pb.Empty:
        """Nothing is cached here; the event tells the client that its own cache is stale."""
        payload = {"payloadType": request.type, "payloadId": request.id}
        self.world.accounts.emit(self.account, "dirty", payload)
        return pb.Empty()

    async def _event(self, stream: Any) -> None:
        """The event stream: a heartbeat at once, then login and ready (or scan), then what happens."""
        await stream.recv_message()
        if self._outbox is not None:
            raise GRPCError(Status.ALREADY_EXISTS, "GrpcServerImpl.event() can not call twice.")
        outbox = self._claim()
        try:
            async for event in self._events(outbox):
                await stream.send_message(event)
        finally:
            self._release(outbox)

    async def _events(self, outbox: Outbox) -> AsyncIterator[pb.EventResponse]:
        while (event := await outbox.get(self._heartbeat)) is not None:
            yield event

    def _claim(self) -> Outbox:
        outbox = self._outbox = Outbox()
        account = self.world.accounts.get(self.account)
        outbox.tell("heartbeat", {"data": "Wechaty Puppet gRPC stream connect successfully"})
        if account.online:
            outbox.tell("login", {"contactId": account.person_id})
            outbox.tell("ready", {"data": "ready"})
        else:
            outbox.tell("scan", self.world.accounts.scan_payload(self.account))
        self._leave = self.world.accounts.subscribe(self.account, outbox.tell)
        return outbox

    def _release(self, outbox: Outbox | None) -> None:
        """Free the place of a stream that has ended, unless a newer one has taken it."""
        if outbox is None or outbox is not self._outbox:
            return
        outbox.close()
        self._outbox = None
        if self._leave is not None:
            self._leave()
            self._leave = None


async def _before(fault: CallFault | None) -> None:
    """What a fault does before anything is done."""
    if fault is None:
        return
    if fault.effect == "fail":
        raise Refused(fault.text)
    if fault.effect == "hang":
        await _for_ever()
    if fault.effect == "slow":
        await asyncio.sleep(fault.ms / 1000)


async def _for_ever() -> None:
    """Wait until the client gives up, or the server stops."""
    await asyncio.get_running_loop().create_future()


def _cardinality(call: Call) -> Cardinality:
    if call.streams_in:
        return Cardinality.STREAM_UNARY
    return Cardinality.UNARY_STREAM if call.streams_out else Cardinality.UNARY_UNARY


def _short(value: Any) -> Any:
    return value[:SHOWN] + "…" if isinstance(value, str) and len(value) > SHOWN else value
