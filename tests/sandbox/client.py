"""A client of the puppet service for the sandbox's tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message import Message
from grpclib.client import Channel, StreamUnaryMethod, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.config import Configuration
from grpclib.exceptions import GRPCError, StreamTerminatedError
from h2.exceptions import StreamClosedError

from protocol import CALLS
from protocol import puppet_pb2 as pb

TOKEN = "insecure_test-token"
SECONDS = 90.0
NAMES = {value: name.removeprefix("EVENT_").lower().replace("_", "-") for name, value in pb.EventType.items()}


class Client:
    """A connection; `authority` is how old clients send their token."""

    def __init__(
        self, port: int, *, token: str = TOKEN, authority: str = "", tls: ssl.SSLContext | None = None, name: str = ""
    ) -> None:
        config = Configuration(ssl_target_name_override=name) if name else None
        self.channel = Channel("127.0.0.1", port, ssl=tls, config=config)
        self.metadata = {"authorization": f"Wechaty {token}"} if token else {}
        if authority:
            self.channel._authority = authority

    async def __call__(self, name: str, /, request: Message | None = None, **fields: Any) -> Any:
        """Make a unary call."""
        call = CALLS[name]
        method = UnaryUnaryMethod(self.channel, call.path, call.request, call.response)
        return await method(request or call.request(**fields), timeout=SECONDS, metadata=self.metadata)

    async def send(self, name: str, pieces: Sequence[Message]) -> Any:
        """Make a client-streaming call."""
        call = CALLS[name]
        method = StreamUnaryMethod(self.channel, call.path, call.request, call.response)
        return await method(pieces, timeout=SECONDS, metadata=self.metadata)

    async def receive(self, name: str, **fields: Any) -> list[Any]:
        """Make a server-streaming call and return all responses."""
        call = CALLS[name]
        method = UnaryStreamMethod(self.channel, call.path, call.request, call.response)
        return await method(call.request(**fields), timeout=SECONDS, metadata=self.metadata)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Events]:
        """Open the event stream."""
        call = CALLS["Event"]
        method = UnaryStreamMethod(self.channel, call.path, call.request, call.response)
        opened = method.open(metadata=self.metadata)
        stream = await opened.__aenter__()
        try:
            await stream.send_message(pb.Empty(), end=True)
            yield Events(stream)
        finally:  # ignore what the gateway has closed already
            with contextlib.suppress(StreamTerminatedError, StreamClosedError, ConnectionError):
                await stream.cancel()
            with contextlib.suppress(StreamTerminatedError, StreamClosedError, GRPCError):
                await opened.__aexit__(None, None, None)

    def close(self) -> None:
        """Disconnect."""
        self.channel.close()


class Events:
    """Events received on a stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next event; raise EOFError at the end of the stream."""
        async with asyncio.timeout(SECONDS):
            event = await self._stream.recv_message()
        if event is None:
            raise EOFError
        return NAMES[event.type], json.loads(event.payload)

    async def wait(self, *kinds: str) -> tuple[str, dict[str, Any]]:
        """Return the next event of these kinds, skipping others."""
        async with asyncio.timeout(SECONDS):
            while True:
                kind, payload = await self.next()
                if kind in kinds:
                    return kind, payload

    async def payload(self, kind: str) -> dict[str, Any]:
        """Return the payload of the next event of this kind."""
        return (await self.wait(kind))[1]

    async def ready(self) -> None:
        """Skip the first events of a stream."""
        await self.wait("ready")
