"""Files over a scripted channel: chunks, errors, and what they mean for monitoring."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from grpclib.const import Cardinality

from errors import WeChatError, WeChatOffline, WeChatUnknown
from protocol import puppet_pb2 as pb
from tests.waiting import until
from tests.wechat.scripted_channel import ScriptedChannel, channel, failure, ignore, wire
from wechat.wire import CHUNK, Wire

__all__ = ["channel", "wire"]


@pytest.mark.parametrize(("move", "alive"), [("upload", True), ("download", True), ("nothing", False)])
async def test_running_transfer_counts_as_an_answer(
    channel: ScriptedChannel, wire: Wire, monkeypatch: pytest.MonkeyPatch, move: str, alive: bool
) -> None:
    now = [100.0]
    monkeypatch.setattr("wechat.wire.time", SimpleNamespace(monotonic=lambda: now[0]))
    if move == "nothing":
        await wire.upload(b"x")  # before the check began
    hanging = channel.hangs = asyncio.Event()
    checks = [asyncio.create_task(wire.is_alive(9)) for _ in range(2)]
    await until(lambda: len(channel.streams) == 2 + (move == "nothing"))
    channel.hangs = None
    now[0] += 1
    if move == "upload":
        await wire.upload(b"x")
    if move == "download":
        channel.answers = [pb.Chunk(chunk=b"x")]
        await wire.download("u", ignore)
    channel.fails["recv_message"] = TimeoutError()
    hanging.set()
    assert await checks[0] is alive
    assert await checks[1] is alive


async def test_transfer_of_a_closed_wire_is_no_answer(channel: ScriptedChannel, wire: Wire) -> None:
    hanging = channel.hangs = asyncio.Event()
    check = asyncio.create_task(wire.is_alive(9))
    await until(lambda: len(channel.streams) == 1)
    channel.hangs = None
    await wire.upload(b"x")
    wire.close()
    channel.fails["recv_message"] = TimeoutError()
    hanging.set()
    assert not await check


@pytest.mark.parametrize(
    ("size", "chunks"),
    [(0, []), (1, [1]), (CHUNK, [CHUNK]), (CHUNK + 1, [CHUNK, 1]), (2 * CHUNK + 5, [CHUNK, CHUNK, 5])],
)
async def test_upload_is_sent_in_chunks(channel: ScriptedChannel, wire: Wire, size: int, chunks: list[int]) -> None:
    assert CHUNK == 64 * 1024
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert await wire.upload(data) == "answer"
    sent = [message.chunk for message in channel.streams[0].sent]
    assert [len(chunk) for chunk in sent] == chunks
    assert b"".join(sent) == data
    assert channel.streams[0].ended
    assert channel.asked[0][0::4] == ("/wechaty.Puppet/Upload", 120.0)
    assert channel.asked[0][1] is Cardinality.STREAM_UNARY


@pytest.mark.parametrize(("step", "kind"), [("open", WeChatOffline), ("send_message", WeChatUnknown)])
async def test_upload_interrupted_by_a_lost_connection(
    channel: ScriptedChannel, wire: Wire, step: str, kind: type[WeChatError]
) -> None:
    channel.fails[step] = OSError("lost")
    assert type(await failure(wire.upload(b"x"))) is kind


async def test_download_passes_each_chunk_on(channel: ScriptedChannel, wire: Wire) -> None:
    taken: list[bytes] = []

    async def take(data: bytes) -> None:
        taken.append(data)

    channel.answers = [pb.Chunk(chunk=b"ab"), pb.Chunk(chunk=b"c")]
    await wire.download("u1", take)
    assert taken == [b"ab", b"c"]
    assert (channel.streams[0].sent, channel.streams[0].ended) == ([pb.Id(id="u1")], True)
    assert channel.asked[0][0::4] == ("/wechaty.Puppet/Download", 120.0)
    channel.fails["iterate"] = OSError("lost")
    assert type(await failure(wire.download("u1", take))) is WeChatUnknown
