"""An account in one group of the official gateway."""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.official import OfficialGateway, Start
from tests.wechat.conftest import Connect
from tests.wechat.recording_listener import RecordedAccount
from wechat.assistant import Assistant

ROOM = "r1@chatroom"


@pytest_asyncio.fixture
async def gateway(official: Start) -> OfficialGateway:
    gateway = await official()
    for id, name in (("wxid_song", "宋公明"), ("wxid_zhi", "智多星"), ("wxid_hei", "黑旋风")):
        await gateway.contact(id, name)
    own = (await gateway.status())["self"]
    await gateway.room(ROOM, "梁山", [own, "wxid_song", "wxid_zhi"], owner=own)
    return gateway


@pytest_asyncio.fixture
async def recorded(gateway: OfficialGateway, connect: Connect) -> RecordedAccount:
    recorded = await connect(gateway.endpoint, gateway.token, tls=True, media_hosts=["127.0.0.1"])
    await recorded.online()
    return recorded


@pytest.fixture
def bot(recorded: RecordedAccount) -> Assistant:
    return recorded.assistant
