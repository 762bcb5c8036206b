"""Batched writes: combined, in order, and limited in number."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from protocol.batched_channel import MAX_WRITES, BatchedTransport


class Wire:
    """A transport that records what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def channel() -> tuple[Wire, BatchedTransport]:
    wire = Wire()
    return wire, BatchedTransport(cast("Any", wire))


async def test_writes_of_one_loop_iteration_are_combined() -> None:
    wire, transport = channel()
    transport.write(b"head")
    transport.write(b"body")
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [b"headbody"]
    await asyncio.sleep(0)
    assert wire.written == [b"headbody"]


async def test_many_writes_are_flushed_early() -> None:
    wire, transport = channel()
    pieces = [bytes([number]) for number in range(2 * MAX_WRITES + 3)]
    for piece in pieces:
        transport.write(piece)
    assert [len(data) for data in wire.written] == [MAX_WRITES, MAX_WRITES]
    await asyncio.sleep(0)
    assert b"".join(wire.written) == b"".join(pieces)


async def test_close_flushes_and_discards_later_writes() -> None:
    wire, transport = channel()
    transport.write(b"last")
    transport.close()
    assert wire.written == [b"last"] and wire.closed
    transport.write(b"late")
    await asyncio.sleep(0)
    assert wire.written == [b"last"]
