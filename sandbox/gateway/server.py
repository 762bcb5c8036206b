"""The puppet service of one account, to which a Wechaty bot in any language connects."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError

from protocol import CALLS, ProtocolCall
from protocol import puppet_pb2 as pb
from sandbox.gateway.event_stream import EventStream
from sandbox.gateway.files import Uploads
from sandbox.gateway.interceptor import CallInterceptor
from sandbox.gateway.message_calls import MessageCallHandlers
from sandbox.gateway.people_calls import PeopleCallHandlers
from sandbox.gateway.room_calls import RoomCallHandlers
from sandbox.gateway.session_calls import SessionCallHandlers
from sandbox.gateway.stream_calls import StreamCallHandlers
from sandbox.gateway.transport import GatewayServer
from sandbox.world.world import World


class PuppetServer:
    """A gateway for one account of a world. Clients must present `token`."""

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
            raise ValueError(f"the sandbox gateway listens on loopback only, not on {host}")
        world.accounts.get(account)
        self.world, self.account, self.host, self.port = world, account, host, port
        self.uploads = Uploads()
        self._ssl = ssl
        self._guard = CallInterceptor(world, account, token)
        self._events = EventStream(world, account, heartbeat)
        self._grpc: GatewayServer | None = None

    async def start(self) -> int:
        """Start listening and return the port. Can be called again after stop() or kill(), on the same port."""
        if self._grpc is not None:
            raise RuntimeError("the gateway is already started")
        grpc = GatewayServer([self])
        await grpc.start(self.host, self.port, ssl=self._ssl)
        self._grpc, self.port = grpc, grpc.port
        return self.port

    async def stop(self) -> None:
        """End the streams and close the server. Idempotent."""
        if (grpc := self._detach_server()) is not None:
            grpc.close()
            grpc.cut(abruptly=False)
            await grpc.wait_closed()

    def kill(self) -> None:
        """Abort all connections and drop the uploads, like a killed process."""
        if (grpc := self._detach_server()) is not None:
            grpc.cut(abruptly=True)
            grpc.close()

    def freeze(self) -> None:
        """Accept connections but never answer, like a hanging process."""
        if self._grpc is not None:
            self._grpc.freeze()

    def thaw(self) -> None:
        """Resume after freeze()."""
        if self._grpc is not None:
            self._grpc.thaw()

    @property
    def listening(self) -> bool:
        """Whether a bot's event stream is open."""
        return self._events.open

    def send_raw(self, event: pb.EventResponse) -> None:
        """Send the bot an arbitrary event, for tests; raise Refused if none is connected."""
        self._events.send_raw(event)

    def _detach_server(self) -> GatewayServer | None:
        grpc, self._grpc = self._grpc, None
        self._events.release()
        self.uploads.clear()
        return grpc

    def __mapping__(self) -> dict[str, Handler]:
        """Return the method table for grpclib."""
        served = self._served()
        return {
            call.path: Handler(
                self._guard.wrap(call, served.get(name, _unimplemented)),
                _cardinality(call),
                call.request,
                call.response,
            )
            for name, call in CALLS.items()
        }

    def _served(self) -> dict[str, Callable[[Any], Any]]:
        world, account, uploads = self.world, self.account, self.uploads
        messages = MessageCallHandlers(world, account, uploads)
        parts = (
            SessionCallHandlers(world, account, self._events.end),
            PeopleCallHandlers(world, account, uploads),
            RoomCallHandlers(world, account, uploads),
            messages,
        )
        plain = {name: getattr(part, name) for part in parts for name in CALLS if hasattr(part, name)}
        return {**plain, **StreamCallHandlers(messages, uploads).table(), "Event": self._events.serve}


def tls_context(certificate: Path, key: Path) -> SSLContext:
    """Create the TLS context of a gateway (HTTP/2 by ALPN)."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    return context


def _unimplemented(_: Any) -> Any:
    raise GRPCError(Status.UNIMPLEMENTED, "the sandbox does not implement this call")


def _cardinality(call: ProtocolCall) -> Cardinality:
    if call.streams_in:
        return Cardinality.STREAM_UNARY
    return Cardinality.UNARY_STREAM if call.streams_out else Cardinality.UNARY_UNARY
