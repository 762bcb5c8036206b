"""Reads the QR codes in a picture's bytes."""

from __future__ import annotations

import io
import logging
from typing import Final

import zxingcpp
from PIL import Image

log = logging.getLogger(__name__)

MAX_PIXELS: Final = 50_000_000
EDGE: Final = 2400  # larger pictures are made smaller first: a code that people can scan is still there
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
CODES: Final = zxingcpp.BarcodeFormats(
    (zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.MicroQRCode, zxingcpp.BarcodeFormat.DataMatrix)
)


def codes_in(data: bytes) -> list[str]:
    """What the codes say; nothing for what is no picture, or too large a one."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return []
            picture.draft("L", (EDGE, EDGE))
            grey = _on_white(picture)
        grey.thumbnail((EDGE, EDGE))
        return [code.text for code in zxingcpp.read_barcodes(grey, formats=CODES)]
    except Exception as error:  # noqa: BLE001 - decoders fail in any way on broken pictures; those show no code
        log.info("a picture of %d bytes cannot be read: %s", len(data), type(error).__name__)
        return []


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture in grey; what is transparent shows white, as in a chat."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("L")
    layer = picture.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    ground.alpha_composite(layer)
    return ground.convert("L")
