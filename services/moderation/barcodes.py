"""Decodes QR codes in images."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Final

import zxingcpp
from PIL import Image

log = logging.getLogger(__name__)

MAX_PIXELS: Final = 20_000_000  # limit of the decoded size; larger JPEGs are decoded at a reduced scale
MAX_FRAMES: Final = 8  # frames read of an animation
EDGE: Final = 2400  # pixels; larger images are reduced first, and scannable codes remain readable
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
CODES: Final = zxingcpp.BarcodeFormats(
    (zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.MicroQRCode, zxingcpp.BarcodeFormat.DataMatrix)
)


def codes_in(data: bytes) -> list[str]:
    """Return the contents of the codes; [] if the data is not an image or is too large."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            picture.draft("L", (EDGE, EDGE))
            if picture.width * picture.height > MAX_PIXELS:  # known from the header, before decoding
                log.info("skipping a picture of %d x %d pixels: too large", picture.width, picture.height)
                return []
            return [code for frame in _frames(picture) for code in _codes(frame)]
    except Exception as error:  # noqa: BLE001 - decoders raise many kinds of exceptions for broken images
        log.info("could not decode a picture of %d bytes: %s", len(data), type(error).__name__)
        return []


def _frames(picture: Image.Image) -> Iterator[Image.Image]:
    """Yield the image, or some frames of an animation including the first and last."""
    count = int(getattr(picture, "n_frames", 1))
    for number in sorted({round(step * (count - 1) / max(1, MAX_FRAMES - 1)) for step in range(MAX_FRAMES)}):
        picture.seek(number)
        yield picture


def _codes(frame: Image.Image) -> list[str]:
    grey = _on_white(frame)
    grey.thumbnail((EDGE, EDGE))
    return [code.text for code in zxingcpp.read_barcodes(grey, formats=CODES)]


def _on_white(picture: Image.Image) -> Image.Image:
    """Return the image in greyscale, on a white background like in a chat."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("L")
    layer = picture.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    ground.alpha_composite(layer)
    return ground.convert("L")
