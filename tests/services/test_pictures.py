"""Images are decoded in a child process, so that decompression bombs and crashes do not affect the bot."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import segno
from PIL import Image

from services.moderation.barcodes import codes_in
from services.moderation.pictures import QrReader
from tests.waiting import SECONDS

CODE = "https://example.com/join"


@pytest.fixture
async def reader() -> AsyncIterator[QrReader]:
    reader = QrReader(seconds=60.0)
    yield reader
    await reader.close()


def qr_code(**save: object) -> bytes:
    code = io.BytesIO()
    segno.make(CODE).save(code, kind="png", scale=6, border=4)
    if not save:
        return code.getvalue()
    other = io.BytesIO()
    Image.open(code).convert("RGB").save(other, **save)  # type: ignore[arg-type]
    return other.getvalue()


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
    assert await reader.read(qr_code(format="JPEG")) == [CODE]


@pytest.mark.parametrize("format", ["GIF", "TIFF", "BMP", "WEBP"])
async def test_qr_code_is_read_in_every_format(reader: QrReader, format: str) -> None:
    assert await reader.read(qr_code(format=format)) == [CODE]


async def test_qr_code_in_a_later_frame_is_read(reader: QrReader) -> None:
    plain = [Image.new("L", (300, 300), shade) for shade in (255, 200, 100)]
    code = Image.open(io.BytesIO(qr_code())).convert("L").resize((300, 300))
    animation = io.BytesIO()
    plain[0].save(animation, format="GIF", save_all=True, append_images=[*plain[1:], code])
    assert CODE in await reader.read(animation.getvalue())


async def test_qr_code_in_the_middle_of_a_long_animation_is_read(reader: QrReader) -> None:
    plain = [Image.new("L", (240, 240), shade) for shade in range(60)]
    plain[37] = Image.open(io.BytesIO(qr_code())).convert("L").resize((240, 240))
    animation = io.BytesIO()
    plain[0].save(animation, format="GIF", save_all=True, append_images=plain[1:])
    assert await reader.read(animation.getvalue()) == [CODE]


async def test_oversized_page_does_not_hide_other_pages(reader: QrReader) -> None:
    code = Image.open(io.BytesIO(qr_code())).convert("1")
    document = io.BytesIO()
    code.save(document, format="TIFF", save_all=True, append_images=[Image.new("1", (6000, 6000)), code])
    assert await reader.read(document.getvalue()) == [CODE, CODE]


async def test_qr_code_in_a_truncated_picture_is_read(reader: QrReader) -> None:
    whole = Image.effect_noise((400, 900), 90)
    whole.paste(Image.open(io.BytesIO(qr_code())).convert("L"), (20, 20))
    picture = io.BytesIO()
    whole.save(picture, format="JPEG")
    assert await reader.read(picture.getvalue()[: picture.tell() * 2 // 3]) == [CODE]


async def test_qr_code_in_a_large_grey_picture_needs_no_more_memory(reader: QrReader) -> None:
    large = io.BytesIO()
    code = Image.open(io.BytesIO(qr_code())).convert("L").resize((5000, 5000), Image.Resampling.NEAREST)
    code.save(large, format="PNG", compress_level=1)
    assert await reader.read(large.getvalue()) == [CODE]
    assert child_memory(reader) < 200 * 2**20


async def test_qr_code_before_trailing_bytes_is_read(reader: QrReader) -> None:
    assert await reader.read(qr_code() + os.urandom(5000)) == [CODE]


async def test_decompression_bomb_uses_no_memory(reader: QrReader) -> None:
    data = bomb()
    assert len(data) < 400_000
    assert await reader.read(data) == []
    assert child_memory(reader) < 150 * 2**20
    assert await reader.read(qr_code()) == [CODE]


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(50)])
async def test_non_picture_has_no_code(reader: QrReader, data: bytes) -> None:
    assert await reader.read(data) == []
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


def frames() -> Iterator[bytes]:
    data = qr_code()
    for cut in range(0, len(data), max(1, len(data) // 40)):
        yield data[:cut] + b"\xff" + data[cut + 1 :]


def test_damaged_pictures_raise_nothing() -> None:
    for data in frames():
        assert codes_in(data) in ([], [CODE])
