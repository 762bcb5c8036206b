"""Persistence of an account's contacts and rooms, so that a restart reads only changes from WeChat."""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from models.db import Store
from models.durable import DirectoryRow
from services.clock import Clock
from wechat.interface import WeChat

log = logging.getLogger(__name__)
CHECK_SECONDS: Final = 300.0  # seconds between checks for changes


class AddressBook:
    """Stores the directory of one account as one row, written only when it has changed."""

    def __init__(self, store: Store, wechat: WeChat, clock: Clock) -> None:
        self._store = store
        self._wechat = wechat
        self._clock = clock
        self._kept = -1  # version of the stored directory
        self._task: asyncio.Task[None] | None = None

    async def start(self, stored: bytes | None) -> None:
        """Load the stored directory, if there is one, and start saving changes."""
        if stored is not None:
            self._wechat.directory.load(await asyncio.to_thread(_unpack, stored))
            self._kept = self._wechat.directory.version
        self._task = asyncio.create_task(self._save_periodically())

    async def save(self) -> None:
        """Store the directory if it has changed."""
        directory = self._wechat.directory
        version = directory.version
        if version == self._kept or not directory.owner_id:
            return
        data = await asyncio.to_thread(_pack, directory.snapshot())
        row = DirectoryRow(account=self._wechat.account, data=data, saved_at=self._clock())
        await self._store.write(lambda s: s.merge(row))
        self._kept = version

    async def stop(self) -> None:
        """Stop and save a last time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._try_to_save()

    async def _save_periodically(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self._try_to_save()

    async def _try_to_save(self) -> None:
        try:
            await self.save()
        except DBAPIError as error:
            log.error(  # noqa: TRY400 - the traceback has no information
                "%s: could not store the address book: %s", self._wechat.account, type(error).__name__
            )
        except Exception:
            log.exception("%s: could not store the address book", self._wechat.account)


def _pack(rows: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def _unpack(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))
