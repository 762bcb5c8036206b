"""A gateway with calls unknown to the protocol; their messages must be forwarded as bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from protocol import puppet_pb2 as pb

SERVICE = "/wechaty.Puppet/"
MANY = 300  # messages of 64 KiB


class Bytes(CodecBase):
    """Messages stay bytes."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        """The bytes."""
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        """The bytes."""
        return data


class OddGateway:
    """Calls: Echo (bidirectional), Total (client streaming), Flood, Refuse, Hang, Facts."""

    def __init__(self) -> None:
        self.token, self.tls, self.port = "insecure_odd", False, 0
        self.cancelled = asyncio.Event()
        self.hanging = asyncio.Event()
        self.events: list[bytes] = []
        self.ends = asyncio.Event()
        self.versions = 0

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def __mapping__(self) -> dict[str, Handler]:
        calls = (
            self.Event, self.Start, self.Version, self.Echo, self.Total, self.Flood, self.Refuse, self.Hang, self.Facts
        )  # fmt: skip
        return {SERVICE + call.__name__: Handler(call, Cardinality.STREAM_STREAM, bytes, bytes) for call in calls}

    async def Event(self, stream: Any) -> None:
        """A heartbeat and `events`, until `ends` is set."""
        await stream.send_message(pb.EventResponse(type=pb.EVENT_HEARTBEAT, payload="{}").SerializeToString())
        for event in self.events:
            await stream.send_message(event)
        self.ends.clear()
        await self.ends.wait()

    async def Start(self, stream: Any) -> None:
        """Runs at once."""
        await stream.send_message(b"")

    async def Version(self, stream: Any) -> None:
        """Respond at once."""
        self.versions += 1
        await stream.send_message(b"")

    async def Echo(self, stream: Any) -> None:
        """Send each message back."""
        await stream.send_initial_metadata(metadata={"began": stream.metadata.get("asks", "nothing")})
        async for message in stream:
            await stream.send_message(message)
        await stream.send_trailing_metadata(metadata={"ended": "yes"})

    async def Total(self, stream: Any) -> None:
        """Return the total size of all messages."""
        total = 0
        async for message in stream:
            total += len(message)
        await stream.send_message(str(total).encode())

    async def Flood(self, stream: Any) -> None:
        """Send more than fits into the windows."""
        await stream.recv_message()
        for _ in range(MANY):
            await stream.send_message(bytes(64 * 1024))

    async def Refuse(self, stream: Any) -> None:
        """Fail with a non-ASCII message."""
        raise GRPCError(Status.RESOURCE_EXHAUSTED, "操作过于频繁")

    async def Hang(self, stream: Any) -> None:
        """Never answers."""
        self.hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def Facts(self, stream: Any) -> None:
        """Return the caller's metadata and deadline."""
        left = stream.deadline.time_remaining() if stream.deadline else None
        await stream.send_message(json.dumps([dict(stream.metadata), left]).encode())


@asynccontextmanager
async def odd_gateway() -> AsyncIterator[OddGateway]:
    """A running gateway, which is closed abruptly at the end."""
    gateway = OddGateway()
    server = Server([gateway], codec=Bytes())
    await server.start("127.0.0.1", 0)
    assert server._server is not None
    listening: Any = server._server
    gateway.port = int(listening.sockets[0].getsockname()[1])
    try:
        yield gateway
    finally:
        server.close()
        await server.wait_closed()
