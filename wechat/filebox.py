"""Conversion between files and Wechaty's FileBox JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import json
from typing import Any, Final

import aiohttp
import segno
import yarl

from errors import WeChatRefused, WeChatUnknown
from protocol.codec import clean_json
from wechat.events import Media
from wechat.names import clean_name
from wechat.wire import Wire

# FileBoxType; other types are never sent
BASE64, URL, QR_CODE, UUID = 1, 2, 3, 7
INLINE: Final = 2 * 1024 * 1024  # the gateway accepts messages of 4 MiB; base64 adds a third
LARGEST: Final = 100 * 1024 * 1024
FETCH_SECONDS: Final = 60
AROUND: Final = 4096  # characters of a box besides its base64
MAX_REDIRECTS: Final = 3  # within a host; redirects to other hosts are not followed
HEADERS: Final = frozenset({"accept", "cookie", "referer", "user-agent"})  # headers of a gateway's box that are sent


async def to_box(media: Media, wire: Wire) -> str:
    """Return a FileBox: small files inline, others uploaded to the gateway first."""
    if len(media.data) <= INLINE:
        return json.dumps({"type": BASE64, "name": media.name, "base64": base64.b64encode(media.data).decode()})
    return json.dumps({"type": UUID, "name": media.name, "uuid": await wire.upload(media.data)})


async def from_box(box: str, wire: Wire, *, limit: int = LARGEST) -> Media:
    """Fetch the file of a FileBox; raise WeChatRefused if it is invalid or too large."""
    if len(box) > limit * 4 // 3 + AROUND:
        raise WeChatRefused("file", f"more than {limit} bytes")
    try:
        data = await asyncio.to_thread(_parsed, box)
        kind = data.get("type") or data.get("boxType")
        name = clean_name(str(data.get("name") or "").replace("\\", "/").rsplit("/", 1)[-1]) or "file"
        if kind == BASE64:
            return Media(name, await asyncio.to_thread(base64.b64decode, data["base64"]))
        if kind == QR_CODE:
            return Media(name, await asyncio.to_thread(_qr_png, str(data["qrCode"])))
        if kind == URL:
            return Media(name, await _fetch(data.get("url") or data["remoteUrl"], data.get("headers"), limit))
        if kind == UUID:
            return Media(name, await wire.download(str(data["uuid"]), limit))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise WeChatRefused("file", f"the gateway's file box is not usable ({type(error).__name__})") from None
    raise WeChatRefused("file", f"the gateway's file box is of an unknown type ({kind!r:.20})")


def _parsed(box: str) -> Any:
    return clean_json(json.loads(box))


def _qr_png(content: str) -> bytes:
    out = io.BytesIO()
    segno.make(content, error="m").save(out, kind="png", scale=8)
    return out.getvalue()


async def _fetch(address: str, headers: Any, limit: int) -> bytes:
    """Download a URL provided by the gateway, with harmless headers only and without leaving its host."""
    url = yarl.URL(address)
    if url.scheme not in ("http", "https") or not url.host:
        raise WeChatRefused("file", "its address is no web address")
    sent = {name: str(value) for name, value in (headers or {}).items() if name.lower() in HEADERS}
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS)) as session:
            for _ in range(MAX_REDIRECTS + 1):
                async with session.get(url, headers=sent, allow_redirects=False) as answer:
                    if answer.status not in (301, 302, 303, 307, 308):
                        return await _read(answer, limit)
                    leads_to = url.join(yarl.URL(answer.headers.get("Location", "")))
                if leads_to.origin() != url.origin():
                    raise WeChatRefused("file", "its address leads to another host")
                url = leads_to
    except (aiohttp.ClientError, TimeoutError) as error:
        raise WeChatUnknown("file", f"its address could not be read ({type(error).__name__})") from None
    raise WeChatRefused("file", f"its address leads on more than {MAX_REDIRECTS} times")


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    if answer.status != 200:
        raise WeChatRefused("file", f"its address answered {answer.status}")
    data = bytearray()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        data += chunk
        if len(data) > limit:
            raise WeChatRefused("file", f"more than {limit} bytes")
    return bytes(data)
