"""The relay ends an event stream that the gateway keeps for a lost connection, and no other client's.

The stale stream is played by a client that takes the stream while the relay is down.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from protocol import puppet_pb2 as pb
from relay.config import RelaySettings
from relay.journal import Journal
from relay.journal_tables import Fact
from relay.relay import Relay
from relay.stale_stream import StaleStream
from tests.official import OfficialGateway, Start
from tests.official_client import Client
from tests.ports import free_port
from tests.relay.conftest import Relays
from tests.relay.process import RelayClient, RelayProcess
from tests.waiting import SECONDS, until

ENDS_IT = "ending the event stream of a lost connection"
HELD = "another client holds the event stream"
SOON = 1.0


@asynccontextmanager
async def _holder(gateway: OfficialGateway) -> AsyncIterator[asyncio.Task[str]]:
    """Hold the gateway's event stream; yield a task that ends with EOFError when the stream does."""
    client = Client.of(gateway)
    async with client.events() as following:
        await following(pb.EVENT_HEARTBEAT)
        ended = asyncio.create_task(following(pb.EVENT_SCAN))
        try:
            yield ended
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
    client.close()


async def _is_refused_for_long(relay: RelayProcess) -> None:
    await until(lambda: HELD in relay.log(), "the relay is refused")
    await asyncio.sleep(4 * SOON)
    assert ENDS_IT not in relay.log()
    assert await relay.metric("relay_gateway_up") == 0


def _has_stored_that_it_holds_the_stream(relay: RelayProcess) -> bool:
    (file,) = (relay.folder / "relay").glob("*.db")
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("select value from fact where key = ?", (Fact.HELD.value,)).fetchall()
    return any(value for (value,) in rows)


@pytest.mark.gateway
async def test_stream_of_the_killed_relay_is_ended(official: Start, relays: Relays) -> None:
    gateway = await official()
    await gateway.setup(contacts=1)
    relay = await relays(gateway, release_after=SOON)
    await until(lambda: _has_stored_that_it_holds_the_stream(relay), "the stream's holder is on disk")
    await relay.kill()
    async with _holder(gateway) as stream:
        await relay.start()
        with pytest.raises(EOFError):
            await asyncio.wait_for(stream, SECONDS)
    assert relay.log().count(ENDS_IT) == 1
    async with RelayClient(relay).stream() as following:
        said = await gateway.say("c0", "在吗")
        assert (await following())[0] == said


@pytest.mark.gateway
async def test_stream_of_another_client_is_left_alone(official: Start, relays: Relays) -> None:
    """The relay has never held it; then it has, but the gateway ended its stream before the other client came."""
    gateway = await official()
    async with _holder(gateway) as stream:
        relay = await relays(gateway, connects=False, release_after=SOON)
        await _is_refused_for_long(relay)
        assert not stream.done()
    await relay.until("relay_gateway_up", 1)
    assert relay.process is not None
    relay.process.send_signal(signal.SIGSTOP)
    await gateway.end_stream()
    async with _holder(gateway) as stream:
        relay.process.send_signal(signal.SIGCONT)
        await _is_refused_for_long(relay)
        assert not stream.done()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Monotonic seconds."""
    now = [1000.0]
    monkeypatch.setattr("relay.stale_stream.time.monotonic", lambda: now[0])
    return now


def _is_overdue_after(stream: StaleStream, clock: list[float], seconds: float) -> bool:
    stream.refused()
    clock[0] += seconds
    return stream.refused()


async def test_overdue_once_refused_long_enough(journal: Journal, clock: list[float]) -> None:
    stream = StaleStream(journal, "gateway:1", 30.0)
    stream.opened()
    assert not _is_overdue_after(stream, clock, 29.9)
    clock[0] += 0.1
    assert stream.refused()
    stream.opened()  # the next refusals are counted anew
    assert not stream.refused()
    assert _is_overdue_after(stream, clock, 30.0)
    stream.ended()
    assert not _is_overdue_after(stream, clock, 3000.0)


async def test_never_overdue_with_zero_or_at_another_gateway(journal: Journal, clock: list[float]) -> None:
    stream = StaleStream(journal, "gateway:1", 0.0)
    stream.opened()
    assert not _is_overdue_after(stream, clock, 3000.0)
    assert not _is_overdue_after(StaleStream(journal, "gateway:2", 30.0), clock, 3000.0)


@pytest.mark.parametrize("ended", [False, True])
async def test_holding_is_remembered_by_the_next_process(
    journal: Journal, clock: list[float], tmp_path: Path, *, ended: bool
) -> None:
    stream = StaleStream(journal, "gateway:1", 30.0)
    stream.opened()
    if ended:
        stream.ended()
    await journal.close()
    reopened = Journal(tmp_path / "journal.db")
    await reopened.open()
    assert _is_overdue_after(StaleStream(reopened, "gateway:1", 30.0), clock, 30.0) is not ended
    await reopened.close()


async def test_gateway_that_is_down_has_ended_its_streams(tmp_path: Path) -> None:
    """After its restart, another client may hold the stream."""
    settings = RelaySettings(listen=f"127.0.0.1:{free_port()}", endpoint=f"127.0.0.1:{free_port()}", token="t")
    relay = Relay(settings, tmp_path)
    await relay.journal.open()
    await relay.journal.remember(Fact.HELD, settings.endpoint)
    await relay.journal.close()
    relay = Relay(settings, tmp_path)
    await relay.start()
    try:
        assert relay.journal.held == settings.endpoint
        await until(lambda: not relay.journal.held, "refused connections are noticed")
    finally:
        await relay.stop()
