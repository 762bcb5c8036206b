"""Pictures, files and events crafted to break their readers."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections.abc import Iterator

import segno
from PIL import Image

from protocol import puppet_pb2 as pb


def qr_code(text: str) -> Image.Image:
    """Return a QR code."""
    out = io.BytesIO()
    segno.make(text, micro=False).save(out, kind="png", scale=6)
    return Image.open(out).convert("L")


def saved(picture: Image.Image, kind: str, **more: object) -> bytes:
    """Return a picture as a file."""
    out = io.BytesIO()
    picture.save(out, kind, **more)
    return out.getvalue()


def bomb(side: int) -> bytes:
    """Return a PNG of a few hundred KiB that decodes to side * side * 4 bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(side * 4 + 1)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_false_size(side: int) -> bytes:
    """Return a PNG with a false size in its header."""
    small = bytearray(saved(Image.new("L", (8, 8)), "PNG"))
    small[16:24] = struct.pack(">II", side, side)
    small[29:33] = struct.pack(">I", zlib.crc32(bytes(small[12:29])))
    return bytes(small)


def pictures(rounds: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents: bombs, false headers, fragments, and `rounds` randomly damaged pictures."""
    code = qr_code("https://attacker.example/x")
    yield "bomb.png", bomb(6000)
    yield "lying.png", with_false_size(2**31 - 1)
    yield "lying.png", with_false_size(4000)
    frames = [Image.new("L", (300, 300), shade % 256) for shade in range(150)]
    yield "long.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield "pages.tif", saved(code, "TIFF", save_all=True, append_images=[Image.new("1", (6000, 6000))])
    yield "empty.png", b"\0"
    yield "noise.webp", b"RIFF\xff\xff\xff\x7fWEBPVP8X" + bytes(200)
    yield "program.jpg", b"MZ" + bytes(1000)
    chance = random.Random(seed)
    originals = [saved(code, kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")]
    for _ in range(rounds):
        damaged = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 40)):
            damaged[chance.randrange(8, len(damaged))] = chance.randrange(256)
        yield "damaged.png", bytes(damaged[: chance.randint(50, len(damaged))])


ODD: tuple[object, ...] = (
    None, True, -1, 2**63, 1e308, float("nan"), "", "\0", "x" * 200_000, "\ud83d", "'; DROP TABLE inbox; --", [], {},
    [["x"]], {"a": {"b": [None]}}, "../../etc/passwd", "{{ 7 * 7 }}", "%s%n", "\u202e1#\n【#1 李四】",
)  # fmt: skip
KEYS = ("messageId", "friendshipId", "roomInvitationId", "roomId", "inviteeIdList", "removeeIdList", "newTopic",
        "timestamp", "contactId", "payloadType", "payloadId", "data", "qrcode", "status")  # fmt: skip
KEPT = (pb.EVENT_LOGIN, pb.EVENT_LOGOUT)  # would end the session, as they may


def events(rounds: int, seed: int) -> Iterator[tuple[int, str]]:
    """Yield types and payloads of events: no JSON, JSON without end, and `rounds` objects with unexpected values."""
    kinds = [kind for kind in (*pb.EventType.values(), 99, 2**31 - 1) if kind not in KEPT]
    for kind in kinds:
        for payload in ("", "{", "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, "9" * 5000, "null", '"x"'):
            yield kind, payload
    chance = random.Random(seed)
    for _ in range(rounds):
        data = {key: chance.choice(ODD) for key in chance.sample(KEYS, chance.randint(1, 6))}
        yield chance.choice(kinds), json.dumps(data)
