"""Messages and files sent and received over the official gateway."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from pathlib import Path

import pytest
from aiohttp import web

from errors import (
    WeChatRefused,
)
from protocol import downloads
from tests.official import OfficialGateway
from tests.web_server import serving
from tests.wechat.official_account import ROOM, bot, gateway, recorded
from tests.wechat.recording_listener import RecordedAccount
from wechat.assistant import Assistant
from wechat.entities import Link, Media, MiniProgram

__all__ = ["bot", "gateway", "recorded"]


pytestmark = pytest.mark.gateway


async def test_texts_cards_links_and_mini_programs_are_sent(bot: Assistant, gateway: OfficialGateway) -> None:
    id = await bot.send_text(ROOM, "@宋公明 操练", ["wxid_song"])
    await bot.send_contact("wxid_song", "wxid_zhi")
    await bot.send_link("wxid_song", Link("标题", "https://example.com/一", "描述", "https://example.com/1.png"))
    await bot.send_mini_program("wxid_song", MiniProgram("wx1", "小程序", "gh_1", "pages/a", "描述"))
    sent = await gateway.sent()
    assert sent[0]["id"] == id
    assert sent[0]["mentions"] == ["wxid_song"]
    assert sent[1]["card"] == "wxid_zhi"
    assert sent[2]["url"]["title"] == "标题"
    assert sent[2]["url"]["thumbnailUrl"] == "https://example.com/1.png"
    assert sent[3]["mini"]["pagePath"] == "pages/a"
    with pytest.raises(WeChatRefused):
        await bot.send_text("wxid_nobody", "有人吗")


async def test_files_of_every_size_are_sent(bot: Assistant, gateway: OfficialGateway) -> None:
    for count, size in enumerate((1, 30_000, 2 * 1024 * 1024, 2 * 1024 * 1024 + 1, 6_000_000), 1):
        data = os.urandom(size)
        await bot.send_media("wxid_song", Media("图.png", data))
        sent = (await gateway.wait_sent(count))[-1]
        assert (sent["name"], sent["sha256"]) == ("图.png", hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("size", [100, 300_000])
async def test_files_of_every_box_type_are_received(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    text = base64.b64encode(data).decode()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=data)

    async with serving(answer) as url:
        shapes = {"base64": text, "buffer": text, "path": str(path), "stream": str(path), "url": f"{url}/a.bin"}
        for number, (shape, value) in enumerate(shapes.items(), 1):
            await gateway.say("wxid_song", kind="image", file={"name": "a.bin", shape: value})
            message = await recorded.resolved("message", number)
            if shape == "buffer" and size < 20_000:  # the gateway cannot encode such a box
                with pytest.raises(WeChatRefused):
                    await bot.media(message.id)
            else:
                assert await bot.media(message.id) == Media("a.bin", data)
                assert (await bot.image(message.id)).data == data


async def test_file_that_is_not_written_yet_is_read_again(
    bot: Assistant,
    recorded: RecordedAccount,
    gateway: OfficialGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(downloads, "EMPTY_FILE_PAUSES", (0.05,) * 200)
    path = tmp_path / "a.bin"
    path.touch()
    await gateway.say("wxid_song", kind="file", file={"name": "a.bin", "path": str(path)})
    message = await recorded.resolved("message")
    reading = asyncio.create_task(bot.file(message.id))
    await gateway.wait_calls("messageFile", 2)
    path.write_bytes(b"written")
    assert (await reading).data == b"written"
    path.write_bytes(b"")
    monkeypatch.setattr(downloads, "EMPTY_FILE_PAUSES", (0,))
    assert (await bot.file(message.id)).size == 0, "it may be empty"


async def test_picture_equals_the_sent_file(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    """PuppetMock invents the result of MessageImage; PadLocal has pictures only there."""
    sent, made_up = ({"name": "a.png", "base64": base64.b64encode(data).decode()} for data in (b"sent", b"made up"))
    await gateway.say("wxid_song", kind="image", file=sent, image=made_up)
    assert (await bot.image((await recorded.resolved("message", 1)).id)).data == b"sent"
    await gateway.say("wxid_song", kind="image", image=made_up)
    assert (await bot.image((await recorded.resolved("message", 2)).id)).data == b"made up"


async def test_qr_code_box_is_received_as_a_picture(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    await gateway.say("wxid_song", kind="image", file={"name": "q.png", "qrcode": "https://example.com"})
    media = await bot.media((await recorded.resolved("message")).id)
    assert media.data.startswith(b"\x89PNG")


async def test_picture_falls_back_to_its_file(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    """Some gateways return a placeholder if they have no pictures; some have a picture but no file."""
    await gateway.set(pictures=False)
    file = {"name": "a.png", "base64": base64.b64encode(b"the picture").decode()}
    await gateway.say("wxid_song", kind="image", file=file)
    message = await recorded.resolved("message")
    assert await bot.image(message.id) == Media("a.png", b"the picture")
    await gateway.set(pictures=True)
    await gateway.fault("MessageFile", "throw", text="no filebox cache")
    assert await bot.image(message.id) == Media("a.png", b"the picture")


async def test_links_and_cards_are_received(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    url = {
        "title": "标题",
        "url": "https://example.com",
        "description": "描述",
        "thumbnailUrl": "https://example.com/t",
    }
    await gateway.say("wxid_song", kind="url", url=url)
    await gateway.say("wxid_song", kind="card", card="wxid_zhi")
    link, card = await recorded.resolved("message"), await recorded.resolved("message", 2)
    assert await bot.link(link.id) == Link("标题", "https://example.com", "描述", "https://example.com/t")
    assert await bot.card(card.id) == "wxid_zhi"
    for ask in (bot.link, bot.media, bot.image):
        with pytest.raises(WeChatRefused):
            await ask(card.id)
