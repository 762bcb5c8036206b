"""Pictures, files and cards on the official channel, both ways: kept, shown in the console, and sent once."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from services.changes import ChangeKind
from tests.console.conftest import Person
from tests.stories.official_shop import Shop, shop
from tests.waiting import until

__all__ = ["shop"]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
UNAVAILABLE = "（没能取得）"
Talk = list[dict[str, Any]]


class Console:
    """Ticket #1 in the console."""

    def __init__(self, person: Person) -> None:
        self.person = person

    async def reply(self, key: str, **content: Any) -> int:
        return (await self.person.call("POST", "/ticket/1/reply", json={"key": key, **content}))[0]

    async def shows(self, check: Callable[[Talk], Any], what: str) -> Talk:
        """Wait until the talk is as it should be; return it."""

        async def talk() -> Any:
            status, answer = await self.person.call("GET", "/ticket/1")
            messages = answer["messages"] if status == 200 else []
            return messages if check(messages) else None

        found: Talk = await until(talk, what)
        return found

    async def file(self, message: dict[str, Any]) -> bytes:
        url = f"{self.person.url}/console/api/media/{message['id']}"
        async with self.person.http.get(url) as response:
            assert response.status == 200
            return await response.read()


@pytest.fixture
async def console(shop: Shop) -> AsyncIterator[Console]:
    async with AsyncExitStack() as stack:
        person = await shop.at_the_console()
        stack.push_async_callback(person.http.close)
        yield Console(person)


async def ask_person(shop: Shop) -> None:
    await shop.say("黑旋风", "人工")
    await until(lambda: any("转接人工" in text for text in shop.seen("黑旋风")), "the customer is told")


def has_files(count: int) -> Callable[[Talk], bool]:
    return lambda talk: sum(message["media"] for message in talk) == count


async def test_what_a_customer_sends_is_kept_and_shown_in_the_console(shop: Shop, console: Console) -> None:
    """A .txt and a .json file are files too, although errors of the API are JSON."""
    await shop.send("黑旋风", "image", media_id=shop.file("before.png", PNG))
    await ask_person(shop)
    files = [
        ("image", "after.png", PNG + b"2"), ("voice", "voice.amr", b"#!AMR\n voice"), ("video", "video.mp4", b"video"),
        ("file", "合同.txt", b"the contract"), ("file", "data.json", b'{"errcode": 40007}'),
    ]  # fmt: skip
    for kind, name, data in files:
        await shop.send("黑旋风", kind, media_id=shop.file(name, data))
    await shop.send("黑旋风", "location", name="聚义厅", address="梁山路 1 号", latitude=1.0, longitude=2.0)
    await shop.send("黑旋风", "link", title="订单", desc="已发货", url="https://shop.example/1", pic_url="")
    await shop.send("黑旋风", "miniprogram", title="我的订单", appid="wx1", pagepath="p", thumb_media_id="x")
    await shop.send("黑旋风", "business_card", userid="WuYong")
    await shop.send("黑旋风", "merged_msg", title="聊天记录的标题", item=[])
    await shop.send("黑旋风", "channels", sub_type=1, nickname="视频号", title="一个新种类")
    await shop.say("黑旋风", "完了")
    talk = await console.shows(lambda talk: has_files(6)(talk) and talk[-1]["text"] == "完了", "all of it")
    theirs = [message for message in talk if message["by"] == "customer" and message["text"] not in ("人工", "完了")]
    shown = [(message["kind"], message["text"]) for message in theirs]
    assert shown == [
        ("image", "before.png"),
        ("image", "after.png"),
        ("audio", "voice.amr"),
        ("video", "video.mp4"),
        ("file", "合同.txt"),
        ("file", "data.json"),
        ("location", "聚义厅 梁山路 1 号"),
        ("link", "订单\n已发货\nhttps://shop.example/1"),
        ("mini_program", "我的订单"),
        ("card", "WuYong"),
        ("chat_history", "聊天记录的标题"),
        ("other", "一个新种类"),
    ]
    assert [await console.file(message) for message in theirs if message["media"]] == [
        PNG,
        *(data for _, _, data in files),
    ]


async def test_a_file_is_fetched_over_a_restart(shop: Shop) -> None:
    await ask_person(shop)
    shop.server.corp.errors["media/get"] = -1
    await shop.send("黑旋风", "file", media_id=shop.file("合同.pdf", b"%PDF contract"))
    await until(lambda: shop.server.corp.calls.count("media/get"), "the file is asked for")
    await shop.bot.stop()
    shop.service.send("黑旋风", "image", {"media_id": shop.file("away.png", PNG)})
    shop.server.corp.errors.clear()
    await shop.start_bot()
    console = Console(await shop.at_the_console())
    talk = await console.shows(has_files(2), "both files")
    await console.person.http.close()
    assert [message["text"] for message in talk if message["media"]] == ["合同.pdf", "away.png"]


async def test_a_file_that_comes_late_appears_in_an_open_talk(shop: Shop, console: Console) -> None:
    await ask_person(shop)
    shop.server.corp.errors["media/get"] = -1
    await shop.send("黑旋风", "file", media_id=shop.file("合同.pdf", b"%PDF contract"))
    await console.shows(lambda talk: talk[-1:] and talk[-1]["kind"] == "file", "listed without its file")
    changes = shop.bot.container.changes
    before = changes.last
    shop.server.corp.errors.clear()
    await console.shows(has_files(1), "fetched")
    assert (ChangeKind.TICKET, 1) in [(change.kind, change.facts.get("id")) for change in changes.after(before)]


async def test_file_no_longer_at_the_platform_is_replaced_by_a_text(shop: Shop) -> None:
    """The platform keeps files for three days."""
    await shop.send("黑旋风", "image", media_id=shop.file("old.png", PNG))
    await until(lambda: is_said(shop, "image"), "stored")
    shop.ahead = 3 * 86400 + 1
    await ask_person(shop)
    console = Console(await shop.at_the_console())
    talk = await console.shows(lambda talk: any(message["text"] == UNAVAILABLE for message in talk), "named")
    await console.person.http.close()
    assert [(message["kind"], message["media"]) for message in talk if message["text"] == UNAVAILABLE] == [
        ("image", False)
    ]


async def is_said(shop: Shop, kind: str) -> bool:
    who, container = shop.service.customer("黑旋风").id, shop.bot.container
    rows = await container.store.read(lambda s: container.conversations.last(s, "kefu1", who, 10))
    return any(row.kind == kind for row in rows)


async def test_a_picture_and_a_file_of_staff_reach_the_customer_once(shop: Shop, console: Console) -> None:
    await ask_person(shop)
    pdf = "合同 (1).pdf", b"%PDF contract"
    shop.server.corp.lost = {"kf/send_msg"}  # the answer to the picture
    for _ in range(2):
        picture = {"name": "地图.png", "base64": base64.b64encode(PNG).decode()}
        assert await console.reply("a", image=picture) == 202
    assert await console.reply("b", file={"name": pdf[0], "base64": base64.b64encode(pdf[1]).decode()}) == 202
    await until(lambda: len(shop.seen("黑旋风")) == 3, "both reach the customer")
    await console.shows(lambda talk: [message["state"] for message in talk if message["media"]] == ["sent"] * 2, "sent")
    sent = [message for message in shop.service.customer("黑旋风").seen if message["msgtype"] != "text"]
    assert [message["msgtype"] for message in sent] == ["image", "file"]
    got = [shop.service.media.get(message[message["msgtype"]]["media_id"]) for message in sent]
    assert got == [("地图.png", PNG), pdf]


async def test_file_rejected_by_the_platform_has_failed_with_its_reason(shop: Shop, console: Console) -> None:
    """Nothing behind it waits. A file above 20 MB is refused at once."""
    await ask_person(shop)
    assert await console.reply("a", file={"name": "tiny.txt", "base64": base64.b64encode(b"12345").decode()}) == 202
    assert await console.reply("b", text="收到了吗？") == 202
    await until(lambda: "收到了吗？" in shop.seen("黑旋风"), "the next answer")
    talk = await console.shows(lambda talk: any(message["state"] == "failed" for message in talk), "failed")
    (failed,) = (message for message in talk if message["state"] == "failed")
    assert (failed["text"], "5 bytes" in failed["error"], "20 MB" in failed["error"]) == ("tiny.txt", True, True)
    large = base64.b64encode(b"\0" * (20 * 1024**2 + 1)).decode()
    assert await console.reply("c", file={"name": "large.bin", "base64": large}) == 413
    assert "media/upload" not in shop.server.corp.calls


async def test_a_file_that_waits_is_sent_once_after_a_restart(shop: Shop, console: Console) -> None:
    await ask_person(shop)
    shop.server.corp.errors["media/upload"] = -1
    assert await console.reply("a", file={"name": "合同.pdf", "base64": base64.b64encode(b"%PDF 1.4").decode()}) == 202
    await until(lambda: "media/upload" in shop.server.corp.calls, "it is tried")
    await shop.bot.stop()
    shop.server.corp.errors.clear()
    await shop.start_bot()
    await until(lambda: shop.seen("黑旋风")[1:] == ["<file>"], "the file")
    await shop.until_quiet()
    assert shop.seen("黑旋风")[1:] == ["<file>"]


async def test_what_staff_send_in_their_own_client_is_kept(shop: Shop, console: Console) -> None:
    await ask_person(shop)
    shop.service.take("黑旋风", "WuYong")
    shop.service.answer_with("黑旋风", "image", {"media_id": shop.file("说明.png", PNG)})
    shop.service.answer_with("黑旋风", "link", {"title": "说明书", "url": "https://shop.example/2"})
    await shop.call_back()
    talk = await console.shows(lambda talk: has_files(1)(talk) and talk[-1]["kind"] == "link", "kept")
    assert [(message["by"], message["staff"], message["text"]) for message in talk[-2:]] == [
        ("staff", "WuYong", "说明.png"),
        ("staff", "WuYong", "说明书"),
    ]
    assert await console.file(talk[-2]) == PNG
