"""Sending, contents of messages, and operations on people."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from errors import WeChatNotDone, WeChatOffline, WeChatRefused, WeChatUnknown
from protocol import CALLS
from protocol import puppet_pb2 as pb
from tests.waiting import SECONDS
from tests.wechat.scripted_wire import AT_ONCE, ME, ROOM, SONG, ScriptedAccount, contacts
from wechat import filebox
from wechat.entities import Contact, Link, Media, MiniProgram

LOST, REFUSED = WeChatUnknown("x", "timeout"), WeChatRefused("x", "no")


def box(data: bytes, name: str = "a.txt") -> pb.FileBoxResponse:
    content = {"type": 1, "name": name, "base64": base64.b64encode(data).decode()}
    return pb.FileBoxResponse(file_box=json.dumps(content))


# ---- sending ----


async def test_ids_of_sent_messages_are_noted(account: ScriptedAccount) -> None:
    sends: dict[str, Any] = {
        "MessageSendText": lambda: account.assistant.send_text(ROOM, "你好", [SONG], choices=["一"], key="k"),
        "MessageSendFile": lambda: account.assistant.send_media(ROOM, Media("a", b"x")),
        "MessageSendUrl": lambda: account.assistant.send_link(ROOM, Link("t", "u")),
        "MessageSendContact": lambda: account.assistant.send_contact(ROOM, SONG),
        "MessageSendMiniProgram": lambda: account.assistant.send_mini_program(ROOM, MiniProgram("wx", "t")),
    }
    for name, send in sends.items():
        account.answers[name] = pb.MessageSendResponse(id=f"sent-{name}")
        assert await send() == f"sent-{name}"
        assert f"sent-{name}" in account.assistant._sent_messages
        assert account.wire.asked[-1][0] == name
    assert list(account.wire.asked[0][1].mentional_ids) == [SONG]
    assert account.wire.timeouts[1] == 60.0


async def test_message_without_an_id_is_sent(account: ScriptedAccount) -> None:
    assert await account.assistant.send_text(ROOM, "你好") == ""
    assert "" not in account.assistant._sent_messages


@pytest.mark.parametrize(("size", "uploaded"), [(8, False), (9, True)])
async def test_large_files_are_uploaded(
    account: ScriptedAccount, monkeypatch: pytest.MonkeyPatch, size: int, uploaded: bool
) -> None:
    assert filebox.MAX_INLINE == 2 * 1024 * 1024
    monkeypatch.setattr(filebox, "MAX_INLINE", 8)
    await account.assistant.send_media(ROOM, Media("a.txt", b"x" * size))
    sent = json.loads(account.wire.asked[0][1].file_box)
    assert account.wire.uploads == ([b"x" * size] if uploaded else [])
    content = {"type": 7, "uuid": "upload-1"} if uploaded else {"type": 1, "base64": "eHh4eHh4eHg="}
    assert sent == {"name": "a.txt", **content}


async def test_file_is_not_sent_without_a_connection(account: ScriptedAccount) -> None:
    account.puppet.detach()
    with pytest.raises(WeChatOffline, match="MessageSendFile"):
        await account.assistant.send_media(ROOM, Media("a", b"x"))


# ---- contents of messages ----


async def test_file_is_read_by_the_gateways_id(account: ScriptedAccount) -> None:
    account.answers["MessageFile"] = [REFUSED, box(b"data"), box(b"data")]
    assert await account.assistant.media("m1#again:2") == Media("a.txt", b"data")
    assert await account.assistant.file("m1#again:2") == Media("a.txt", b"data")
    assert {request.id for _, request in account.wire.asked} == {"m1"}


async def test_small_files_are_read_in_memory_and_large_ones_on_disk(
    account: ScriptedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict[str, Any]] = []

    async def from_box(_box: str, _wire: object, **more: Any) -> Media:
        opened.append(more)
        return Media("a", b"content")

    monkeypatch.setattr(filebox, "from_box", from_box)
    await account.assistant.media("m1")
    await account.assistant.file("m1")
    hosts = account.assistant._private_hosts
    assert opened == [
        {"limit": 10 * 1024 * 1024, "on_disk": False, "private_hosts": hosts},
        {"limit": 100 * 1024 * 1024, "on_disk": True, "private_hosts": hosts},
    ]


async def test_image_is_read_as_a_file_or_else_as_an_image(account: ScriptedAccount) -> None:
    account.answers["MessageFile"] = box(b"file")
    assert (await account.assistant.image("m1#again:2")).data == b"file"
    account.answers |= {"MessageFile": REFUSED, "MessageImage": [REFUSED, box(b"image")]}
    assert (await account.assistant.image("m1#again:2")).data == b"image"
    assert account.wire.asked[-1] == ("MessageImage", pb.MessageImageRequest(id="m1", type=2))
    account.answers["MessageFile"] = LOST
    with pytest.raises(WeChatUnknown):
        await account.assistant.image("m1")


@pytest.mark.parametrize(
    ("answer", "link"),
    [
        (
            pb.MessageUrlResponse(
                url_link=pb.UrlLinkPayload(title="a\0", url="u", description="d", thumbnail_url="t"),
                url_link_json='{"title": "old", "url": "old"}',
            ),
            Link("a\N{REPLACEMENT CHARACTER}", "u", "d", "t"),
        ),
        (
            pb.MessageUrlResponse(url_link_json='{"title": "t", "url": "u", "description": "d", "thumbnailUrl": "x"}'),
            Link("t", "u", "d", "x"),
        ),
        (pb.MessageUrlResponse(url_link_json='{"title": "t", "url": "u", "description": null}'), Link("t", "u")),
    ],
)
async def test_link_is_read_in_either_format(account: ScriptedAccount, answer: Any, link: Link) -> None:
    account.answers["MessageUrl"] = answer
    assert await account.assistant.link("m1#again:2") == link
    assert account.wire.asked[0][1].id == "m1"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"title": "t"}', "[" * 100_000])
async def test_invalid_link_or_program_is_refused(account: ScriptedAccount, content: str) -> None:
    account.answers["MessageUrl"] = pb.MessageUrlResponse(url_link_json=content)
    with pytest.raises(WeChatRefused, match="invalid link"):
        await account.assistant.link("m1")
    account.answers["MessageMiniProgram"] = pb.MessageMiniProgramResponse(mini_program_json=content[:1])
    with pytest.raises(WeChatRefused, match="invalid mini-program"):
        await account.assistant.program_title("m1")


async def test_titles_places_and_cards_are_read(account: ScriptedAccount) -> None:
    account.answers["MessageMiniProgram"] = [
        pb.MessageMiniProgramResponse(mini_program=pb.MiniProgramPayload(title="新"), mini_program_json="{}"),
        pb.MessageMiniProgramResponse(mini_program_json='{"title": "旧"}'),
    ]
    assert [await account.assistant.program_title("m1#again:2") for _ in range(2)] == ["新", "旧"]
    account.answers["MessageContact"] = CALLS["MessageContact"].response(id=SONG)
    assert await account.assistant.card("m1#again:2") == SONG
    account.answers["MessageLocation"] = [
        pb.MessageLocationResponse(location=pb.LocationPayload(name="店", address="路")),
        pb.MessageLocationResponse(location=pb.LocationPayload(name="店", address="店")),
        pb.MessageLocationResponse(location=pb.LocationPayload(address="路")),
    ]
    assert [await account.assistant.place("m1#again:2") for _ in range(3)] == ["店 路", "店", "路"]
    assert {request.id for _, request in account.wire.asked} == {"m1"}


# ---- people ----


async def test_friend_request_is_accepted_by_its_id(account: ScriptedAccount) -> None:
    await account.assistant.accept_friend("f1")
    assert account.wire.asked == [("FriendshipAccept", pb.Id(id="f1"))]


async def test_alias_is_set_when_a_reading_shows_it(account: ScriptedAccount) -> None:
    account.answers["ContactPayload"] = [
        pb.ContactPayloadResponse(alias="旧"),
        LOST,
        pb.ContactPayloadResponse(alias="新"),
    ]
    await account.assistant.set_alias(SONG, "新")
    assert account.wire.names == ["ContactAlias", *["DirtyPayload", "ContactPayload"] * 3]
    assert account.directory.contacts[SONG].alias == "新"


async def test_alias_that_does_not_show_was_not_set(account: ScriptedAccount) -> None:
    account.answers["ContactPayload"] = pb.ContactPayloadResponse(alias="旧")
    with pytest.raises(WeChatNotDone, match="ContactAlias"):
        await account.assistant.set_alias(SONG, "")
    assert account.wire.names.count("ContactPayload") == 2, "at once, and after 0.05 of 0.06 seconds"
    account.answers["ContactAlias"] = WeChatUnknown("ContactAlias", "first")
    with pytest.raises(WeChatUnknown, match="first"):
        await account.assistant.set_alias(SONG, "新")


async def test_readings_of_a_change_become_rarer(account: ScriptedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("wechat.account_calls.asyncio.sleep", sleep)
    account.assistant._timing = replace(AT_ONCE, read_back=SECONDS)
    old, new = pb.ContactPayloadResponse(alias="旧"), pb.ContactPayloadResponse(alias="新")
    account.answers["ContactPayload"] = [old, old, old, new]
    await account.assistant.set_alias(SONG, "新")
    assert pauses == [0.05, 0.1, 0.2]


async def test_contact_is_read_past_the_cache_on_request_only(account: ScriptedAccount) -> None:
    account.knows(Contact(SONG, "旧"))
    assert (await account.assistant.contact(SONG)).name == "旧"
    assert account.wire.asked == []
    account.answers["ContactPayload"] = [REFUSED, pb.ContactPayloadResponse(name="新")]
    assert (await account.assistant.contact(SONG, fresh=True)).name == "新"
    assert account.wire.names.count("DirtyPayload") == 2


async def test_search_reads_new_contacts_and_strangers_of_that_name(account: ScriptedAccount) -> None:
    account.directory.unread = {"listed"}
    account.knows(Contact("b", "李逵"), Contact("c", "吴用"), Contact("d", "李逵", friend=True))
    account.answers["ContactList"] = CALLS["ContactList"].response(ids=["b", "c", "new", "listed", "stranger"])
    account.answers["ContactPayload"] = contacts(
        Contact("b", "李逵", friend=True),
        Contact("new", "武松", friend=True),
        Contact("listed", "林冲", friend=True),
        Contact("stranger", "高俅"),
    )
    await account.assistant.search_contacts("李逵")
    assert [request.id for name, request in account.wire.asked if name == "ContactPayload"] == [
        "new", "listed", "stranger", "b",
    ]  # fmt: skip
    assert account.wire.names.count("DirtyPayload") == 1, "only the stranger may be outdated"
    assert account.assistant._sync.unreported == {"b", "new"}, "those of the first list were friends before"
    assert ("news", "") in account.updates._stale


async def test_search_before_the_first_list_finds_nothing_new(account: ScriptedAccount) -> None:
    account.directory.unread = None
    account.answers["ContactList"] = CALLS["ContactList"].response(ids=["new"])
    account.answers["ContactPayload"] = contacts(Contact("new", "武松", friend=True))
    await account.assistant.search_contacts("武松")
    assert account.directory.contacts["new"].friend
    assert account.assistant._sync.unreported == set()


async def test_search_that_fails_or_takes_too_long_changes_nothing(account: ScriptedAccount) -> None:
    for answer in (REFUSED, WeChatOffline("x"), TimeoutError()):
        account.answers["ContactList"] = answer
        await account.assistant.search_contacts("武松")
    assert account.assistant._sync.unreported == set()
    assert account.updates._stale == {}


async def test_logout_is_done_when_the_account_is_logged_out(account: ScriptedAccount) -> None:
    with pytest.raises(WeChatNotDone, match="Logout"):
        await account.assistant.log_out()
    assert account.puppet.login_user_id == ME

    def log_out(_request: object) -> None:
        account.puppet.login_user_id = None

    account.answers["Logout"] = log_out
    await account.assistant.log_out()


async def test_qr_code_of_the_account_is_read(account: ScriptedAccount) -> None:
    account.answers["ContactSelfQRCode"] = pb.ContactSelfQRCodeResponse(qrcode="https://u.example")
    assert await account.assistant.self_qr_code() == "https://u.example"
