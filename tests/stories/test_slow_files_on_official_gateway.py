"""Files that cannot be fetched delay neither customers, staff nor moderation."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.official import Start, official  # noqa: F401 - a fixture
from tests.stories.gateway_environment import ALWAYS_OPEN, STAFF_ROOM, GatewayEnvironment, add_staff_room
from tests.waiting import SECONDS

pytestmark = pytest.mark.gateway
LATE = 3000  # milliseconds; a conversation waits for half a second
PICTURE = {"name": "a.png", "base64": base64.b64encode(b"picture").decode()}


@pytest.fixture
async def env(official: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GatewayEnvironment]:  # noqa: F811
    """A customer, and one member of the staff; a file may take five seconds instead of fifteen."""
    monkeypatch.setattr("services.support.file_relay.TIMEOUT", 5.0)
    monkeypatch.setattr("services.moderation.moderator.SECONDS", 600.0)
    monkeypatch.setattr("app.lifecycle.GRACE", 0.5)  # for the files that never come
    gateway = await official(tls=False)
    for id, name in (("wxid_xuan", "黑旋风"), ("wxid_song", "宋公明"), ("wxid_zhi", "智多星"), ("wxid_admin", "店长")):
        await gateway.contact(id, name)
    await add_staff_room(gateway)
    async with GatewayEnvironment(gateway, tmp_path, False, handoff=ALWAYS_OPEN) as env:
        yield env


async def test_lost_pictures_do_not_delay_a_request_for_a_person(env: GatewayEnvironment) -> None:
    gateway = env.gateway
    await gateway.fault("messageFile", "hang")
    for _ in range(2):
        await gateway.say("wxid_xuan", kind="image", file=PICTURE)
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    await gateway.say("wxid_xuan", kind="image", file=PICTURE)
    await gateway.say("wxid_xuan", "在吗")
    shown = [sent["text"] for sent in await gateway.wait_sent(3, STAFF_ROOM)]
    assert shown[1:] == ["【#1 黑旋风】[图片]", "【#1 黑旋风】在吗"]
    missing = [sent["text"] for sent in await gateway.wait_sent(6, STAFF_ROOM)][3:]
    assert missing == ["【#1 黑旋风】[图片]（没能取得）"] * 3


async def test_late_picture_is_relayed(env: GatewayEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.support.file_relay.TIMEOUT", SECONDS)
    gateway = env.gateway
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    await gateway.fault("messageFile", "late", ms=LATE)
    await gateway.say("wxid_xuan", kind="image", file=PICTURE)
    await gateway.say("wxid_xuan", "看图")
    placeholder, text, picture = (await gateway.wait_sent(4, STAFF_ROOM))[1:]
    assert (placeholder["text"], text["text"]) == ("【#1 黑旋风】[图片]", "【#1 黑旋风】看图")
    assert picture["sha256"] == hashlib.sha256(b"picture").hexdigest()


@pytest.mark.parametrize("mode", ["hang", "late"])
async def test_slow_picture_of_staff_does_not_block_the_room(
    env: GatewayEnvironment, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "late":
        monkeypatch.setattr("services.support.file_relay.TIMEOUT", SECONDS)
    gateway = env.gateway
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    await gateway.fault("messageFile", mode, **({"ms": LATE} if mode == "late" else {}))
    await gateway.say("wxid_song", "#1 请看", room=STAFF_ROOM)
    await gateway.say("wxid_song", kind="image", file=PICTURE, room=STAFF_ROOM)
    await gateway.say("wxid_song", "#1 说明在图里", room=STAFF_ROOM)
    assert [sent["text"] for sent in await gateway.wait_sent(3, "wxid_xuan")][1:] == ["请看", "说明在图里"]
    if mode == "late":
        assert (await gateway.wait_sent(4, "wxid_xuan"))[3]["sha256"] == hashlib.sha256(b"picture").hexdigest()
    told = [sent["text"] for sent in await gateway.wait_sent(3, STAFF_ROOM)][2]
    assert told == ("#1 黑旋风：图片已转给客户" if mode == "late" else told)
    assert "图片" in told


async def test_slow_pictures_do_not_block_moderation(env: GatewayEnvironment) -> None:
    gateway = env.gateway
    qun = await env.group()
    room = (await gateway.rooms())[-1]["id"]
    await gateway.join(room, "wxid_xuan")
    await gateway.wait_sent(1, room)
    await gateway.say("wxid_admin", f"/屏蔽词 {qun['number']} 加 加微信")
    await gateway.wait_sent(1, "wxid_admin")
    await gateway.fault("messageFile", "hang")
    await gateway.fault("messageImage", "hang")
    for _ in range(9):
        await gateway.say("wxid_xuan", kind="image", file=PICTURE, room=room)
        await asyncio.sleep(0)
    await gateway.say("wxid_xuan", "加微信", room=room)
    warned = (await gateway.wait_sent(2, room))[1]
    assert "第 1 次警告" in warned["text"]
