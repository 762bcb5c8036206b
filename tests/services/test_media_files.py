"""Files of received messages: which are fetched, how often, and where they are stored."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import LimitSettings
from errors import WeChatOffline, WeChatRefused
from services.messaging import media as media_module
from services.messaging.budgets import MEGABYTE, Budgets
from services.messaging.media import MediaFull, MediaStore, may_hold_file
from tests.doubles import InMemoryWeChat
from tests.services.clock import Clock
from wechat.entities import Media
from wechat.events import MessageKind, PrivateMessage

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Sender(InMemoryWeChat):
    """An account on which reading files can fail."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__("a")
        self.errors = list(errors)
        self.reads: list[str] = []

    async def _read(self, how: str) -> Media:
        self.reads.append(how)
        if self.errors:
            raise self.errors.pop(0)
        return Media("A.PNG", b"data")

    async def file(self, _message_id: str) -> Media:
        return await self._read("file")

    async def image(self, _message_id: str) -> Media:
        return await self._read("image")


def store(folder: Path, **limits: Any) -> MediaStore:
    settings = LimitSettings(**{"free_megabytes": 0, **limits})
    return MediaStore(folder / "media", settings, Budgets(settings, Clock()))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MediaStore:
    monkeypatch.setattr(media_module, "RETRY_SECONDS", 0)
    return store(tmp_path)


def content(path: str) -> bytes:
    return Path(path).read_bytes()


def changed_at(path: str) -> float:
    return Path(path).stat().st_mtime


def exists(path: str) -> bool:
    return Path(path).exists()


def message(kind: MessageKind, text: str = "") -> PrivateMessage:
    return PrivateMessage("a", "m1", AT, "x", "", text, kind)


async def fetch(files: MediaStore, sender: Sender, kind: str = MessageKind.FILE) -> Any:
    return await files.fetch(sender.whole(), "m1", kind, "x")


def test_kinds_that_may_have_a_file() -> None:
    kinds = {kind for kind in MessageKind if may_hold_file(message(kind, "text"))}
    assert {kind.value for kind in kinds} == {"image", "file", "audio", "video", "emoticon"}
    assert may_hold_file(message(MessageKind.OTHER))


async def test_images_are_read_as_such(files: MediaStore) -> None:
    sender = Sender()
    for kind in (MessageKind.IMAGE, MessageKind.FILE, MessageKind.AUDIO):
        assert await fetch(files, sender, kind)
    assert sender.reads == ["image", "file", "file"]


async def test_unknown_kind_with_a_file_becomes_a_file(files: MediaStore) -> None:
    found, stored = await files.fetch_file(Sender().whole(), message(MessageKind.OTHER))
    assert stored is not None and found.kind is MessageKind.FILE
    found, stored = await files.fetch_file(Sender().whole(), message(MessageKind.VIDEO))
    assert stored is not None and found.kind is MessageKind.VIDEO
    found, stored = await files.fetch_file(Sender(WeChatRefused("c")).whole(), message(MessageKind.OTHER))
    assert stored is None and found.kind is MessageKind.OTHER
    sender = Sender()
    assert await files.fetch_file(sender.whole(), message(MessageKind.TEXT, "hi")) == (
        message(MessageKind.TEXT, "hi"),
        None,
    )
    assert sender.reads == []


async def test_file_is_read_three_times(files: MediaStore) -> None:
    sender = Sender(*[WeChatRefused("c")] * 2)
    assert await fetch(files, sender)
    sender = Sender(*[WeChatRefused("c")] * 3)
    assert await fetch(files, sender) is None
    assert len(sender.reads) == 3


async def test_other_kinds_are_read_once(files: MediaStore) -> None:
    sender = Sender(WeChatRefused("c"))
    assert await fetch(files, sender, MessageKind.EMOTICON) is None
    assert len(sender.reads) == 1


async def test_offline_account_is_waited_for(files: MediaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_module, "OFFLINE", 6)
    sender = Sender(*[WeChatOffline("c")] * 5)
    assert await fetch(files, sender)
    sender = Sender(*[WeChatOffline("c")] * 9)
    assert await fetch(files, sender) is None
    assert len(sender.reads) == 6


async def test_file_without_room_is_not_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender()
    assert await fetch(store(tmp_path, free_megabytes=10**9), sender) is None
    assert len(sender.reads) == 1
    assert "is not stored: limits.free_megabytes" in caplog.text


# ---- storing ----


async def test_file_is_stored_under_its_hash(files: MediaStore) -> None:
    kept = await files.store(Media("A.PNG", b"data"))
    digest = hashlib.sha256(b"data").hexdigest()
    assert Path(kept.path) == files.folder / digest[:2] / f"{digest}.png"
    assert (kept.name, content(kept.path)) == ("A.PNG", b"data")
    for name in ("plain", "x.tar.123456789", "a.b c"):
        assert Path((await files.store(Media(name, name.encode()))).path).suffix == ""


async def test_reason_is_logged_once_and_again_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = shutil_usage(monkeypatch, 0)
    files = store(tmp_path, free_megabytes=10)
    for _ in range(2):
        files.check()
    free.append(20 * MEGABYTE)
    files.check()
    free.append(0)
    files.check()
    assert caplog.messages == ["no more files are stored: limits.free_megabytes is reached"] * 2


async def test_files_of_one_folder(files: MediaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two digits of the hash are the folder's name."""
    monkeypatch.setattr("services.messaging.media.hashlib.sha256", _Sums)
    first, second = [await files.store(Media(name, name.encode())) for name in ("a", "b")]
    assert Path(first.path).parent == Path(second.path).parent
    assert first.path != second.path


class _Sums:
    """A hash whose values begin alike."""

    def __init__(self) -> None:
        self.data = b""

    def update(self, data: bytes) -> None:
        self.data += data

    def hexdigest(self) -> str:
        return "ab" + self.data.hex()


async def test_large_file_is_copied(files: MediaStore) -> None:
    data = b"0123456789" * 300_000
    kept = await files.store(Media("a.bin", b"", io.BytesIO(data)))
    assert content(kept.path) == data
    assert hashlib.sha256(data).hexdigest() in kept.path


async def test_known_content_is_renewed_and_not_counted(tmp_path: Path) -> None:
    files = store(tmp_path, media_gigabytes=1 / 1024)
    kept = await files.store(Media("a", b"a" * MEGABYTE))
    os.utime(kept.path, (1, 1))
    again = await files.store(Media("b", b"a" * MEGABYTE))
    assert (again.path, again.name) == (kept.path, "b")
    assert changed_at(kept.path) > 1
    with pytest.raises(MediaFull):
        await files.store(Media("c", b"c"))


@pytest.mark.parametrize(("size", "fits"), [(MEGABYTE, True), (MEGABYTE + 1, False)])
async def test_total_size_has_an_exact_limit(tmp_path: Path, size: int, fits: bool) -> None:
    files = store(tmp_path, media_gigabytes=1 / 1024)
    if fits:
        await files.store(Media("a", b"a" * size))
    else:
        with pytest.raises(MediaFull):
            await files.store(Media("a", b"a" * size))


async def test_free_space_has_an_exact_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil_usage(monkeypatch, 10 * MEGABYTE)
    files = store(tmp_path, free_megabytes=10)
    files.check()
    assert files.limit_reached == "", "nothing is stored by a check"
    with pytest.raises(MediaFull, match=r"limits\.free_megabytes"):
        await files.store(Media("a", b"a"))
    free.append(10 * MEGABYTE + 1)
    await files.store(Media("a", b"a"))
    assert files.limit_reached == ""
    free.append(10 * MEGABYTE - 1)
    files.check()
    assert files.limit_reached == "limits.free_megabytes"


def shutil_usage(monkeypatch: pytest.MonkeyPatch, first: int) -> list[int]:
    """The free bytes of the disk: the last of the list."""
    free = [first]
    usage = type("Usage", (), {"free": property(lambda _self: free[-1])})
    monkeypatch.setattr("services.messaging.media.shutil.disk_usage", lambda _path: usage())
    return free


async def test_old_files_are_deleted_and_no_longer_counted(tmp_path: Path) -> None:
    files = store(tmp_path, media_gigabytes=1 / 1024)
    old = await files.store(Media("a", b"a" * (MEGABYTE - 1)))
    new = await files.store(Media("b", b"b"))
    os.utime(old.path, (1000, 1000))
    os.utime(new.path, (2000, 2000))
    assert files.prune(1000) == 0
    assert files.prune(1500) == 1
    assert not exists(old.path) and exists(new.path)
    await files.store(Media("c", b"c" * (MEGABYTE - 1)))
    assert files.prune(0) == 0
