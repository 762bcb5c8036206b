"""Files on the wire: Wechaty's FileBox as JSON, and the bytes it stands for."""

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

# FileBoxType; the others (buffer, file, stream) never travel.
BASE64, URL, QR_CODE, UUID = 1, 2, 3, 7
INLINE: Final = 2 * 1024 * 1024  # the gateway takes messages of 4 MiB; base64 makes a third more of a file
LARGEST: Final = 100 * 1024 * 1024
FETCH_SECONDS: Final = 60
AROUND: Final = 4096  # characters of a box besides its base64
MAX_REDIRECTS: Final = 3  # within one host; to another host none is followed
HEADERS: Final = frozenset({"accept", "cookie", "referer", "user-agent"})  # those of a gateway's that are sent


async def to_box(media: Media, wire: Wire) -> str:
    """The box to send a file in: itself when it is small, else left with the gateway first."""
    if len(media.data) <= INLINE:
        return json.dumps({"type": BASE64, "name": media.name, "base64": base64.b64encode(media.data).decode()})
    return json.dumps({"type": UUID, "name": media.name, "uuid": await wire.upload(media.data)})


async def from_box(box: str, wire: Wire, *, limit: int = LARGEST) -> Media:
    """The file a box stands for, fetched at once: the gateway does not keep it long. WeChatRefused for a box that
    makes no sense or holds too much."""
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
    """The bytes at an address of the gateway's choice: no other headers than a download needs, no other host."""
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
