"""Raw gRPC calls: messages are forwarded as bytes."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Final

from grpclib.client import Channel
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.base import CodecBase, StatusDetailsCodecBase
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.exceptions import H2Error

from protocol import CALLS, SERVICE

# Exceptions raised for a lost connection; AttributeError and AssertionError come from grpclib.
LOST: Final = (StreamTerminatedError, ProtocolError, H2Error, OSError, AttributeError, AssertionError)
UNARY_IN: Final = frozenset(call.path for call in CALLS.values() if not call.streams_in)


class RawCodec(CodecBase):
    """Codec that leaves messages as bytes."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        """Return the bytes."""
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        """Return the bytes."""
        return data


class RawStatusDetailsCodec(StatusDetailsCodecBase):
    """Codec that leaves status details as bytes."""

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        """Return the bytes."""
        return bytes(details)

    def decode(self, status: Status, message: str | None, data: bytes) -> Any:
        """Return the bytes."""
        return data


class EveryCall(dict[str, Handler]):
    """A grpclib method table with one handler for every path, known or not."""

    def __init__(self, serve: Any) -> None:
        super().__init__()
        self._handler = Handler(serve, Cardinality.STREAM_STREAM, bytes, bytes)

    def get(self, path: str, default: Any = None) -> Any:
        """Return the handler."""
        return self._handler


def path_of(name: str) -> str:
    """Return the path of a puppet service call."""
    return f"/{SERVICE}/{name}"


def pack(messages: list[bytes]) -> bytes:
    """Encode the messages of a response as one value."""
    return b"".join(struct.pack(">I", len(one)) + one for one in messages)


def unpack(data: bytes) -> list[bytes]:
    """Decode the result of `pack`."""
    messages, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        messages.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return messages


async def ask(
    channel: Channel, name: str, request: bytes, metadata: dict[str, str], timeout: float, limit: int = 64 << 20
) -> list[bytes]:
    """Make a call of the relay itself and return the response messages.

    Raises GRPCError, TimeoutError, LOST, or ValueError if they exceed `limit` bytes.
    """
    messages, size = [], 0
    opened = channel.request(
        path_of(name),
        Cardinality.UNARY_STREAM,
        bytes,
        bytes,
        timeout=timeout,
        metadata=metadata,
    )
    async with opened as stream:
        await stream.send_message(request, end=True)
        async for message in stream:
            size += len(message)
            if size > limit:
                raise ValueError(f"{name}: more than {limit} bytes")
            messages.append(message)
    return messages


async def pass_on(north: Any, first: bytes | None, path: str, channel: Channel, metadata: Any) -> None:
    """Forward a call and its responses. `first`: the request, if there is exactly one."""
    opened: Any = channel.request(
        path,
        Cardinality.STREAM_STREAM,
        bytes,
        bytes,
        deadline=north.deadline,
        metadata=metadata,
    )
    status, text, details = Status.OK, None, None
    try:
        async with opened:
            await opened.send_request()
            if first is not None:
                await opened.send_message(first, end=True)
                await _answers(opened, north)
            else:
                await _both_ways(opened, north)
    except GRPCError as error:
        status, text, details = error.status, error.message, error.details
    trailing = opened.trailing_metadata
    await north.send_trailing_metadata(status=status, status_message=text, status_details=details, metadata=trailing)


async def _both_ways(south: Any, north: Any) -> None:
    up = asyncio.create_task(_requests(north, south))
    try:
        await _answers(south, north)
    finally:
        up.cancel()
        await asyncio.gather(up, return_exceptions=True)


async def _requests(north: Any, south: Any) -> None:
    async for message in north:
        await south.send_message(message)
    await south.end()


async def _answers(south: Any, north: Any) -> None:
    await south.recv_initial_metadata()
    await north.send_initial_metadata(metadata=south.initial_metadata)
    async for message in south:
        await north.send_message(message)
    if south._end_done or south._send_message_done:
        await south.recv_trailing_metadata()
