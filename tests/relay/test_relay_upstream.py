"""The relay's connection to its gateway: when it is given up, and what is known of the account afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpclib.client import Channel
from grpclib.const import Cardinality

from protocol import puppet_pb2 as pb
from relay.config import RelaySettings
from relay.http2 import Http2Connection, TooManyCalls
from relay.relay import Relay
from relay.upstream import RelayTiming
from tests.ports import free_port
from tests.relay.odd_gateway import SERVICE, Bytes, OddGateway, odd_gateway
from tests.waiting import until

MOST = 100  # calls at a time that a server of h2 admits


@asynccontextmanager
async def relaying(gateway: OddGateway, folder: Path) -> AsyncIterator[Relay]:
    """A relay in this process that is connected."""
    settings = RelaySettings(
        listen=f"127.0.0.1:{free_port()}", endpoint=gateway.endpoint, token=gateway.token, tls=False
    )
    relay = Relay(settings, folder, RelayTiming(watch_every=0.05, backoff_first=0.01, backoff_most=0.01))
    await relay.start()
    try:
        await until(lambda: relay.upstream.connection, "the gateway is connected")
        yield relay
    finally:
        await relay.stop()


async def test_gateway_that_takes_no_more_calls_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events would be lost meanwhile."""
    refused: list[object] = []
    begin = Http2Connection.open

    def opened(connection: Http2Connection, *args: Any) -> Any:
        try:
            return begin(connection, *args)
        except TooManyCalls:
            refused.append(connection)
            raise

    async with odd_gateway() as gateway, relaying(gateway, tmp_path) as relay:
        monkeypatch.setattr(Http2Connection, "open", opened)
        connection, address = relay.upstream.connection, relay._settings.listen
        channel = Channel("127.0.0.1", int(address.rpartition(":")[2]), codec=Bytes())
        metadata = {"authorization": f"Wechaty {gateway.token}"}
        async with AsyncExitStack() as stack:
            for _ in range(MOST - 1):  # besides the event stream
                call = channel.request(SERVICE + "Hang", Cardinality.STREAM_STREAM, bytes, bytes, metadata=metadata)
                hanging = await stack.enter_async_context(call)
                await hanging.send_message(b"")
                stack.push_async_callback(hanging.cancel)
            await until(lambda: len(refused) >= 2, "the watch is refused")
        asked = gateway.versions
        await until(lambda: gateway.versions > asked, "it is asked again")
        assert relay.upstream.connection is connection
        channel.close()


async def test_new_client_is_not_told_of_a_login_before_the_gateway_was_lost(tmp_path: Path) -> None:
    login = pb.EventResponse(type=pb.EVENT_LOGIN, payload='{"contactId":"bot"}').SerializeToString()
    scan = pb.EventResponse(type=pb.EVENT_SCAN, payload='{"qrcode":"code"}').SerializeToString()
    async with odd_gateway() as gateway:
        gateway.events = [login]
        async with relaying(gateway, tmp_path) as relay:
            await until(lambda: relay.feed.standing.first_events()[1:] == [login])
            before = relay.upstream.connection
            gateway.events = [scan]
            gateway.ends.set()
            await until(lambda: relay.upstream.connection not in (None, before), "it is connected again")
            await until(lambda: relay.feed.received == 4)
            assert relay.feed.standing.first_events()[1:] == [scan]
