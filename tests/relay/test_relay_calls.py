"""Calls through the relay, including unknown ones, at the pace of the slower side."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from grpclib.client import Channel, Stream
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from tests.official import Start
from tests.relay.conftest import Relays
from tests.relay.odd_gateway import MANY, SERVICE, Bytes, odd_gateway
from tests.relay.process import RelayClient, RelayProcess
from tests.waiting import SECONDS

EMPTY = b""


class ByteClient:
    """Calls of any name with bytes."""

    def __init__(self, relay: RelayProcess) -> None:
        self.channel = Channel("127.0.0.1", relay.port, codec=Bytes())
        self.metadata = {"authorization": f"Wechaty {relay.token}"}

    def open(self, name: str, timeout: float | None = 20, **metadata: str) -> Stream[bytes, bytes]:
        """A call in both directions."""
        return self.channel.request(
            SERVICE + name,
            Cardinality.STREAM_STREAM,
            bytes,
            bytes,
            timeout=timeout,
            metadata=self.metadata | {key.replace("_", "-"): value for key, value in metadata.items()},
        )

    async def ask(self, name: str, *messages: bytes, **metadata: Any) -> list[bytes]:
        """A whole call; its answers."""
        async with self.open(name, **metadata) as stream:
            await stream.send_request()
            for message in messages:
                await stream.send_message(message)
            await stream.end()
            return [answer async for answer in stream]


@contextlib.asynccontextmanager
async def _running(relays: Relays) -> Any:
    async with odd_gateway() as gateway:
        relay = await relays(cast("Any", gateway))
        client = ByteClient(relay)
        yield gateway, relay, client
        client.channel.close()


async def test_unknown_call_streams_in_both_directions(relays: Relays) -> None:
    async with _running(relays) as (_, _, client), client.open("Echo", asks="什么".encode().hex()) as stream:
        await stream.send_request()
        await stream.recv_initial_metadata()
        assert stream.initial_metadata["began"] == "什么".encode().hex()
        for message in (b"\xff\x00 no protobuf", EMPTY, b"x" * 200_000):
            await stream.send_message(message)
            assert await stream.recv_message() == message
        await stream.end()
        assert await stream.recv_message() is None
        await stream.recv_trailing_metadata()
        assert stream.trailing_metadata["ended"] == "yes"


async def test_client_streaming_call_is_forwarded(relays: Relays) -> None:
    async with _running(relays) as (_, _, client):
        assert await client.ask("Total", *[bytes(100_000)] * 50) == [b"5000000"]


async def test_call_without_a_message_ends_at_the_gateway(relays: Relays) -> None:
    async with _running(relays) as (_, _, client), client.open("Total") as stream:
        await stream.send_request(end=True)
        assert await stream.recv_message() == b"0"


async def test_metadata_and_deadline_are_forwarded_without_the_relays_own(relays: Relays) -> None:
    async with _running(relays) as (gateway, _, client):
        (answer,) = await client.ask("Facts", EMPTY, more="yes", relay_epoch="3", relay_acknowledged="ab:1")
    metadata, seconds = json.loads(answer)
    assert metadata["authorization"] == f"Wechaty {gateway.token}"
    assert metadata["more"] == "yes"
    assert not [key for key in metadata if key.startswith("relay-")]
    assert 15 < seconds <= 20


async def test_error_is_forwarded_unchanged(relays: Relays) -> None:
    async with _running(relays) as (_, _, client):
        with pytest.raises(GRPCError) as refused:
            await client.ask("Refuse", EMPTY)
    assert (refused.value.status, refused.value.message) == (Status.RESOURCE_EXHAUSTED, "操作过于频繁")


async def test_call_unknown_to_the_gateway_is_unimplemented(official: Start, relays: Relays) -> None:
    relay = await relays(await official())
    client = ByteClient(relay)
    with pytest.raises(GRPCError) as refused:
        await client.ask("NoSuchCall", EMPTY)
    assert refused.value.status is Status.UNIMPLEMENTED
    client.channel.close()


async def test_cancelled_call_is_cancelled_at_the_gateway(relays: Relays) -> None:
    async with _running(relays) as (gateway, _, client):
        async with client.open("Hang") as stream:
            await stream.send_message(EMPTY)
            await asyncio.wait_for(gateway.hanging.wait(), SECONDS)
            await stream.cancel()
        await asyncio.wait_for(gateway.cancelled.wait(), SECONDS)
        assert await client.ask("Version", EMPTY) == [EMPTY]


async def test_call_fails_as_unavailable_when_the_gateway_dies(official: Start, relays: Relays) -> None:
    gateway = await official()
    relay = await relays(gateway)
    client = RelayClient(relay)
    await gateway.fault("ContactPayload", "hang")
    call = asyncio.create_task(client.call("ContactPayload", id="c0"))
    await gateway.wait_calls("ContactPayload")
    await gateway.kill()
    with pytest.raises(GRPCError) as lost:
        await call
    assert (lost.value.status, lost.value.message) == (Status.UNAVAILABLE, "the connection to the gateway was lost")
    await relay.until("relay_gateway_up", 0)
    with pytest.raises(GRPCError) as refused:
        await client.call("Version")
    assert (refused.value.message or "").startswith("the relay has no connection"), "which says that nothing was sent"
    client.close()


async def test_slow_reader_uses_no_memory_and_blocks_nobody(relays: Relays) -> None:
    async with _running(relays) as (_, relay, client):
        process = psutil.Process(relay.process.pid)
        slow = ByteClient(relay)
        await client.ask("Version", EMPTY)
        before = process.memory_info().rss
        async with slow.open("Flood", timeout=60) as stream:
            await stream.send_message(EMPTY, end=True)
            for _ in range(100):
                assert await client.ask("Echo", b"quick") == [b"quick"]
            assert process.memory_info().rss - before < 8 * 2**20, "20 MB wait at the gateway, not here"
            assert len([message async for message in stream]) == MANY
        slow.channel.close()


async def test_non_grpc_request_is_rejected(relays: Relays, tmp_path: Path) -> None:
    async with _running(relays) as (_, relay, client):
        process = await asyncio.create_subprocess_exec(
            "curl", "-s", "-o", str(tmp_path / "answer"), "-w", "%{http_code}", "--http2-prior-knowledge",
            f"http://{relay.endpoint}/", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert (await process.communicate())[0] == b"415"
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n" * 10)
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), SECONDS)
        writer.close()
        assert await client.ask("Version", EMPTY) == [EMPTY]
