"""Conversion between files and Wechaty's FileBox JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import json
from collections.abc import Collection
from typing import Any, Final

from errors import WeChatRefused
from protocol.codec import clean_json
from wechat.entities import Media
from wechat.fetcher import fetch
from wechat.names import clean_name
from wechat.received_file import ReceivedFile
from wechat.wire import Wire

# FileBoxType; other types are never sent
BASE64, URL, QR_CODE, UUID = 1, 2, 3, 7
MAX_INLINE: Final = 2 * 1024 * 1024  # the gateway accepts messages of 4 MiB; base64 adds a third
MAX_FILE: Final = 100 * 1024 * 1024
BOX_OVERHEAD: Final = 4096  # characters of a box besides its base64


async def to_box(media: Media, wire: Wire) -> str:
    """Return a FileBox: small files inline, others uploaded to the gateway first."""
    if len(media.data) <= MAX_INLINE:
        return json.dumps({"type": BASE64, "name": media.name, "base64": base64.b64encode(media.data).decode()})
    return json.dumps({"type": UUID, "name": media.name, "uuid": await wire.upload(media.data)})


async def from_box(
    box: str, wire: Wire, *, limit: int = MAX_FILE, on_disk: bool = False, private_hosts: Collection[str] = ()
) -> Media:
    """Return the file of a box, fetched immediately, because the gateway keeps it only for a short time. `on_disk`:
    large ones in a temporary file.

    Raises WeChatRefused for an invalid or too large box.
    """
    if len(box) > limit * 4 // 3 + BOX_OVERHEAD:
        raise WeChatRefused("file", f"more than {limit} bytes")
    received = ReceivedFile(limit, on_disk=on_disk)
    try:
        data = await asyncio.to_thread(_parsed, box)
        kind = data.get("type") or data.get("boxType")
        name = clean_name(str(data.get("name") or "").replace("\\", "/").rsplit("/", 1)[-1]) or "file"
        if kind == BASE64:
            return Media(name, await asyncio.to_thread(binascii.a2b_base64, data["base64"]))
        if kind == QR_CODE:
            return Media(name, await asyncio.to_thread(_qr_png, str(data["qrCode"])))
        if kind == URL:
            await fetch(data.get("url") or data["remoteUrl"], data.get("headers"), received, private_hosts)
            return await received.media(name)
        if kind == UUID:
            await wire.download(str(data["uuid"]), received.write)
            return await received.media(name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise WeChatRefused("file", f"the gateway returned an invalid file box ({type(error).__name__})") from None
    raise WeChatRefused("file", f"the gateway returned a file box of unknown type ({kind!r:.20})")


def _parsed(box: str) -> Any:
    return clean_json(json.loads(box))


def _qr_png(content: str) -> bytes:
    import segno  # 1 MB, loaded when a code is drawn

    output = io.BytesIO()
    segno.make(content, error="m").save(output, kind="png", scale=8)
    return output.getvalue()
