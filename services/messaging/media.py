"""Received images and files: fetched at once, because gateways do not keep them long, and stored by hash."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from errors import WeChatError, WeChatOffline
from wechat.events import Media, Message, MessageKind
from wechat.interface import WeChat

log = logging.getLogger(__name__)
Said = TypeVar("Said", bound=Message)
FETCHED: Final = frozenset({MessageKind.IMAGE, MessageKind.FILE, MessageKind.AUDIO, MessageKind.VIDEO})
TRIES = 3
BETWEEN = 1.0  # seconds between attempts
OFFLINE = 600  # attempts while the account is offline
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}$")


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored file and its name."""

    path: str
    name: str


def may_hold_file(message: Message) -> bool:
    """Whether a message may have a file.

    PuppetMock reports most documents as an unknown kind; some gateways have no images of stickers.
    """
    if message.kind is MessageKind.OTHER:
        return not message.text
    return message.kind in FETCHED or message.kind is MessageKind.EMOTICON


class MediaStore:
    """The directory of stored files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def of(self, wechat: WeChat, message: Said) -> tuple[Said, Kept | None]:
        """Fetch and store the file of a message. A message of unknown kind with a file becomes a file message."""
        if not may_hold_file(message):
            return message, None
        kept = await self.fetch(wechat, message.id, message.kind)
        if kept is not None and message.kind is MessageKind.OTHER:
            return replace(message, kind=MessageKind.FILE), kept
        return message, kept

    async def fetch(self, wechat: WeChat, message_id: str, kind: str) -> Kept | None:
        """Fetch and store a message's file, waiting while the account is offline; return None if that fails."""
        failed = away = 0
        while failed < TRIES and away < OFFLINE:
            try:
                get = wechat.image if kind == MessageKind.IMAGE else wechat.media
                return await self.keep(await get(message_id))
            except WeChatOffline:
                away += 1
            except WeChatError as error:
                failed += 1
                if kind not in FETCHED:
                    return None
                log.warning("%s: the file of message %s: %s", wechat.account, message_id, error)
            await asyncio.sleep(BETWEEN)
        return None

    async def keep(self, media: Media) -> Kept:
        """Store a file under its hash; identical files are stored once."""
        return await asyncio.to_thread(self._keep, media)

    def _keep(self, media: Media) -> Kept:
        digest = hashlib.sha256(media.data).hexdigest()
        suffix = _SUFFIX.search(media.name)
        path = self.folder / digest[:2] / f"{digest}{suffix[0].lower() if suffix else ''}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            os.utime(path)
            return Kept(str(path), media.name)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
            temporary.write(media.data)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(temporary.name).replace(path)  # atomic
        return Kept(str(path), media.name)

    def prune(self, before: float) -> int:
        """Delete files last stored before `before` (Unix seconds); return their number."""
        old = [path for path in self.folder.glob("*/*") if path.is_file() and path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)
