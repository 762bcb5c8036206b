"""The end of an HTTP/2 connection that the other side announces with GOAWAY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h2.events
import pytest
from grpclib.client import Channel
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from h2.errors import ErrorCodes

from protocol.relaying import NO_GATEWAY
from protocol.supervision import end
from relay import frames, http2
from relay.call import GATEWAY_LOST
from relay.frames import frame
from relay.relay import Relay
from relay.rpc import path_of
from tests.relay.leaving_gateway import Gateway
from tests.relay.odd_gateway import SERVICE, Bytes
from tests.relay.test_relay_http2 import serving
from tests.relay.test_relay_upstream import relaying
from tests.waiting import SECONDS, until

CALLS = ("first", "second", "third")


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
        await end(calls)
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


async def test_check_of_the_gateway_that_is_refused_ends_no_other_call(tmp_path: Path) -> None:
    async with calling(tmp_path) as (gateway, relay, calls):
        connection = relay.upstream.connection
        assert connection is not None
        gateway.hanging.add("Version")
        await until(lambda: gateway.waiting[-1].name == "Version", "the relay checks the gateway")
        gateway.hanging.remove("Version")
        gateway.leaves(gateway.waiting[2].stream.id)
        await until(lambda: connection.is_leaving)
        assert await connection.wait_until_read()
        for waiting in gateway.waiting[:3]:
            waiting.finish()
        assert [await call for call in calls] == [b"", b"", b""]


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
        peer.flush()
        peer.writer.write(frame(frames.GOAWAY, 0, 0, bytes(8)))  # h2 would read nothing more
        peer.h2.send_data(id, b"data", end_stream=True)
        await peer.until(h2.events.TrailersReceived, id)
        with pytest.raises(EOFError):
            await peer.more()
        assert server.calls[0].codes == []
