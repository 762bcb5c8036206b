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
from tests.stories.gateway_environment import ACCOUNT, GatewayEnvironment
from tests.waiting import until
from wechat.interface import Directory

pytestmark = pytest.mark.gateway
PEOPLE = {"宋公明": "wxid_song", "黑旋风": "wxid_xuan", "智多星": "wxid_zhi", "店长": "wxid_admin"}


class GroupEnvironment(GatewayEnvironment):
    """A gateway and bot with one group."""

    room: str
    number: int
    received: int = 0

    async def open(self) -> None:
        """Start the bot, create the group, add 黑旋风."""
        await self.bot.start()
        await until(lambda: self.bot.container.accounts.is_online(ACCOUNT), "online")
        self.number = (await self.group())["number"]
        self.room = (await self.gateway.rooms())[0]["id"]
        await self.gateway.join(self.room, "wxid_xuan")
        await self.receives("欢迎 @黑旋风")

    @property
    def directory(self) -> Directory:
        """What the account knows of WeChat."""
        return self.bot.assistants[0].directory

    async def receives(self, text: str) -> dict[str, Any]:
        """Wait for the next message to the group, which contains these words."""
        self.received += 1
        sent = (await self.gateway.wait_sent(self.received, self.room))[self.received - 1]
        assert text in sent["text"], sent
        return sent

    async def command(self, text: str, **what: Any) -> None:
        """Send a command as the owner in the group."""
        await self.gateway.say("wxid_song", text, room=self.room, **what)

    async def state(self, contact_id: str, wanted: str) -> None:
        """Wait until a person has a state in the database."""

        async def look() -> bool:
            row = await self.bot.container.store.read(lambda s: membership_of(s, self.number, contact_id))
            return row is not None and row.state == wanted

        await until(look, lambda: f"{contact_id} is not {wanted}")

    async def shown(self) -> dict[str, Any]:
        """Return the group in WeChat."""
        return (await self.gateway.rooms())[0]


@pytest.fixture
async def env(official: Start, tmp_path: Path) -> AsyncIterator[GroupEnvironment]:  # noqa: F811
    gateway = await official(tls=False)
    for name, contact_id in PEOPLE.items():
        await gateway.contact(contact_id, name, friend=True)
    env = GroupEnvironment(gateway, tmp_path, False)
    await env.open()
    yield env
    await env.bot.stop()


async def test_joins_leaves_and_removals_are_recorded(env: GroupEnvironment) -> None:
    """Of any origin, reported once or twice; by a mention with ids, by a mention in the text, with a failing call."""
    await env.gateway.leave(env.room, "wxid_xuan")
    await env.state("wxid_xuan", "left")
    await env.gateway.join(env.room, "wxid_xuan", inviter="wxid_song", times=2)
    await env.receives("欢迎 @黑旋风")
    await env.command("/踢 @黑旋风\u2005", mentions=["wxid_xuan"])
    await env.receives("已移出：黑旋风。")
    assert "wxid_xuan" not in (await env.shown())["memberIdList"]
    await env.state("wxid_xuan", "removed")
    await env.gateway.join(env.room, "wxid_xuan")
    await env.receives("欢迎 @黑旋风")
    await env.gateway.fault("roomDel", "ignore", times=1)
    await env.command("/踢 @黑旋风\u2005")
    await env.receives("没能移出 黑旋风：微信没有生效")
    await env.command("/拉黑 @黑旋风\u2005")
    await env.receives("已拉黑：黑旋风。")
    await env.gateway.join(env.room, "wxid_xuan")
    await env.receives("黑旋风 已被移出群聊")
    assert "wxid_xuan" not in (await env.shown())["memberIdList"]


async def test_topic_and_announcement_are_changed(env: GroupEnvironment) -> None:
    """Set and read back; a gateway that does nothing is reported; drift is repaired."""
    await env.command("/群名 梁山")
    await env.receives("群名已改为“梁山”")
    await env.command("/公告 今晚聚义")
    await env.receives("群公告已发布")
    room = await env.shown()
    assert (room["topic"], room["announce"]) == ("梁山", "今晚聚义")
    for call, command in (("roomTopic", "/群名 泊"), ("roomAnnounce", "/公告 散会")):
        await env.gateway.fault(call, "ignore", times=1)
        await env.command(command)
        await env.receives("微信没有执行：微信没有生效")
        await env.gateway.clear_faults()
    await env.gateway.topic(env.room, "乱改", "wxid_zhi")
    await env.gateway.room(env.room, announce="乱改")
    assert await env.bot.container.drift_check.check() == "1 rooms, 2 drifted, 2 repaired"
    room = await env.shown()
    assert (room["topic"], room["announce"]) == ("梁山", "今晚聚义")


async def test_warning_mentions_its_person(env: GroupEnvironment) -> None:
    await env.gateway.say("wxid_xuan", room=env.room, kind="card", card="wxid_admin")
    warned = await env.receives("请勿发送名片")
    assert warned["mentions"] == ["wxid_xuan"]
    await env.gateway.say("wxid_xuan", "/令牌", room=env.room)
    refused = await env.receives("您没有权限执行此命令")
    assert refused["mentions"] == ["wxid_xuan"]


async def test_joins_and_leaves_reported_by_name(env: GroupEnvironment) -> None:
    """With a gateway that reports names instead of ids, joins and leaves are found on the member list."""
    for number in range(2):
        await env.gateway.leave(env.room, "wxid_xuan", emit=False)
        names = {"removeeIdList": ["黑旋风"], "removerId": "黑旋风", "roomId": env.room, "timestamp": time.time()}
        await env.gateway.emit_raw("room-leave", names)
        await env.state("wxid_xuan", "left")
        await env.gateway.join(env.room, "wxid_xuan", emit=False)
        names = {"inviteeIdList": ["黑旋风"], "inviterId": "宋公明", "roomId": env.room, "timestamp": time.time()}
        await env.gateway.emit_raw("room-join", names, times=number + 1)
        welcome = await env.receives("欢迎 @黑旋风")
        assert welcome["mentions"] == ["wxid_xuan"]
    rows = await env.bot.container.store.read(lambda s: s.exec(select(Membership.who)).all())
    assert sorted(rows) == ["wxid_song", "wxid_xuan", "wxid_zhi"]


async def test_unreadable_member_is_welcomed(env: GroupEnvironment) -> None:
    await env.gateway.contact("wxid_ghost", "鬼", friend=False)
    await env.gateway.fault("contactPayload", "throw")
    await env.gateway.join(env.room, "wxid_ghost")
    welcome = await env.receives("欢迎")
    assert welcome["mentions"] == ["wxid_ghost"]


async def test_mention_of_everyone_names_nobody(env: GroupEnvironment) -> None:
    """A mention of everyone selects no one; an unreadable member is reported."""
    await env.command("/踢 @所有人\u2005", mentions=["notify@all"])
    await env.receives("群里没有找到“所有人”。")
    await env.gateway.room(env.room, members=[*(await env.shown())["memberIdList"], "wxid_ghost"])
    await until(lambda: "wxid_ghost" in env.directory.rooms[env.room].member_ids, "the list is read")
    await env.command("/踢 @鬼\u2005", mentions=["wxid_ghost"])
    await env.receives("微信没有执行：")


async def test_person_pardoned_before_the_retry_stays(env: GroupEnvironment) -> None:
    """The first removal fails, and the person is taken off the blacklist before the retry."""
    await env.gateway.fault("roomDel", "ignore", times=1)
    for _ in range(3):
        await env.gateway.say("wxid_xuan", room=env.room, kind="card", card="wxid_admin")
    for _ in range(2):
        await env.receives("请勿发送名片")
    await env.gateway.wait_calls("roomDel")
    await env.command("/解除拉黑 黑旋风")
    await env.receives("已解除拉黑：黑旋风。")
    await until(lambda: not any(env.bot.container.outbox.waiting().values()), "nothing is left to do")
    assert len(await env.gateway.calls("roomDel")) == 1
    assert "wxid_xuan" in (await env.shown())["memberIdList"]


async def test_assistant_is_removed_and_added_again(env: GroupEnvironment) -> None:
    me = (await env.gateway.status())["self"]
    await env.gateway.leave(env.room, me, by="wxid_song")
    [told] = await env.gateway.wait_sent(1, "wxid_song")
    assert "助手已不在“宋公明的群100001”" in told["text"]
    await env.gateway.join(env.room, me, inviter="wxid_song")
    sent = await env.gateway.wait_sent(2, "wxid_song")
    assert "助手已回到“宋公明的群100001”" in sent[1]["text"]


async def test_permissions_follow_the_current_owner(env: GroupEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway does not report the transfer. The former owner loses the owner's rights with the next command."""
    monkeypatch.setattr(group_owners, "OWNER_MAX_AGE", timedelta(0))
    await env.command("/群信息")
    await env.receives("群编号：100001")
    await env.gateway.room(env.room, owner="wxid_xuan", dirty=False)
    await env.command("/换令牌")
    await env.receives("您没有权限执行此命令")
    await env.gateway.say("wxid_xuan", "/群信息", room=env.room)
    await env.receives("群编号：100001")
    await env.gateway.room(env.room, owner=(await env.gateway.status())["self"])
    await until(lambda: env.directory.rooms[env.room].owner_id != "wxid_xuan", "the new owner is known")
    await env.gateway.say("wxid_xuan", "/换令牌", room=env.room)
    await env.receives("您没有权限执行此命令")
    await env.gateway.fault("roomPayload", "throw")
    await env.command("/帮助")
    await env.receives("/令牌")


async def test_gateway_without_owner_information(env: GroupEnvironment) -> None:
    await env.gateway.room(env.room, owner="")
    await until(lambda: not env.directory.rooms[env.room].owner_id, "no owner is known")
    await env.command("/群信息")
    await env.receives("群编号：100001")
