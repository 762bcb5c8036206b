"""Images and files sent by business systems: as base64, or fetched from hosts that the config allows."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import aiohttp
from yarl import URL

from config.settings import ApiSettings
from errors import BodyTooLarge, InvalidParameter, StorageFull
from services.messaging.http_client import HttpClient, TooLong, read_bounded
from services.messaging.media import MediaFull, MediaStore, StoredFile
from wechat.entities import Media

MAX_ATTACHMENT: Final = 20 * 1024 * 1024  # bytes
FETCH_SECONDS: Final = 20.0
MAX_NAME: Final = 100
NO_ADDRESS: Final = "no address; allowed: one that begins with http:// or https://"
_FORBIDDEN_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]')
PICTURES: Final = (  # magic bytes of image formats, with their suffix
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"GIF8[79]a"), ".gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"BM"), ".bmp"),
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a request: `url`, or `base64` with a name. `picture`: send it as an image."""

    picture: bool
    url: str = ""
    base64: str = ""
    name: str = ""


class Attachments:
    """Stores attachments until they are sent."""

    def __init__(self, media: MediaStore, http: HttpClient, settings: ApiSettings) -> None:
        self._media = media
        self._http = http
        self._settings = settings

    async def store(self, attachment: Attachment) -> StoredFile:
        """Store the file on disk; raise InvalidParameter or BodyTooLarge."""
        if attachment.url:
            data, name = await self._fetch(attachment.url), attachment.name or unquote(URL(attachment.url).name)
        else:
            data, name = _decoded(attachment.base64), attachment.name
        if not data:
            raise InvalidParameter("base64 or url: the file is empty")
        if len(data) > MAX_ATTACHMENT:
            raise BodyTooLarge(f"{len(data)} bytes")
        name = _FORBIDDEN_IN_NAMES.sub("_", name).strip(". ")[-MAX_NAME:] or "file"
        if attachment.picture:
            name = _picture_name(data, name)
        try:
            return await self._media.store(Media(name, data))
        except MediaFull as error:
            raise StorageFull(str(error)) from None

    async def _fetch(self, address: str) -> bytes:
        url = _url(address)
        if url.host not in self._settings.media_hosts and url.authority not in self._settings.media_hosts:
            raise InvalidParameter(f"url: {url.host} is not in api.media_hosts")
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                async with self._http.session.get(url, allow_redirects=False) as response:
                    if response.status != 200:
                        raise InvalidParameter(f"url: it returned status {response.status}")
                    return await read_bounded(response, MAX_ATTACHMENT)
        except TooLong as error:
            raise BodyTooLarge(str(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise InvalidParameter(f"url: could not download the file: {type(error).__name__}") from None


def _url(address: str) -> URL:
    try:
        url = URL(address)
    except ValueError:
        raise InvalidParameter(f"url: {NO_ADDRESS}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidParameter(f"url: {NO_ADDRESS}")
    return url


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParameter("base64: cannot be decoded; allowed: standard base64 with padding") from None


def _picture_name(data: bytes, name: str) -> str:
    """Return a name with a suffix for which gateways send an image; raise InvalidParameter if the data is not one."""
    suffix = next((suffix for begin, suffix in PICTURES if begin.match(data)), None)
    if suffix is None:
        raise InvalidParameter("image: not a picture; allowed: PNG, JPEG, GIF, WebP or BMP")
    has_suffix = name.lower().endswith((suffix, ".jpeg") if suffix == ".jpg" else suffix)
    return name if has_suffix else f"{name}{suffix}"
