"""File boxes, which carry files in the protocol (the JSON format of npm's `file-box`)."""

from __future__ import annotations

import base64
import io
import json
import uuid
from collections import OrderedDict
from pathlib import PurePosixPath
from typing import Any, Final

import aiohttp
import segno

from sandbox.world.model import Kind, ObjectNotFound, Refused

BASE64: Final = 1
URL: Final = 2
QR_CODE: Final = 3
UUID: Final = 7
MAX_INLINE: Final = 20 * 1024  # larger files are sent by uuid, as in the official gateway
MAX_FILE: Final = 100 * 1024 * 1024
MAX_UPLOADS: Final = 512 * 1024 * 1024  # bytes of uploads kept per gateway

KINDS: Final = {
    Kind.IMAGE: frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"}),
    Kind.EMOTICON: frozenset({".gif"}),
    Kind.AUDIO: frozenset({".sil", ".silk", ".amr"}),
    Kind.VIDEO: frozenset({".mp4", ".mov"}),
}


def kind_of(name: str) -> Kind:
    """Return the message kind that WeChat uses for a file of this name."""
    suffix = PurePosixPath(name).suffix.lower()
    return next((kind for kind, suffixes in KINDS.items() if suffix in suffixes), Kind.FILE)


class Uploads:
    """Files of a gateway process by uuid. They are lost with it; the oldest are dropped above the size limit."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def store(self, data: bytes) -> str:
        """Store the bytes and return their uuid."""
        if len(data) > MAX_FILE:
            raise Refused(f"文件过大（{len(data)} 字节）")
        upload_id = str(uuid.uuid4())
        self._files[upload_id] = data
        self._size += len(data)
        while self._size > MAX_UPLOADS:
            self._size -= len(self._files.popitem(last=False)[1])
        return upload_id

    def get(self, file_id: str) -> bytes:
        """Return the bytes of a uuid; raise ObjectNotFound."""
        if file_id not in self._files:
            raise ObjectNotFound(f"没有这个文件：{file_id}")
        return self._files[file_id]

    def clear(self) -> None:
        """Drop all files."""
        self._files.clear()
        self._size = 0

    def box(self, name: str, data: bytes) -> str:
        """Return the file box JSON of a file: small ones inline, others by uuid."""
        if len(data) <= MAX_INLINE:
            kind, content = BASE64, {"base64": base64.b64encode(data).decode()}
        else:
            kind, content = UUID, {"uuid": self.store(data)}
        # Clients of file-box < 1.0 (such as python-wechaty) use `boxType`.
        facts = {"name": name, "size": len(data), "metadata": {}, "type": kind, "boxType": kind, **content}
        return json.dumps(facts, ensure_ascii=False)

    async def open(self, text: str) -> tuple[str, bytes]:
        """Return name and bytes of a file box; raise Refused if it is invalid or its file cannot be fetched."""
        box = _parsed(text)
        name = str(box.get("name") or "file")
        kind = box.get("type") or box.get("boxType")
        if kind == BASE64:
            return name, _decoded(box.get("base64"))
        if kind == UUID:
            return name, self.get(str(box.get("uuid")))
        if kind == QR_CODE:
            return name, qr_png(str(box.get("qrCode") or box.get("qrcode") or ""))
        if kind == URL:
            return name, await _fetched(str(box.get("url") or box.get("remoteUrl") or ""))
        raise Refused(f"unknown file box type: {kind}")


def qr_png(text: str) -> bytes:
    """Return a QR code as PNG; raise Refused if the text is too long."""
    out = io.BytesIO()
    try:
        segno.make(text or " ", micro=False).save(out, kind="png", scale=8, border=2)
    except segno.DataOverflowError:
        raise Refused(f"二维码放不下这么多内容（{len(text)} 字）") from None
    return out.getvalue()


def _parsed(text: str) -> dict[str, Any]:
    try:
        box = json.loads(text)
    except ValueError:
        raise Refused("not a file box: not JSON") from None
    if not isinstance(box, dict):
        raise Refused("not a file box: not a JSON object")
    return box


def _decoded(value: Any) -> bytes:
    if not isinstance(value, str):
        raise Refused("not a file box: base64 is missing")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise Refused("not a file box: bad base64") from None


async def _fetched(url: str) -> bytes:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session,
            session.get(url, raise_for_status=True) as answer,
        ):
            data = await answer.content.read(MAX_FILE + 1)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Refused(f"cannot fetch the file: {type(error).__name__}") from None
    if len(data) > MAX_FILE:
        raise Refused("文件过大")
    return data
