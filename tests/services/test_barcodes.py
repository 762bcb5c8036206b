"""QR codes in images of all kinds, and the limits of what is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
import segno
import zxingcpp
from PIL import Image

from services.moderation import barcodes
from services.moderation.barcodes import codes_in

CODE = "https://example.com/join"


def code(side: int = 200) -> Image.Image:
    """A QR code in grey."""
    png = io.BytesIO()
    segno.make(CODE).save(png, kind="png", scale=6, border=4)
    return Image.open(png).convert("L").resize((side, side), Image.Resampling.NEAREST)


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def animation(*frames: Image.Image, format: str = "GIF") -> bytes:
    return saved(frames[0], format, save_all=True, append_images=frames[1:])


def shades(count: int, side: int = 200) -> list[Image.Image]:
    return [Image.new("L", (side, side), 255 - 2 * number) for number in range(count)]


@pytest.mark.parametrize("format", barcodes.FORMATS)
def test_code_is_read_in_every_format(format: str) -> None:
    assert codes_in(saved(code().convert("RGB"), format)) == [CODE]


def test_micro_qr_and_data_matrix_are_decoded() -> None:
    micro = io.BytesIO()
    segno.make_micro("12345").save(micro, kind="png", scale=6)
    assert codes_in(micro.getvalue()) == ["12345"]
    matrix = zxingcpp.create_barcode("text", zxingcpp.BarcodeFormat.DataMatrix)
    assert codes_in(saved(Image.fromarray(zxingcpp.write_barcode_to_image(matrix, scale=6)))) == ["text"]


def test_all_codes_of_an_image_are_read() -> None:
    two = Image.new("L", (440, 200), 255)
    two.paste(code(), (0, 0))
    two.paste(code(), (240, 0))
    assert codes_in(saved(two)) == [CODE, CODE]


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(50)])
def test_non_picture_has_no_code(data: bytes) -> None:
    assert codes_in(data) == []


def test_code_in_a_truncated_picture_is_read() -> None:
    whole = Image.effect_noise((400, 900), 90)
    whole.paste(code(), (20, 20))
    data = saved(whole, "JPEG")
    assert codes_in(data[: len(data) * 2 // 3]) == [CODE]


def test_trailing_bytes_are_ignored() -> None:
    assert codes_in(saved(code()) + b"\x00\xff" * 2500) == [CODE]


def test_damaged_pictures_raise_nothing() -> None:
    data = saved(code())
    for cut in range(0, len(data), max(1, len(data) // 40)):
        assert codes_in(data[:cut] + b"\xff" + data[cut + 1 :]) in ([], [CODE])


# ---- transparency ----


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparent_parts_are_white(mode: str) -> None:
    """All pixels are black; only the dark modules of the code are opaque."""
    shown = code().point(lambda value: 255 - value)
    if mode == "P":
        picture = Image.frombytes("P", shown.size, bytes(value > 0 for value in shown.tobytes()))
        picture.putpalette([0, 0, 0] * 2)
        assert codes_in(saved(picture, transparency=0)) == [CODE]
        return
    picture = Image.new(mode, shown.size)
    picture.putalpha(shown)
    assert codes_in(saved(picture)) == [CODE]


# ---- limits ----


@pytest.mark.parametrize(
    ("side", "mode", "is_read"),
    [
        (200, "RGB", True),
        (201, "RGB", False),
        (201, "L", True),
        (300, "L", True),
        (301, "L", False),
        (201, "LA", False),
    ],
)
def test_large_images_are_skipped(monkeypatch: pytest.MonkeyPatch, side: int, mode: str, is_read: bool) -> None:
    """Those of one byte per pixel may be larger."""
    monkeypatch.setattr(barcodes, "MAX_PIXELS", 200 * 200)
    monkeypatch.setattr(barcodes, "MAX_GREY_PIXELS", 300 * 300)
    picture = code(side).convert(mode)
    for format in ("PNG", "JPEG") if mode == "L" else ("PNG",):
        assert codes_in(saved(picture, format)) == ([CODE] if is_read else []), format


def test_large_grey_image_with_a_transparent_shade_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barcodes, "MAX_PIXELS", 200 * 200)
    assert codes_in(saved(code(201), transparency=7)) == []
    assert codes_in(saved(code(200), transparency=7)) == [CODE]


def test_large_page_does_not_hide_other_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barcodes, "MAX_PIXELS", 5 * 200 * 200)
    pages = [code(), Image.new("L", (500, 500), 255), code()]
    assert codes_in(animation(*pages, format="TIFF")) == [CODE, CODE]
    pages[1] = code(500)
    assert codes_in(animation(*pages, format="TIFF")) == [CODE, CODE], "it has a code, too, but is too large"


def png_header(width: int, height: int, colour: int) -> bytes:
    """Return a PNG without pixels; `colour`: 0 = grey, 2 = RGB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("pixels", "colour", "is_decoded"),
    [(20_000_000, 2, True), (20_000_001, 2, False), (60_000_000, 0, True), (60_000_001, 0, False)],
)
def test_limits_of_the_decoded_size(pixels: int, colour: int, is_decoded: bool) -> None:
    """The size is known from the header."""
    with Image.open(io.BytesIO(png_header(pixels, 1, colour))) as picture:
        assert len(list(barcodes._frames(picture))) == is_decoded


def test_large_image_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []

    def read_barcodes(image: Image.Image, **_options: Any) -> list[Any]:
        sizes.append(image.size)
        return []

    monkeypatch.setattr(zxingcpp, "read_barcodes", read_barcodes)
    for size in ((4800, 200), (2400, 200), (200, 4800)):
        codes_in(saved(Image.new("L", size)))
    assert sizes == [(2400, 100), (2400, 200), (100, 2400)]


def test_hundred_frames_of_an_animation_are_read() -> None:
    with Image.open(io.BytesIO(animation(*shades(120, 4)))) as picture:
        read = [frame.tell() for frame in barcodes._frames(picture)]
    assert (len(read), read[0], read[-1]) == (100, 0, 119)


@pytest.mark.parametrize(
    ("count", "most", "pixels", "read"),
    [
        (1, 100, 100, [0]),
        (2, 100, 100, [0, 1]),
        (5, 100, 100, [0, 1, 2, 3, 4]),
        (5, 3, 100, [0, 2, 4]),
        (5, 100, 3, [0, 2, 4]),
        (5, 100, 1, [0, 4]),
        (5, 1, 100, [0, 4]),
        (9, 4, 100, [0, 3, 5, 8]),
    ],
)
def test_some_frames_of_a_long_animation_are_read(
    monkeypatch: pytest.MonkeyPatch, count: int, most: int, pixels: int, read: list[int]
) -> None:
    """`pixels`: how many frames' pixels may be read together."""
    monkeypatch.setattr(barcodes, "MAX_FRAMES", most)
    monkeypatch.setattr(barcodes, "MAX_PIXELS", pixels * 20 * 20)
    with Image.open(io.BytesIO(animation(*shades(count, 20)))) as picture:
        assert [frame.tell() for frame in barcodes._frames(picture)] == read


def test_code_in_a_later_frame_is_read() -> None:
    frames = shades(4)
    frames[2] = code()
    assert codes_in(animation(*frames)) == [CODE]
