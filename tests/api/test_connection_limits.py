"""External connections never exhaust the resources of internal ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from api.app_keys import CONNECTIONS
from api.connection_limits import ConnectionCaps, ConnectionLimits
from api.network import AccessControl
from config.settings import ApiSettings
from tests.api.conftest import StartServer
from tests.waiting import SECONDS, until

OUTSIDE = "203.0.113.{}"


class FakeConnection:
    """A connection."""

    def __init__(self, idle: bool = True) -> None:
        self.is_idle = idle
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True


def limits(**caps: int) -> ConnectionLimits:
    settings = ApiSettings(trusted_proxies=["10.9.0.0/16"])
    return ConnectionLimits(
        AccessControl(settings),
        ConnectionCaps(**{"external": 5, "per_external_address": 2, "per_internal_address": 3, **caps}),
    )


def admit_all(
    to: ConnectionLimits, remotes: Iterable[str], idle: bool = True
) -> tuple[list[FakeConnection], list[bool]]:
    lines, results = [], []
    for remote in remotes:
        lines.append(FakeConnection(idle))
        results.append(to.admit(lines[-1], remote))
    return lines, results


def test_limit_per_address_counts_an_ipv6_48_as_one_address() -> None:
    some = limits()
    lines, results = admit_all(some, ["203.0.113.1"] * 3)
    assert results == [True, True, False]
    assert admit_all(some, ["2001:db8:1::1", "2001:db8:1:2::2", "2001:db8:1:ffff::3"])[1] == [True, True, False]
    assert admit_all(some, ["10.0.0.1"] * 4)[1] == [True, True, True, False]
    assert all(admit_all(some, ["10.9.0.1"] * 20)[1]), "a trusted proxy speaks for many"
    some.release(lines[2])  # was never admitted
    some.release(lines[0])
    some.release(lines[0])
    assert admit_all(some, ["203.0.113.1"] * 2)[1] == [True, False]


def test_external_limit_closes_idle_connections_first() -> None:
    some = limits()
    busy, _ = admit_all(some, [OUTSIDE.format(n) for n in range(3)], idle=False)
    idle, _ = admit_all(some, [OUTSIDE.format(n) for n in range(3, 5)])
    assert admit_all(some, [OUTSIDE.format(9)])[1] == [True]
    assert [line.dropped for line in (*busy, *idle)] == [False, False, False, True, False]
    assert admit_all(some, [OUTSIDE.format(n) for n in range(10, 12)], idle=False)[1] == [True, True]
    assert admit_all(some, [OUTSIDE.format(20)])[1] == [False], "all are being answered"
    assert admit_all(some, ["10.0.0.1"])[1] == [True]


def test_total_limit_prefers_internal_connections() -> None:
    some = limits(total=6, per_external_address=9)
    outside, _ = admit_all(some, [OUTSIDE.format(1)] * 4)
    assert admit_all(some, ["10.0.0.1", "10.0.0.2", "10.0.0.3"])[1] == [True] * 3
    assert outside[0].dropped
    assert len(some) == 6


async def test_silent_external_connections_are_closed_and_internal_calls_answered(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent external connections are closed one by one, while internal callers are still answered."""
    server = await start_server(api={"allowed_networks": ["127.0.0.2/32"]})
    monkeypatch.setattr(server.app[CONNECTIONS], "_caps", ConnectionCaps(external=5, per_external_address=50))
    silent = [await asyncio.open_connection("127.0.0.1", server.port, local_addr=("127.0.0.1", 0)) for _ in range(20)]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=("127.0.0.2", 0))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), SECONDS)).startswith(b"HTTP/1.1 200")
    ends = [asyncio.create_task(connection.read()) for connection, _ in silent]

    async def are_closed() -> bool:
        return sum(end.done() for end in ends) >= 15

    await until(are_closed)
    assert sum(end.done() for end in ends) == 15
    for end in ends:
        end.cancel()
    await asyncio.gather(*ends, return_exceptions=True)
    assert len(server.app[CONNECTIONS]) == 6
    for _, one_writer in (*silent, (reader, writer)):
        one_writer.close()
