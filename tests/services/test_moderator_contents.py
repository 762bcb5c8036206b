"""Contents that are fetched before a message is judged: pictures, files, links and cards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from errors import WeChatUnknown
from models.groups import Qun
from services.moderation.moderator import Offence
from tests.services.moderated_groups import ALL, EVIL, NONE, message, opened
from tests.services.parts import ACCOUNT, SONG, OpenParts, Parts
from wechat.entities import Link
from wechat.events import MessageKind


class Codes:
    """Instead of the process that decodes pictures."""

    def __init__(self, *codes: str) -> None:
        self.codes = list(codes)
        self.seen: list[bytes] = []
        self.closed = False

    async def read(self, data: bytes) -> list[str]:
        self.seen.append(data)
        return self.codes

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("kind", "values", "block", "words", "needed"),
    [
        (MessageKind.IMAGE, {}, ALL, False, True),
        (MessageKind.IMAGE, {}, NONE, True, False),
        (MessageKind.EMOTICON, {}, ALL, False, True),
        (MessageKind.IMAGE, {"contact_id": SONG}, ALL, True, False),
        (MessageKind.SYSTEM, {}, ALL, True, False),
        (MessageKind.FILE, {"file_name": "a.png"}, ALL, False, True),
        (MessageKind.FILE, {"file_name": " A.JPEG "}, ALL, False, True),
        (MessageKind.FILE, {"file_name": "图片"}, ALL, False, True),
        (MessageKind.FILE, {"file_name": "a.pdf"}, ALL, True, False),
        (MessageKind.FILE, {"file_name": "a.png"}, NONE, True, False),
        (MessageKind.FILE, {"file_name": ""}, NONE, True, True),
        (MessageKind.FILE, {"file_name": ""}, NONE, False, False),
        (MessageKind.LOCATION, {}, NONE, True, True),
        (MessageKind.LOCATION, {}, ALL, False, False),
        (MessageKind.LOCATION, {"text": "梁山"}, ALL, True, False),
        (MessageKind.MINI_PROGRAM, {}, NONE, True, True),
        (MessageKind.MINI_PROGRAM, {"text": "程序"}, NONE, True, False),
        (MessageKind.LINK, {}, ALL, False, True),
        (MessageKind.LINK, {}, NONE, True, True),
        (MessageKind.LINK, {}, NONE, False, False),
        (MessageKind.LINK, {"target": EVIL}, ALL, True, False),
        (MessageKind.TEXT, {"text": "好"}, ALL, True, False),
        (MessageKind.VIDEO, {}, ALL, True, False),
    ],
)
async def test_content_that_has_to_be_fetched(
    open_parts: OpenParts, kind: MessageKind, values: dict[str, Any], block: dict[str, bool], words: bool, needed: bool
) -> None:
    parts, qun = await opened(open_parts, *(["坏词"] if words else []), block=block)
    fields = {"text": "", **values}
    assert parts.container.moderator.needs_check(message(parts, qun, kind=kind, **fields), qun) is needed


async def check(parts: Parts, qun: Qun, kind: MessageKind, *codes: str) -> tuple[Offence | None, Codes]:
    reader: Any = Codes(*codes)
    parts.container.moderator._qr = reader
    return await parts.container.moderator.check_content(ACCOUNT, "m", kind.value, qun), reader


@pytest.mark.parametrize(
    ("kind", "call", "data"),
    [
        (MessageKind.IMAGE, "image", b"image"),
        (MessageKind.EMOTICON, "media", b"media"),
        (MessageKind.FILE, "media", b"media"),
    ],
)
async def test_foreign_code_in_a_picture_is_an_offence(
    open_parts: OpenParts, kind: MessageKind, call: str, data: bytes
) -> None:
    parts, qun = await opened(open_parts, "坏词", own_hosts=["ours.example"])
    found, reader = await check(parts, qun, kind, "https://ours.example/1", EVIL)
    assert (found, reader.seen) == (Offence.QR_CODE, [data])
    assert call in parts.wechat.calls
    assert (await check(parts, qun, kind, "https://ours.example/1"))[0] is None
    assert (await check(parts, qun, kind))[0] is None
    moderator = parts.container.moderator
    moderator._block = moderator._block.model_copy(update={"qr_codes": False})
    found, reader = await check(parts, qun, kind, EVIL)
    assert (found, reader.seen) == (None, [])


@pytest.mark.parametrize(("kind", "found"), [(MessageKind.FILE, Offence.WORD), (MessageKind.IMAGE, None)])
async def test_name_of_a_file_is_checked(open_parts: OpenParts, kind: MessageKind, found: Offence | None) -> None:
    parts, qun = await opened(open_parts, "坏词")
    parts.wechat.name = "坏词.png"  # type: ignore[attr-defined]
    assert (await check(parts, qun, kind))[0] is found


@pytest.mark.parametrize(
    ("link", "block", "found"),
    [
        (Link("标题", EVIL), ALL, Offence.LINK),
        (Link("标题", EVIL), NONE, None),
        (Link("标题", "https://ours.example/1"), ALL, None),
        (Link("坏词", EVIL), ALL, Offence.WORD),
        (Link("标题", "https://ours.example/1", "坏词"), NONE, Offence.WORD),
    ],
)
async def test_link_is_checked(
    open_parts: OpenParts, link: Link, block: dict[str, bool], found: Offence | None
) -> None:
    parts, qun = await opened(open_parts, "坏词", block=block, own_hosts=["ours.example"])
    parts.wechat.shown = link  # type: ignore[attr-defined]
    assert (await check(parts, qun, MessageKind.LINK))[0] is found


@pytest.mark.parametrize(
    ("kind", "call"), [(MessageKind.LOCATION, "place"), (MessageKind.MINI_PROGRAM, "program_title")]
)
async def test_words_of_a_card_are_checked(open_parts: OpenParts, kind: MessageKind, call: str) -> None:
    parts, qun = await opened(open_parts, "坏词")
    assert (await check(parts, qun, kind))[0] is None
    parts.wechat.words = "坏词"  # type: ignore[attr-defined]
    assert (await check(parts, qun, kind))[0] is Offence.WORD
    assert parts.wechat.calls[-1] == call


async def test_content_that_cannot_be_fetched_is_allowed(
    open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    parts, qun = await opened(open_parts)
    parts.wechat.fails["image"] = WeChatUnknown("Image", "no answer")
    assert (await check(parts, qun, MessageKind.IMAGE, EVIL))[0] is None
    assert "WeChatUnknown" in caplog.text
    parts.wechat.fails.clear()
    monkeypatch.setattr("services.moderation.moderator.SECONDS", 0.05)
    parts.wechat.holds["image"] = asyncio.Event()
    assert (await check(parts, qun, MessageKind.IMAGE, EVIL))[0] is None
    assert "TimeoutError" in caplog.text


async def test_reasons_and_close(open_parts: OpenParts) -> None:
    parts, _ = await opened(open_parts)
    moderator, texts = parts.container.moderator, parts.container.config.texts
    assert moderator.reason(Offence.WORD) == texts.offence_word
    assert moderator.reason(Offence.QR_CODE) == texts.offence_qr_code
    await moderator.close()  # no picture was read yet
    reader: Any = Codes()
    moderator._qr = reader
    await moderator.close()
    assert reader.closed
