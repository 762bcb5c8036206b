"""The end of an HTTP/2 connection that the other side announces with GOAWAY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h2.events
import pytest
from grpclib.client import Channel
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from h2.errors import ErrorCodes

from protocol.relaying import NO_GATEWAY
from relay import frames, http2
from relay.call import GATEWAY_LOST
from relay.frames import frame
from relay.headers import Headers
from relay.relay import Relay
from relay.rpc import ANSWER, outcome, path_of
from relay.streams import Stream
from tests.ports import free_port
from tests.relay.odd_gateway import SERVICE, Bytes
from tests.relay.test_relay_http2 import serving
from tests.relay.test_relay_upstream import relaying
from tests.waiting import SECONDS, until

CALLS = ("first", "second", "third")


class Answer:
    """A gateway's side of a call: Hang is answered by the test, all others at once."""

    def __init__(self, gateway: Gateway, stream: Stream, headers: Headers) -> None:
        self.stream, self.name = stream, headers.metadata[":path"].rpartition("/")[2]
        stream.send_headers(Headers(ANSWER)) if self.name != "Hang" else gateway.waiting.append(self)
        if self.name == "Event":
            stream.send_data(b"\0\0\0\0\x02\x10\x17")  # a heartbeat

    def on_headers(self, headers: Headers, *, end: bool) -> None:
        """Trailers."""

    def on_data(self, data: bytes, size: int, *, end: bool) -> None:
        if end and self.name not in ("Event", "Hang"):
            self.finish()

    def on_reset(self, code: int | None) -> None:
        """It is cancelled."""

    def finish(self) -> None:
        if self.name == "Hang":
            self.stream.send_headers(Headers(ANSWER))
        self.stream.send_data(bytes(5))
        self.stream.send_headers(Headers(outcome(Status.OK)), end=True)


class Gateway:
    """A gateway that can announce its end."""

    def __init__(self) -> None:
        self.token, self.tls, self.port = "insecure_leaving", False, free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self.connections: list[http2.Http2Connection] = []
        self.waiting: list[Answer] = []

    def connection(self) -> http2.Http2Connection:
        self.connections.append(http2.Http2Connection(partial(Answer, self)))
        return self.connections[-1]

    def leaves(self, last: int, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        payload = last.to_bytes(4, "big") + code.to_bytes(4, "big")
        self.connections[-1].writer.write(frame(frames.GOAWAY, 0, 0, payload))


@asynccontextmanager
async def calling(folder: Path) -> AsyncIterator[tuple[Gateway, Relay, list[asyncio.Task[Any]]]]:
    """A gateway, its relay, and calls of a client under way."""
    gateway = Gateway()
    server = await asyncio.get_running_loop().create_server(gateway.connection, "127.0.0.1", gateway.port)
    async with relaying(gateway, folder) as relay:  # type: ignore[arg-type]
        channel = Channel("127.0.0.1", int(relay._settings.listen.rpartition(":")[2]), codec=Bytes())

        async def call() -> Any:
            metadata = {"authorization": f"Wechaty {gateway.token}"}
            how = (SERVICE + "Hang", Cardinality.UNARY_UNARY, bytes, bytes)
            async with channel.request(*how, timeout=SECONDS, metadata=metadata) as stream:
                await stream.send_message(b"", end=True)
                return await stream.recv_message()

        calls = []
        for name in CALLS:
            calls.append(asyncio.create_task(call(), name=name))
            await until(lambda: len(gateway.waiting) == len(calls), "it is under way")
        yield gateway, relay, calls
        channel.close()
    server.close()


async def test_calls_under_way_end_before_the_gateways_connection(tmp_path: Path) -> None:
    async with calling(tmp_path) as (gateway, relay, calls):
        before = relay.upstream.connection
        assert before is not None
        first = gateway.waiting[0]
        gateway.leaves(first.stream.id)
        for refused in calls[1:]:
            with pytest.raises(GRPCError) as error:
                await refused
            assert (error.value.status, error.value.message) == (Status.UNAVAILABLE, NO_GATEWAY), "it may be repeated"
        await asyncio.sleep(0.3)  # several times the relay's watch
        assert not before.is_lost
        first.finish()
        assert await calls[0] == b""
        await until(lambda: relay.upstream.connection not in (None, before), "it is connected again")


async def test_client_may_begin_no_call_on_a_connection_that_ends(tmp_path: Path) -> None:
    async with calling(tmp_path) as (gateway, relay, _):
        gateway.leaves(frames.LAST_STREAM)
        connection = relay.upstream.connection
        assert connection is not None
        await until(lambda: connection.is_leaving)
        with pytest.raises(http2.GatewayLost):
            connection.open(relay.upstream.headers(path_of("Hang")), lambda _: pytest.fail("it was begun"))
        gateway.leaves(0)  # as Node.js: the first time with the highest number
        await until(lambda: connection.is_lost)


async def test_gateway_that_ends_with_an_error_is_left_at_once(tmp_path: Path) -> None:
    async with calling(tmp_path) as (gateway, _, calls):
        gateway.leaves(gateway.waiting[0].stream.id, ErrorCodes.INTERNAL_ERROR)
        for call, reason in zip(calls, (GATEWAY_LOST, NO_GATEWAY, NO_GATEWAY), strict=True):
            with pytest.raises(GRPCError, match=reason):
                await call


async def test_call_that_does_not_end_delays_the_end_for_some_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2, "LEAVE_SECONDS", 0.1)
    async with calling(tmp_path) as (gateway, _, calls):
        gateway.leaves(frames.LAST_STREAM)
        with pytest.raises(GRPCError, match=GATEWAY_LOST):
            await calls[0]


async def test_calls_of_a_client_that_closes_are_answered() -> None:
    async with serving() as (server, peer):
        id = peer.request()
        await peer.until(h2.events.ResponseReceived, id)
        peer.leaves()
        peer.h2.send_data(id, b"data", end_stream=True)
        await peer.until(h2.events.TrailersReceived, id)
        with pytest.raises(EOFError):
            await peer.more()
        assert server.calls[0].codes == []
