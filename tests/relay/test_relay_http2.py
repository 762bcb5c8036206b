"""The relay's HTTP/2 against h2: flow control, header blocks, and violations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import h2.events
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from relay import frames
from relay.frames import WINDOW, ProtocolFault, frame
from relay.headers import HeaderDecoder, Headers
from relay.http2 import MAX_STREAMS, Http2Connection
from relay.reader import FrameReader
from relay.streams import Stream

REQUEST = [(":method", "POST"), (":scheme", "http"), (":path", "/p"), (":authority", "a"), ("te", "trailers")]
SETTINGS = frame(frames.SETTINGS, 0, 0)


class Echo:
    """Echoes every request's data, or leaves it unread."""

    def __init__(self, stream: Stream, headers: Headers, *, reads: bool = True) -> None:
        self.stream, self.headers, self.reads = stream, headers, reads
        self.codes: list[int | None] = []
        long = [field for field in headers.fields if field[0] == b"long"]
        stream.send_headers(Headers([(b":status", b"200"), *long]))

    def on_headers(self, headers: Headers, *, end: bool) -> None:
        self.on_data(b"", 0, end=end)

    def on_data(self, data: bytes, size: int, *, end: bool) -> None:
        if self.reads:
            self.stream.send_data(data, source=self.stream, size=size)
        if end:
            self.stream.send_headers(Headers([(b"grpc-status", b"0")]), end=True)

    def on_reset(self, code: int | None) -> None:
        self.codes.append(code)


class Peer:
    """A client made of h2."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.events: list[Any] = []

    async def more(self) -> None:
        """Flush, and wait for more data."""
        self.flush()
        data = await asyncio.wait_for(self.reader.read(65536), 10)
        if not data:
            raise EOFError
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def request(self, *more: tuple[str, str], end: bool = False) -> int:
        """Begin a call."""
        id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(id, [*REQUEST, *more], end_stream=end)
        return id

    async def until(self, kind: type, id: int) -> Any:
        """Wait for an event of a stream."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and getattr(event, "stream_id", 0) == id:
                    return event
            await self.more()


class Server:
    """A connection of the relay that echoes."""

    def __init__(self) -> None:
        self.reads = True
        self.calls: list[Echo] = []
        self.connections: list[Http2Connection] = []
        self.port = 0

    def accept(self, stream: Stream, headers: Headers) -> Echo:
        self.calls.append(Echo(stream, headers, reads=self.reads))
        return self.calls[-1]

    def connection(self) -> Http2Connection:
        self.connections.append(Http2Connection(self.accept))
        return self.connections[-1]


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, Peer]]:
    server = Server()
    listening = await asyncio.get_running_loop().create_server(server.connection, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    try:
        yield server, Peer(reader, writer)
    finally:
        writer.close()
        listening.close()


async def test_large_data_respects_flow_control() -> None:
    async with serving() as (_, peer):
        ids = [peer.request() for _ in range(3)]
        data = bytes(range(256)) * 4096  # a megabyte: 16 times a window
        left = dict.fromkeys(ids, data)
        while any(left.values()):
            for id in ids:
                room = min(peer.h2.local_flow_control_window(id), peer.h2.max_outbound_frame_size, len(left[id]))
                if room:
                    peer.h2.send_data(id, left[id][:room], pad_length=7 if room > 100 and room < 16000 else None)
                    left[id] = left[id][room:]
            await peer.more()
        for id in ids:
            peer.h2.end_stream(id)
        for id in ids:
            await peer.until(h2.events.TrailersReceived, id)
            got = [e.data for e in peer.events if isinstance(e, h2.events.DataReceived) and e.stream_id == id]
            assert b"".join(got) == data


async def test_headers_longer_than_a_frame_are_split() -> None:
    async with serving() as (_, peer):
        value = "v" * 40_000
        id = peer.request(("long", value), end=True)
        answer = await peer.until(h2.events.ResponseReceived, id)
        assert dict(answer.headers)[b"long"] == value.encode()


async def test_unread_data_is_credited_to_the_connection_at_stream_end() -> None:
    async with serving() as (server, peer):
        server.reads = False
        for _ in range(5):
            id = peer.request()
            for _ in range(3):
                peer.h2.send_data(id, b"x" * 16_000)
            await peer.until(h2.events.ResponseReceived, id)
            peer.h2.reset_stream(id, ErrorCodes.CANCEL)
        peer.h2.ping(b"12345678")
        while not any(isinstance(event, h2.events.PingAckReceived) for event in peer.events):
            await peer.more()
        connection = server.connections[0]
        assert (connection._unread, connection._unreported) == (0, 5 * 48_000)
        assert [call.codes for call in server.calls] == [[ErrorCodes.CANCEL]] * 5


async def test_streams_above_the_limit_are_refused() -> None:
    async with serving() as (_, peer):
        ids = [peer.request() for _ in range(MAX_STREAMS)]
        await peer.until(h2.events.ResponseReceived, ids[-1])
        peer.h2.remote_settings.max_concurrent_streams = MAX_STREAMS + 1
        peer.h2.remote_settings.acknowledge()
        refused = peer.request()
        assert (await peer.until(h2.events.StreamReset, refused)).error_code == ErrorCodes.REFUSED_STREAM
        peer.h2.end_stream(ids[0])
        await peer.until(h2.events.TrailersReceived, ids[0])


@pytest.mark.parametrize(("name", "value"), [("Upper", "x"), ("connection", "close"), ("a", "b\nc"), (":path", "/2")])
async def test_invalid_headers_end_only_their_stream(name: str, value: str) -> None:
    async with serving() as (_, peer):
        peer.h2.config.validate_outbound_headers = peer.h2.config.normalize_outbound_headers = False
        id = peer.request((name, value))
        assert (await peer.until(h2.events.StreamReset, id)).error_code == ErrorCodes.PROTOCOL_ERROR
        await peer.until(h2.events.ResponseReceived, peer.request())


def block(*fields: tuple[str, str]) -> bytes:
    return Encoder().encode([*REQUEST, *fields])


FAULTS = {
    "no preface": (b"GET / HTTP/1.1\r\n\r\n", ErrorCodes.PROTOCOL_ERROR),
    "no settings first": (frames.PREFACE + frame(frames.PING, 0, 0, b"x" * 8), ErrorCodes.PROTOCOL_ERROR),
    "a frame that is too large": (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", ErrorCodes.FRAME_SIZE_ERROR),
    "a frame within a header block": (
        frame(frames.HEADERS, 0, 1, b"") + frame(frames.PING, 0, 0, b"x" * 8),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "a continuation of nothing": (frame(frames.CONTINUATION, 4, 1, b""), ErrorCodes.PROTOCOL_ERROR),
    "an endless header block": (
        frame(frames.HEADERS, 0, 1, b"") + frame(frames.CONTINUATION, 0, 1, b"x" * 16_000) * 5,
        ErrorCodes.ENHANCE_YOUR_CALM,
    ),
    "no header block": (frame(frames.HEADERS, 4, 1, b"\xff\xff\xff\xff\xff"), ErrorCodes.COMPRESSION_ERROR),
    "an even stream": (frame(frames.HEADERS, 4, 2, block()), ErrorCodes.PROTOCOL_ERROR),
    "data of no stream": (frame(frames.DATA, 0, 7, b"x"), ErrorCodes.PROTOCOL_ERROR),
    "more padding than data": (
        frame(frames.HEADERS, 4, 1, block()) + frame(frames.DATA, frames.PADDED, 1, b"\x09x"),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "more data than the window": (
        frame(frames.HEADERS, 4, 1, block()) + frame(frames.DATA, 0, 1, b"x" * 16_384) * 5,
        ErrorCodes.FLOW_CONTROL_ERROR,
    ),
    "a window that is too large": (
        frame(frames.WINDOW_UPDATE, 0, 0, (2**31 - 1).to_bytes(4, "big")),
        ErrorCodes.FLOW_CONTROL_ERROR,
    ),
    "a push": (frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), ErrorCodes.PROTOCOL_ERROR),
    "frames of no size": (
        frame(frames.SETTINGS, 0, 0, frames.SETTING.pack(SettingCodes.MAX_FRAME_SIZE, 0)),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "half a setting": (frame(frames.SETTINGS, 0, 0, b"123"), ErrorCodes.FRAME_SIZE_ERROR),
}


@pytest.mark.parametrize("what", FAULTS)
async def test_protocol_violation_closes_the_connection(what: str) -> None:
    async with serving() as (server, peer):
        server.reads = False
        data, code = FAULTS[what]
        if not data.startswith((frames.PREFACE, b"GET")):
            data = frames.PREFACE + SETTINGS + data
        peer.writer.write(data)
        answer = await asyncio.wait_for(peer.reader.read(), 10)  # up to the end of the connection
        kind, _, _, payload = list(FrameReader(b"").feed(answer))[-1]
        assert (kind, int.from_bytes(payload[4:], "big")) == (frames.GOAWAY, code)


def _parsed(reader: FrameReader, data: bytes) -> list[tuple[object, ...]]:
    return [(*frame[:3], getattr(frame[3], "fields", frame[3])) for frame in reader.feed(data)]


@given(st.lists(st.integers(1, 200), max_size=30))
def test_frames_are_parsed_for_any_split(sizes: list[int]) -> None:
    whole = frames.PREFACE + SETTINGS + frame(frames.HEADERS, 4, 1, block(("a", "b"))) + frame(frames.DATA, 1, 1, b"z")
    expected, reader, at, got = _parsed(FrameReader(frames.PREFACE), whole), FrameReader(frames.PREFACE), 0, []
    for size in [*sizes, len(whole)]:
        got += _parsed(reader, whole[at : at + size])
        at += size
    assert got == expected
    assert len(got) == 3


NAMES = st.sampled_from([b"a", b"grpc-timeout", b"content-type", b"authorization", b":path"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=300)), max_size=6)


@given(FIELDS)
def test_header_block_round_trip(fields: list[tuple[bytes, bytes]]) -> None:
    assert [tuple(field) for field in Decoder().decode(Headers(fields).block, raw=True)] == fields


@given(st.lists(st.tuples(FIELDS, st.booleans()), max_size=12), st.lists(st.integers(0, 4096), max_size=3))
def test_cached_header_blocks_follow_the_dynamic_table(
    calls: list[tuple[list[tuple[bytes, bytes]], bool]], sizes: list[int]
) -> None:
    encoder, decoder = Encoder(), HeaderDecoder()
    for number, (fields, again) in enumerate(calls):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        for _ in range(1 + again * 2):
            assert list(decoder.decode(encoder.encode(fields)).fields) == fields


def test_only_short_header_blocks_are_remembered() -> None:
    """A peer that has not shown its token yet may send any number of long ones."""
    decoder, short, long = HeaderDecoder(), Headers([(b"a", b"b")]), Headers([(b"a", b"b" * 5000)])
    assert decoder.decode(short.block) is decoder.decode(short.block)
    assert decoder.decode(long.block) is not decoder.decode(long.block)


def test_oversized_header_table_is_rejected() -> None:
    encoder, decoder = Encoder(), HeaderDecoder()
    encoder.header_table_size = 2**20
    with pytest.raises(ProtocolFault):
        decoder.decode(encoder.encode([(b"a", b"b")]))


def test_stream_is_limited_to_one_window() -> None:
    stream = Stream(None, 1, WINDOW)  # type: ignore[arg-type]
    assert stream.received(WINDOW)
    assert not stream.received(1)
