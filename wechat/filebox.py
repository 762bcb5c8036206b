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


async def to_box(media: Media, wire: Wire) -> str:
    """The box to send a file in: itself when it is small, else left with the gateway first."""
    if len(media.data) <= INLINE:
        return json.dumps({"type": BASE64, "name": media.name, "base64": base64.b64encode(media.data).decode()})
    return json.dumps({"type": UUID, "name": media.name, "uuid": await wire.upload(media.data)})


async def from_box(box: str, wire: Wire, *, limit: int = LARGEST) -> Media:
    """The file a box stands for, fetched at once: the gateway does not keep it long. WeChatRefused for a box that
    makes no sense or holds too much."""
    try:
        data = clean_json(json.loads(box))
        kind = data.get("type") or data.get("boxType")
        name = clean_name(str(data.get("name") or "").replace("\\", "/").rsplit("/", 1)[-1]) or "file"
        if kind == BASE64:
            return Media(name, base64.b64decode(data["base64"]))
        if kind == QR_CODE:
            return Media(name, await asyncio.to_thread(_qr_png, str(data["qrCode"])))
        if kind == URL:
            return Media(name, await _fetch(data.get("url") or data["remoteUrl"], data.get("headers"), limit))
        if kind == UUID:
            return Media(name, await wire.download(str(data["uuid"]), limit))
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise WeChatRefused("file", f"the gateway's file box is not usable ({type(error).__name__})") from None
    raise WeChatRefused("file", f"the gateway's file box is of an unknown type ({kind!r:.20})")


def _qr_png(content: str) -> bytes:
    out = io.BytesIO()
    segno.make(content, error="m").save(out, kind="png", scale=8)
    return out.getvalue()


async def _fetch(url: str, headers: Any, limit: int) -> bytes:
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, headers=headers or {}) as answer:
            if answer.status != 200:
                raise WeChatRefused("file", f"its address answered {answer.status}")
            data = bytearray()
            async for chunk in answer.content.iter_chunked(64 * 1024):
                data += chunk
                if len(data) > limit:
                    raise WeChatRefused("file", f"more than {limit} bytes")
            return bytes(data)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise WeChatUnknown("file", f"its address could not be read ({type(error).__name__})") from None
