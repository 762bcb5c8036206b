"""Images are decoded in a child process, so that decompression bombs and crashes do not affect the bot."""

from __future__ import annotations

import asyncio
import io
import signal
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import segno
from PIL import Image

from services.moderation.pictures import QrReader
from tests.waiting import SECONDS

CODE = "https://example.com/join"


@pytest.fixture
async def reader() -> AsyncIterator[QrReader]:
    reader = QrReader(seconds=60.0)
    yield reader
    await reader.close()


def qr_code() -> bytes:
    code = io.BytesIO()
    segno.make(CODE).save(code, kind="png", scale=6, border=4)
    return code.getvalue()


def bomb(side: int = 7000) -> bytes:
    """Return a small PNG that decodes to a large image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side * 4 + 1)) for _ in range(side)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def child_memory(reader: QrReader) -> int:
    """Return the peak memory of the child process, in bytes."""
    assert reader._child is not None
    status = Path(f"/proc/{reader._child.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


async def test_qr_code_is_read(reader: QrReader) -> None:
    assert await reader.read(qr_code()) == [CODE]


async def test_qr_code_in_a_large_grey_picture_needs_no_more_memory(reader: QrReader) -> None:
    large = io.BytesIO()
    code = Image.open(io.BytesIO(qr_code())).convert("L").resize((5000, 5000), Image.Resampling.NEAREST)
    code.save(large, format="PNG", compress_level=1)
    assert await reader.read(large.getvalue()) == [CODE]
    assert child_memory(reader) < 200 * 2**20


async def test_decompression_bomb_uses_no_memory(reader: QrReader) -> None:
    data = bomb()
    assert len(data) < 400_000
    assert await reader.read(data) == []
    assert child_memory(reader) < 150 * 2**20
    assert await reader.read(qr_code()) == [CODE]


async def test_non_picture_has_no_code(reader: QrReader) -> None:
    assert await reader.read(b"no picture") == []
    assert await reader.read(qr_code()) == [CODE]


async def test_dead_child_is_replaced(reader: QrReader) -> None:
    assert await reader.read(qr_code()) == [CODE]
    assert reader._child is not None
    reader._child.send_signal(signal.SIGKILL)
    await reader._child.wait()
    assert await reader.read(qr_code()) == []
    assert await reader.read(qr_code()) == [CODE]


async def test_hanging_child_is_killed() -> None:
    reader = QrReader(seconds=20.0)
    try:
        assert await reader.read(qr_code()) == [CODE]
        assert reader._child is not None
        hung = reader._child
        hung.send_signal(signal.SIGSTOP)
        reader._seconds = 0.2
        assert await reader.read(qr_code()) == []
        assert hung.returncode == -signal.SIGKILL
        reader._seconds = 20.0
        assert await reader.read(qr_code()) == [CODE]
    finally:
        await reader.close()


async def test_idle_child_ends() -> None:
    reader = QrReader(seconds=20.0, idle_seconds=0.05)
    try:
        assert await reader.read(qr_code()) == [CODE]
        child = reader._child
        assert child is not None
        assert await asyncio.wait_for(child.wait(), SECONDS) == 0
        assert await reader.read(qr_code()) == [CODE]
    finally:
        await reader.close()
