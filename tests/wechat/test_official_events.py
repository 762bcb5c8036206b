"""Resolving events of the official gateway: kinds, mentions, friends without an event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from tests.official import OfficialGateway, Start
from tests.wechat.conftest import Connect
from tests.wechat.recording_listener import RecordedAccount
from wechat import event_resolver as resolve
from wechat.events import (
    GroupMessage,
    MessageFailed,
    PrivateMessage,
)


@pytest_asyncio.fixture
async def gateway(official: Start) -> OfficialGateway:
    gateway = await official()
    for id, name in (("wxid_song", "宋公明"), ("wxid_zhi", "智多星"), ("wxid_zhi2", "智多星"), ("wxid_hei", "黑 旋风")):
        await gateway.contact(id, name)
    own = (await gateway.status())["self"]
    await gateway.room("r1@chatroom", "梁山", [own, "wxid_song", "wxid_zhi", "wxid_zhi2", "wxid_hei"])
    return gateway


@pytest_asyncio.fixture
async def official_recorded(gateway: OfficialGateway, connect: Connect) -> RecordedAccount:
    recorded = await connect(gateway.endpoint, gateway.token, tls=True)
    await recorded.online()
    return recorded


@pytest.mark.gateway
async def test_every_message_type(gateway: OfficialGateway, official_recorded: RecordedAccount) -> None:
    """The types are those of TypeScript; the Python SDK knows all but the last."""
    wanted = [
        "text",  # of an unknown kind, and holds a text
        "file",
        "audio",
        "card",
        "chat_history",
        "emoticon",
        "image",
        "text",
        "location",
        "mini_program",
        "system",
        "transfer",
        "red_envelope",
        "recalled",
        "link",
        "video",
        "text",
        "text",
    ]
    for kind in range(len(wanted)):
        await gateway.say("wxid_song", "x", kind=kind)
    events = [await official_recorded.resolved("message", n + 1) for n in range(len(wanted))]
    assert [event.kind.value for event in events] == wanted


@pytest.mark.gateway
async def test_mentions_by_id_and_by_text(gateway: OfficialGateway, official_recorded: RecordedAccount) -> None:
    own, room = official_recorded.assistant.self_id, "r1@chatroom"
    cases: list[tuple[str, dict[str, Any], set[str], bool]] = [
        ("@微秘 你好", {"mentions": [own]}, {own}, True),
        ("@甲 @乙", {"mentions": ["wxid_zhi"]}, {"wxid_zhi"}, False),
        ("@微秘\u2005你好", {}, {own}, True),
        ("@微秘", {}, {own}, True),
        ("/踢 @宋公明\u2005", {}, {"wxid_song"}, False),
        ("/踢 @黑 旋风\u2005@宋公明", {}, {"wxid_hei", "wxid_song"}, False),
        ("/踢 @黑 旋风", {}, {"wxid_hei"}, False),
        ("@智多星 是哪个", {}, set(), False),  # ambiguous: no guess
        ("微秘 你好 a@微.cn", {}, set(), False),
    ]
    for text, more, _, _ in cases:
        await gateway.say("wxid_song", text, room=room, **more)
    for number, (text, _, mentions, mentioned) in enumerate(cases, 1):
        event = await official_recorded.resolved("message", number)
        assert isinstance(event, GroupMessage)
        assert (text, set(event.mentions), event.mentioned) == (text, mentions, mentioned)


@pytest.mark.gateway
async def test_friend_without_event_is_recognised(
    gateway: OfficialGateway, official_recorded: RecordedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger who writes is read again; if that fails, they stay a stranger."""
    monkeypatch.setattr(resolve, "REREAD_INTERVAL", 0.0)

    async def is_friend(number: int) -> bool:
        await gateway.say("wxid_late", "在吗")
        event = await official_recorded.resolved("message", number)
        assert isinstance(event, PrivateMessage)
        return event.is_friend

    await gateway.contact("wxid_late", "来迟", friend=False)
    assert not await is_friend(1)
    await gateway.fault("contactPayload", "throw")  # first: a reading in the background must not see the change either
    await gateway.contact("wxid_late", friend=True, dirty=False)
    assert not await is_friend(2)
    await gateway.clear_faults()
    assert await is_friend(3)


@pytest.mark.gateway
async def test_active_stranger_is_not_read_each_time(
    gateway: OfficialGateway, official_recorded: RecordedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "REREAD_INTERVAL", 3600.0)  # independent of the machine's speed
    await gateway.contact("wxid_late", "来迟", friend=False)
    for number in range(1, 21):
        await gateway.say("wxid_late", "在吗")
        await official_recorded.resolved("message", number)
    asked = [call for call in await gateway.calls("contactPayload") if call["args"][0] == "wxid_late"]
    # Read as a new contact, and again; each uncached read causes a dirty event, and so another read. If `ready` comes
    # late, the contact list causes the same once more.
    assert len(asked) <= 6, asked


@pytest.mark.gateway
async def test_refused_message_is_reported(gateway: OfficialGateway, official_recorded: RecordedAccount) -> None:
    await gateway.unfriend("wxid_hei")
    await official_recorded.assistant.send_text("wxid_hei", "在吗")  # answered with a friendship of type "verify"
    event = await official_recorded.resolved("friendship")
    assert isinstance(event, MessageFailed) and (event.contact_id, event.unfriended) == ("wxid_hei", True)


@pytest.mark.gateway
async def test_old_message_keeps_its_time(gateway: OfficialGateway, official_recorded: RecordedAccount) -> None:
    await gateway.say("wxid_song", "旧", at=1_600_000_000_000)
    await gateway.say("wxid_song", "旧", at=1_600_000_000)  # a puppet that uses seconds
    for number in (1, 2):
        assert (await official_recorded.resolved("message", number)).at == datetime.fromtimestamp(1_600_000_000, UTC)
