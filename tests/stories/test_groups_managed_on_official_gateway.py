"""Group management over the official Wechaty gateway: members, removal, topic, announcement, mentions."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from models.groups import Membership
from services.groups import group_owners
from services.groups.membership_rows import membership_of
from tests.official import Start, official  # noqa: F401 - a fixture
from tests.stories.conftest import until
from tests.stories.group_life import holds
from tests.stories.test_groups_on_official_gateway import ACCOUNT, Street
from wechat.interface import Directory

pytestmark = pytest.mark.gateway
PEOPLE = {"宋公明": "wxid_song", "黑旋风": "wxid_xuan", "智多星": "wxid_zhi", "店长": "wxid_admin"}


class Square(Street):
    """A gateway and bot with one group."""

    room: str
    number: int
    heard: int = 0

    async def open(self) -> None:
        """Start the bot, create the group, add 黑旋风."""
        await self.bot.start()
        await until(lambda: self.bot.container.accounts.is_online(ACCOUNT), "online")
        self.number = (await self.group())["number"]
        self.room = (await self.gateway.rooms())[0]["id"]
        await self.gateway.join(self.room, "wxid_xuan")
        await self.hears("欢迎 @黑旋风")

    @property
    def directory(self) -> Directory:
        """What the account knows of WeChat."""
        return self.bot.assistants[0].directory

    async def hears(self, words: str) -> dict[str, Any]:
        """Wait for the next message to the group, which contains these words."""
        self.heard += 1
        sent = (await self.gateway.wait_sent(self.heard, self.room))[self.heard - 1]
        assert words in sent["text"], sent
        return sent

    async def command(self, words: str, **what: Any) -> None:
        """Send a command as the owner in the group."""
        await self.gateway.say("wxid_song", words, room=self.room, **what)

    async def state(self, contact_id: str, wanted: str) -> None:
        """Wait until a person has a state in the database."""

        async def look() -> bool:
            row = await self.bot.container.store.read(lambda s: membership_of(s, self.number, contact_id))
            return row is not None and row.state == wanted

        await holds(look, lambda: f"{contact_id} is not {wanted}")

    async def shown(self) -> dict[str, Any]:
        """Return the group in WeChat."""
        return (await self.gateway.rooms())[0]


@pytest.fixture
async def square(official: Start, tmp_path: Path) -> AsyncIterator[Square]:  # noqa: F811
    gateway = await official(tls=False)
    for name, contact_id in PEOPLE.items():
        await gateway.contact(contact_id, name, friend=True)
    square = Square(gateway, tmp_path, False)
    await square.open()
    yield square
    await square.bot.stop()


async def test_joins_leaves_and_removals_are_recorded(square: Square) -> None:
    """Of any origin, reported once or twice; by a mention with ids, by a mention in the text, with a failing call."""
    await square.gateway.leave(square.room, "wxid_xuan")
    await square.state("wxid_xuan", "left")
    await square.gateway.join(square.room, "wxid_xuan", inviter="wxid_song", times=2)
    await square.hears("欢迎 @黑旋风")
    await square.command("/踢 @黑旋风\u2005", mentions=["wxid_xuan"])
    await square.hears("已移出：黑旋风。")
    assert "wxid_xuan" not in (await square.shown())["memberIdList"]
    await square.state("wxid_xuan", "removed")
    await square.gateway.join(square.room, "wxid_xuan")
    await square.hears("欢迎 @黑旋风")
    await square.gateway.fault("roomDel", "ignore", times=1)
    await square.command("/踢 @黑旋风\u2005")
    await square.hears("没能移出 黑旋风：微信没有生效")
    await square.command("/拉黑 @黑旋风\u2005")
    await square.hears("已拉黑：黑旋风。")
    await square.gateway.join(square.room, "wxid_xuan")
    await square.hears("黑旋风 已被移出群聊")
    assert "wxid_xuan" not in (await square.shown())["memberIdList"]


async def test_topic_and_announcement_are_changed(square: Square) -> None:
    """Set and read back; a gateway that does nothing is reported; drift is repaired."""
    await square.command("/群名 梁山")
    await square.hears("群名已改为“梁山”")
    await square.command("/公告 今晚聚义")
    await square.hears("群公告已发布")
    room = await square.shown()
    assert (room["topic"], room["announce"]) == ("梁山", "今晚聚义")
    for call, command in (("roomTopic", "/群名 泊"), ("roomAnnounce", "/公告 散会")):
        await square.gateway.fault(call, "ignore", times=1)
        await square.command(command)
        await square.hears("微信没有执行：微信没有生效")
        await square.gateway.clear_faults()
    await square.gateway.topic(square.room, "乱改", "wxid_zhi")
    await square.gateway.room(square.room, announce="乱改")
    assert await square.bot.container.group_policy.check() == "1 rooms, 2 drifted, 2 repaired"
    room = await square.shown()
    assert (room["topic"], room["announce"]) == ("梁山", "今晚聚义")


async def test_warning_mentions_its_person(square: Square) -> None:
    await square.gateway.say("wxid_xuan", room=square.room, kind="card", card="wxid_admin")
    warned = await square.hears("请勿发送名片")
    assert warned["mentions"] == ["wxid_xuan"]
    await square.gateway.say("wxid_xuan", "/令牌", room=square.room)
    refused = await square.hears("您没有权限执行此命令")
    assert refused["mentions"] == ["wxid_xuan"]


async def test_joins_and_leaves_reported_by_name(square: Square) -> None:
    """With a gateway that reports names instead of ids, joins and leaves are found on the member list."""
    for number in range(2):
        await square.gateway.leave(square.room, "wxid_xuan", emit=False)
        names = {"removeeIdList": ["黑旋风"], "removerId": "黑旋风", "roomId": square.room, "timestamp": time.time()}
        await square.gateway.emit_raw("room-leave", names)
        await square.state("wxid_xuan", "left")
        await square.gateway.join(square.room, "wxid_xuan", emit=False)
        names = {"inviteeIdList": ["黑旋风"], "inviterId": "宋公明", "roomId": square.room, "timestamp": time.time()}
        await square.gateway.emit_raw("room-join", names, times=number + 1)
        welcome = await square.hears("欢迎 @黑旋风")
        assert welcome["mentions"] == ["wxid_xuan"]
    rows = await square.bot.container.store.read(lambda s: s.exec(select(Membership.who)).all())
    assert sorted(rows) == ["wxid_song", "wxid_xuan", "wxid_zhi"]


async def test_unreadable_member_is_welcomed(square: Square) -> None:
    await square.gateway.contact("wxid_ghost", "鬼", friend=False)
    await square.gateway.fault("contactPayload", "throw")
    await square.gateway.join(square.room, "wxid_ghost")
    welcome = await square.hears("欢迎")
    assert welcome["mentions"] == ["wxid_ghost"]


async def test_mention_of_everyone_names_nobody(square: Square) -> None:
    """A mention of everyone names nobody; an unreadable member is reported."""
    await square.command("/踢 @所有人\u2005", mentions=["notify@all"])
    await square.hears("群里没有找到“所有人”。")
    await square.gateway.room(square.room, members=[*(await square.shown())["memberIdList"], "wxid_ghost"])
    await until(lambda: "wxid_ghost" in square.directory.rooms[square.room].member_ids, "the list is read")
    await square.command("/踢 @鬼\u2005", mentions=["wxid_ghost"])
    await square.hears("微信没有执行：")


async def test_person_pardoned_before_the_retry_stays(square: Square) -> None:
    """The first removal fails, and the person is forgiven before the retry."""
    await square.gateway.fault("roomDel", "ignore", times=1)
    for _ in range(3):
        await square.gateway.say("wxid_xuan", room=square.room, kind="card", card="wxid_admin")
    for _ in range(2):
        await square.hears("请勿发送名片")
    await square.gateway.wait_calls("roomDel")
    await square.command("/解除拉黑 黑旋风")
    await square.hears("已解除拉黑：黑旋风。")
    await until(lambda: not any(square.bot.container.outbox.waiting().values()), "nothing is left to do")
    assert len(await square.gateway.calls("roomDel")) == 1
    assert "wxid_xuan" in (await square.shown())["memberIdList"]


async def test_assistant_is_removed_and_added_again(square: Square) -> None:
    me = (await square.gateway.status())["self"]
    await square.gateway.leave(square.room, me, by="wxid_song")
    [told] = await square.gateway.wait_sent(1, "wxid_song")
    assert "助手已不在“宋公明的群100001”" in told["text"]
    await square.gateway.join(square.room, me, inviter="wxid_song")
    sent = await square.gateway.wait_sent(2, "wxid_song")
    assert "助手已回到“宋公明的群100001”" in sent[1]["text"]


async def test_permissions_follow_the_current_owner(square: Square, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway does not report the transfer. The former owner loses the owner's rights with the next command."""
    monkeypatch.setattr(group_owners, "READING_HOLDS", timedelta(0))
    await square.command("/群信息")
    await square.hears("群编号：100001")
    await square.gateway.room(square.room, owner="wxid_xuan", dirty=False)
    await square.command("/换令牌")
    await square.hears("您没有权限执行此命令")
    await square.gateway.say("wxid_xuan", "/群信息", room=square.room)
    await square.hears("群编号：100001")
    await square.gateway.room(square.room, owner=(await square.gateway.status())["self"])
    await until(lambda: square.directory.rooms[square.room].owner_id != "wxid_xuan", "the new owner is known")
    await square.gateway.say("wxid_xuan", "/换令牌", room=square.room)
    await square.hears("您没有权限执行此命令")
    await square.gateway.fault("roomPayload", "throw")
    await square.command("/帮助")
    await square.hears("/令牌")


async def test_gateway_without_owner_information(square: Square) -> None:
    await square.gateway.room(square.room, owner="")
    await until(lambda: not square.directory.rooms[square.room].owner_id, "no owner is known")
    await square.command("/群信息")
    await square.hears("群编号：100001")
