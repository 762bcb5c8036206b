"""Pictures and files that came in: fetched at once (gateways do not keep them long) and kept by their hash."""

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
BETWEEN = 1.0  # seconds between two tries
OFFLINE = 600  # tries while the account is away
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}$")


@dataclass(frozen=True, slots=True)
class Kept:
    """A file on this machine's disk, and what it is called."""

    path: str
    name: str


def may_hold_file(message: Message) -> bool:
    """Whether a file is to be looked for: PuppetMock says of most documents only that they are of no known kind, and
    not every gateway has the pictures of stickers."""
    if message.kind is MessageKind.OTHER:
        return not message.text
    return message.kind in FETCHED or message.kind is MessageKind.EMOTICON


class MediaStore:
    """The folder of kept files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def of(self, wechat: WeChat, message: Said) -> tuple[Said, Kept | None]:
        """The message with its file, kept; of an unknown kind with a file it is a file from now on."""
        if not may_hold_file(message):
            return message, None
        kept = await self.fetch(wechat, message.id, message.kind)
        if kept is not None and message.kind is MessageKind.OTHER:
            return replace(message, kind=MessageKind.FILE), kept
        return message, kept

    async def fetch(self, wechat: WeChat, message_id: str, kind: str) -> Kept | None:
        """Fetch and keep a message's file; None when it cannot be had. While the account is away it is waited for."""
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
        """Write a file under its hash; the same bytes are kept once."""
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
        Path(temporary.name).replace(path)  # whole or not at all, whatever dies
        return Kept(str(path), media.name)

    def prune(self, before: float) -> int:
        """Remove what was last kept before `before` (Unix seconds); how many files."""
        old = [path for path in self.folder.glob("*/*") if path.is_file() and path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)
