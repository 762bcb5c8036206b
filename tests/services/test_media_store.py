"""Limits of the media store."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest

from config.settings import LimitSettings
from services.messaging.budgets import Budgets
from services.messaging.media import MediaFull, MediaStore
from tests.doubles import InMemoryWeChat
from wechat.entities import Media
from wechat.events import MessageKind

MEGABYTE = 1024 * 1024


def store(folder: Path, **limits: Any) -> MediaStore:
    settings = LimitSettings(**{"free_megabytes": 0, **limits})
    return MediaStore(folder / "media", settings, Budgets(settings, time.time))


class Sender(InMemoryWeChat):
    """An account with a different file of half a megabyte in each message."""

    fetched = 0

    async def file(self, _message_id: str) -> Media:
        self.fetched += 1
        return Media(f"{self.fetched}.bin", bytes([self.fetched]) * (MEGABYTE // 2))


async def test_total_size_is_limited(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = store(tmp_path, media_gigabytes=1.5 / 1024)
    await files.store(Media("a", b"a" * MEGABYTE))
    for _ in range(2):
        with pytest.raises(MediaFull, match=r"limits\.media_gigabytes"):
            await files.store(Media("b", b"b" * MEGABYTE))
    assert files.limit_reached == "limits.media_gigabytes"
    assert [record.levelno for record in caplog.records] == [logging.ERROR], "told once"
    await files.store(Media("a", b"a" * MEGABYTE))  # it is there already
    await files.store(Media("report.png", b"c" * MEGABYTE), always=True)
    again = store(tmp_path, media_gigabytes=1.5 / 1024)  # another process counts what is there
    with pytest.raises(MediaFull):
        await again.store(Media("d", b"d"))
    again.prune(time.time() + 10)
    await again.store(Media("b", b"b" * MEGABYTE))
    assert again.limit_reached == ""


async def test_full_disk_is_survived(tmp_path: Path) -> None:
    files = store(tmp_path, free_megabytes=10**9)
    files.check()
    assert files.limit_reached == "limits.free_megabytes"
    with pytest.raises(MediaFull):
        await files.store(Media("a", b"a"))
    assert not files.folder.exists()


async def test_files_per_person_are_limited(tmp_path: Path) -> None:
    files, sender = store(tmp_path, megabytes=1), Sender()
    kept = [await files.fetch(sender, f"m{n}", MessageKind.FILE, "one") for n in range(5)]  # type: ignore[arg-type]
    assert [file is not None for file in kept] == [True, True, False, False, False]
    assert sender.fetched == 2, "what would not be kept is not fetched"
    assert await files.fetch(sender, "m9", MessageKind.FILE, "other")  # type: ignore[arg-type]
