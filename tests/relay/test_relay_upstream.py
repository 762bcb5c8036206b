"""The relay's connection to its gateway: when it is given up, and what is known of the account afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from protocol import puppet_pb2 as pb
from relay.config import RelaySettings
from relay.headers import Headers
from relay.http2 import Http2Connection, TooManyCalls
from relay.relay import Relay
from relay.rpc import OwnCall, path_of
from relay.streams import Receiver, Stream
from relay.upstream import RelayTiming
from tests.ports import free_port
from tests.relay.odd_gateway import OddGateway, odd_gateway
from tests.waiting import until


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
    refused: list[str] = []
    begin = Http2Connection.open

    def opened(connection: Http2Connection, headers: Headers, make: Callable[[Stream], Receiver]) -> Stream:
        try:
            return begin(connection, headers, make)
        except TooManyCalls:
            refused.append(headers.metadata[":path"])
            raise

    async with odd_gateway() as gateway, relaying(gateway, tmp_path) as relay:
        monkeypatch.setattr(Http2Connection, "open", opened)
        connection, streams = relay.upstream.connection, list[Stream]()
        assert connection is not None

        def is_watch_refused() -> bool:
            with suppress(TooManyCalls):
                while not connection.is_lost:
                    streams.append(connection.open(relay.upstream.headers(path_of("Hang")), lambda s: OwnCall(s, 1)))
            return path_of("Version") in refused

        await until(is_watch_refused)
        for stream in streams:
            stream.reset()
        asked = gateway.versions
        await until(lambda: gateway.versions > asked, "it is asked again")
        assert relay.upstream.connection is connection


async def test_new_client_is_not_told_of_a_login_before_the_gateway_was_lost(tmp_path: Path) -> None:
    login = pb.EventResponse(type=pb.EVENT_LOGIN, payload='{"contactId":"bot"}').SerializeToString()
    scan = pb.EventResponse(type=pb.EVENT_SCAN, payload='{"qrcode":"code"}').SerializeToString()
    async with odd_gateway() as gateway:
        gateway.events = [login]
        async with relaying(gateway, tmp_path) as relay:
            await until(lambda: relay.feed.account_status.first_events()[1:] == [login])
            before = relay.upstream.connection
            gateway.events = [scan]
            gateway.ends.set()
            await until(lambda: relay.upstream.connection not in (None, before), "it is connected again")
            await until(lambda: relay.feed.received == 4)
            assert relay.feed.account_status.first_events()[1:] == [scan]
