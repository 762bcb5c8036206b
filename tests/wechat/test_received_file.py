"""Contents of received files and the list of sent messages: limits and temporary files."""

from __future__ import annotations

import asyncio

import pytest

from errors import WeChatRefused
from wechat import received_file, sent_messages
from wechat.entities import Media
from wechat.received_file import ReceivedFile
from wechat.sent_messages import SentMessages


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (received_file.PIECE, received_file.MAX_IN_MEMORY) == (2 * 1024 * 1024, 10 * 1024 * 1024)
    monkeypatch.setattr(received_file, "PIECE", 4)


@pytest.mark.parametrize("on_disk", [True, False])
async def test_content_up_to_the_limit_is_received(on_disk: bool) -> None:
    received = ReceivedFile(6, on_disk=on_disk)
    for part in (b"123", b"45", b"6"):
        await received.write(part)
    media = await received.media("a")
    assert b"".join(media.pieces()) == b"123456"
    assert media.name == "a"
    assert (media.file is not None) is on_disk


async def test_small_content_stays_in_memory() -> None:
    received = ReceivedFile(100, on_disk=True)
    await received.write(b"1234")
    assert await received.media("a") == Media("a", b"1234")
    assert (await received.media("a")).file is None


@pytest.mark.parametrize("on_disk", [True, False])
async def test_content_above_the_limit_is_refused_and_discarded(on_disk: bool) -> None:
    received = ReceivedFile(6, on_disk=on_disk)
    await received.write(b"12345")
    file = received._file
    with pytest.raises(WeChatRefused, match="more than 6 bytes"):
        await received.write(b"67")
    assert (file is None) is not on_disk
    assert file is None or file.closed
    assert received._piece == b""


async def test_disk_is_not_written_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    to_thread = asyncio.to_thread

    async def recorded(call: object, *args: object) -> object:
        threads.append(getattr(call, "__name__", ""))
        return await to_thread(call, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "to_thread", recorded)
    received = ReceivedFile(100, on_disk=True)
    await received.write(b"12345")
    await received.write(b"6")
    media = await received.media("a")
    assert threads == ["_flush", "_flush"]
    assert media.data == b""
    assert b"".join(media.pieces()) == b"123456"


def test_sent_message_is_recognised() -> None:
    sent = SentMessages()
    assert sent.add("m1") == "m1"
    assert sent.add("") == ""
    assert "m1" in sent
    assert "" not in sent


def test_only_the_last_sent_messages_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent_messages.MAX_IDS == 5000
    monkeypatch.setattr(sent_messages, "MAX_IDS", 2)
    sent = SentMessages()
    for id in ("m1", "m2", "m1", "m3"):
        sent.add(id)
    assert [id in sent for id in ("m1", "m2", "m3")] == [False, True, True]
