"""Received images and files: fetched immediately, because gateways keep them only for a short time, and stored by
hash."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from config.settings import LimitSettings
from errors import WeChatError, WeChatOffline
from services.messaging.budgets import MEGABYTE, Budget, Budgets, Verdict
from wechat.entities import Media
from wechat.events import Message, MessageKind
from wechat.interface import WeChat

log = logging.getLogger(__name__)
AnyMessage = TypeVar("AnyMessage", bound=Message)
FETCHED: Final = frozenset({MessageKind.IMAGE, MessageKind.FILE, MessageKind.AUDIO, MessageKind.VIDEO})
ATTEMPTS = 3
RETRY_SECONDS = 1.0  # seconds between attempts
OFFLINE = 600  # attempts while the account is offline
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}$")


class MediaFull(Exception):
    """There is no space for another file; the message names the setting that limits it."""


@dataclass(frozen=True, slots=True)
class StoredFile:
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

    def __init__(self, folder: Path, limits: LimitSettings, budgets: Budgets) -> None:
        self.folder = folder
        self._limits = limits
        self._budgets = budgets
        self._used_bytes: int | None = None  # bytes in the folder; counted when it is first needed
        self.limit_reached = ""  # why nothing more is stored; "" = there is space

    def check(self) -> None:
        """Check whether there is space for files, and log changes. Blocks on a large folder."""
        self._room_for(0)

    async def fetch_file(self, wechat: WeChat, message: AnyMessage) -> tuple[AnyMessage, StoredFile | None]:
        """Fetch and store the file of a message. A message of unknown kind with a file becomes a file message."""
        if not may_hold_file(message):
            return message, None
        stored = await self.fetch(wechat, message.id, message.kind, message.contact_id)
        if stored is not None and message.kind is MessageKind.OTHER:
            return replace(message, kind=MessageKind.FILE), stored
        return message, stored

    async def fetch(self, wechat: WeChat, message_id: str, kind: str, contact_id: str) -> StoredFile | None:
        """Fetch and store a message's file; None if it is unavailable or exceeds a limit. Waits while the account is
        offline.
        """
        failed_attempts = offline_attempts = 0
        if not self._budgets.is_below_limit(Budget.BYTES, wechat.account, contact_id):
            return None
        while failed_attempts < ATTEMPTS and offline_attempts < OFFLINE:
            try:
                read = wechat.image if kind == MessageKind.IMAGE else wechat.file
                media = await read(message_id)
                if self._budgets.spend(Budget.BYTES, wechat.account, contact_id, media.size) is not Verdict.ALLOWED:
                    log.warning("%s: %s has reached the storage limit per person", wechat.account, contact_id)
                    return None
                return await self.store(media)
            except MediaFull as error:
                log.warning("%s: the file of message %s is not stored: %s", wechat.account, message_id, error)
                return None
            except WeChatOffline:
                offline_attempts += 1
            except WeChatError as error:
                failed_attempts += 1
                if kind not in FETCHED:
                    return None
                log.warning("%s: could not store the file of message %s: %s", wechat.account, message_id, error)
            await asyncio.sleep(RETRY_SECONDS)
        return None

    async def store(self, media: Media, *, always: bool = False) -> StoredFile:
        """Store a file under its hash, each content once; raise MediaFull unless it is stored `always`."""
        return await asyncio.to_thread(self._store, media, always)

    def _store(self, media: Media, always: bool) -> StoredFile:
        hasher = hashlib.sha256()
        for piece in media.pieces():
            hasher.update(piece)
        digest = hasher.hexdigest()
        suffix = _SUFFIX.search(media.name)
        path = self.folder / digest[:2] / f"{digest}{suffix[0].lower() if suffix else ''}"
        if path.exists():
            os.utime(path)
            return StoredFile(str(path), media.name)
        if not always:
            self._room_for(media.size)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
            for piece in media.pieces():
                temporary.write(piece)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(temporary.name).replace(path)  # renamed when complete, so that a crash leaves no partial file
        self._used_bytes = (self._used_bytes or 0) + media.size
        return StoredFile(str(path), media.name)

    def _room_for(self, size: int) -> None:
        """Raise MediaFull if a file of this size would leave too little space."""
        if self._used_bytes is None:
            self._used_bytes = sum(path.stat().st_size for path in self.folder.glob("*/*") if path.is_file())
        existing = next(place for place in (self.folder.absolute(), *self.folder.absolute().parents) if place.exists())
        free = shutil.disk_usage(existing).free
        limit_name = ""
        if self._used_bytes + size > self._limits.media_gigabytes * 1024 * MEGABYTE:
            limit_name = "limits.media_gigabytes"
        elif free - size < self._limits.free_megabytes * MEGABYTE:
            limit_name = "limits.free_megabytes"
        if limit_name and limit_name != self.limit_reached:
            log.error("no more files are stored: %s is reached", limit_name)
        self.limit_reached = limit_name
        if limit_name and size:
            raise MediaFull(limit_name)

    def prune(self, before: float) -> int:
        """Delete files last stored before `before` (Unix seconds); return their number."""
        old = [path for path in self.folder.glob("*/*") if path.is_file() and path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
        self._used_bytes = None
        return len(old)
