"""Decodes QR codes in images."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Final

import zxingcpp
from PIL import Image, ImageFile

log = logging.getLogger(__name__)

MAX_PIXELS: Final = 20_000_000  # limit of the decoded size; larger JPEGs are decoded at a reduced scale
MAX_GREY_PIXELS: Final = 60_000_000  # the same for images of one byte per pixel
MAX_FRAMES: Final = 100  # frames read of an animation, together of at most MAX_PIXELS
MAX_EDGE: Final = 2400  # pixels; larger images are reduced first, and scannable codes remain readable
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
CODES: Final = zxingcpp.BarcodeFormats(
    (zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.MicroQRCode, zxingcpp.BarcodeFormat.DataMatrix)
)
ImageFile.LOAD_TRUNCATED_IMAGES = True  # viewers show the beginning of an image that is cut off


def codes_in(data: bytes) -> list[str]:
    """Return the contents of the codes; [] if the data is not an image or is too large."""
    codes: list[str] = []
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            picture.draft("L", (MAX_EDGE, MAX_EDGE))
            for frame in _frames(picture):
                codes += _codes(frame)
    except Exception as error:  # noqa: BLE001 - decoders raise many kinds of exceptions for broken images
        log.info("could not fully decode a picture of %d bytes: %s", len(data), type(error).__name__)
    return codes


def _frames(picture: Image.Image) -> Iterator[Image.Image]:
    """Yield the frames or pages that are not too large; of a long animation some, including the first and last."""
    count = int(getattr(picture, "n_frames", 1))
    read = max(2, min(count, MAX_FRAMES, MAX_PIXELS // (picture.width * picture.height)))
    for number in sorted({round(step * (count - 1) / (read - 1)) for step in range(read)}):
        picture.seek(number)
        pixels = picture.width * picture.height  # known from the header, before decoding
        is_grey = len(picture.getbands()) == 1 and count == 1 and "transparency" not in picture.info
        if pixels > (MAX_GREY_PIXELS if is_grey else MAX_PIXELS):
            log.info("skipping a picture of %d x %d pixels: too large", picture.width, picture.height)
        else:
            yield picture


def _codes(frame: Image.Image) -> list[str]:
    grey = _on_white(frame)
    grey.thumbnail((MAX_EDGE, MAX_EDGE))
    return [code.text for code in zxingcpp.read_barcodes(grey, formats=CODES)]


def _on_white(picture: Image.Image) -> Image.Image:
    """Return the image in greyscale, on a white background like in a chat."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("L")
    layer = picture.convert("RGBA")
    background = Image.new("RGBA", layer.size, "white")
    background.alpha_composite(layer)
    return background.convert("L")
