"""Gateways with incomplete data: short lists, events without people, people without names or flags."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from models.groups import Membership, MemberState
from tests.official import Start, official  # noqa: F401 - a fixture
from tests.stories.gateway_environment import ACCOUNT, GatewayEnvironment
from tests.waiting import SECONDS, until

pytestmark = pytest.mark.gateway
PEOPLE = ("wxid_song", "宋公明"), ("wxid_xuan", "黑旋风"), ("wxid_zhi", "智多星"), ("wxid_hua", "小李广")

ODD_NAMES = (  # the owner's name, and how the group's is given back
    ("阮&阮商行", "escaped"),
    ("豹子头🔥", "emoji_words"),
    ("豹子头🔥", "no_emoji"),
    (" 小店 ", "trimmed"),
    ("特别" * 12, "cut"),
)


@pytest.fixture
async def env(official: Start, tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:  # noqa: F811
    """A bot, four friends, and a group of three with a fourth."""
    gateway = await official(tls=False, state=tmp_path / "state")
    for id, name in PEOPLE:
        await gateway.contact(id, name)
    for number, (name, _) in enumerate(ODD_NAMES):
        await gateway.contact(f"wxid_owner{number}", name)
    async with GatewayEnvironment(gateway, tmp_path, False) as env:
        yield env


async def group(env: GatewayEnvironment) -> str:
    """A group with 黑旋风 in it; its room."""
    await env.group()
    room: str = (await env.gateway.rooms())[0]["id"]
    await env.gateway.join(room, "wxid_xuan")
    await env.gateway.wait_sent(1, room)
    return room


async def state_of(env: GatewayEnvironment, contact_id: str) -> str:
    """Return the state of the person's membership."""
    wanted = select(Membership).where(Membership.contact_id == contact_id)
    row = await env.bot.container.store.read(lambda s: s.exec(wanted).first())
    return row.state if row else ""


async def wait_for_state(env: GatewayEnvironment, contact_id: str, state: str) -> None:
    deadline = asyncio.get_running_loop().time() + SECONDS
    while (now := await state_of(env, contact_id)) != state:
        assert asyncio.get_running_loop().time() < deadline, now
        await asyncio.sleep(0.05)


async def reconnected(env: GatewayEnvironment) -> None:
    """After a gateway's restart."""
    await env.gateway.restart()
    await env.gateway.wait_connected()


async def test_short_lists_after_restart_remove_nobody(env: GatewayEnvironment) -> None:
    """No leaves and no new welcomes are recorded, and the group is not lost; a real leave is recorded."""
    room = await group(env)
    await env.gateway.set(short_lists=1)
    await env.gateway.leave(room, "wxid_zhi", emit=False)
    await reconnected(env)
    await wait_for_state(env, "wxid_zhi", MemberState.LEFT)
    assert await state_of(env, "wxid_xuan") == MemberState.JOINED
    assert len(await env.gateway.sent(room)) == 1
    assert not [sent for sent in await env.gateway.sent("wxid_song") if "不在" in sent["text"]]
    status, _ = await env.call("GET", "/wxbot/qun", params={"code": "1"})
    assert status == 200


async def test_assistant_is_gone_after_three_readings(env: GatewayEnvironment) -> None:
    room = await group(env)
    me = (await env.gateway.status())["self"]
    await env.gateway.leave(room, me, emit=False)
    await reconnected(env)
    told = await env.gateway.wait_sent(1, "wxid_song")
    assert "100001" in told[-1]["text"]
    assert len([call for call in await env.gateway.calls("roomPayload") if call["args"] == [room]]) >= 3


@pytest.mark.parametrize("people", [None, [], ["小李广"], ["Li Guang"]])
async def test_events_without_people_trigger_a_read(env: GatewayEnvironment, people: list[str] | None) -> None:
    room = await group(env)
    named: dict[str, Any] = {} if people is None else {"inviteeIdList": people}
    await env.gateway.join(room, "wxid_hua", emit=False)
    await env.gateway.emit_raw("room-join", {"roomId": room, "inviterId": "wxid_song", **named})
    welcome = (await env.gateway.wait_sent(2, room))[1]
    assert welcome["mentions"] == ["wxid_hua"]
    assert "小李广" in welcome["text"]
    await env.gateway.leave(room, "wxid_hua", emit=False)
    gone = {} if people is None else {"removeeIdList": people}
    await env.gateway.emit_raw("room-leave", {"roomId": room, "removerId": "", **gone})
    await wait_for_state(env, "wxid_hua", MemberState.LEFT)
    assert len(await env.gateway.sent(room)) == 2


async def test_newcomer_named_later_is_welcomed_by_name(env: GatewayEnvironment) -> None:
    room = await group(env)
    await env.gateway.contact("wxid_new", "", friend=False)
    before = len(await env.gateway.calls("contactPayload"))
    await env.gateway.join(room, "wxid_new")
    await env.gateway.wait_calls("contactPayload", before + 1)
    await env.gateway.contact("wxid_new", "病尉迟", dirty=False)
    welcome = (await env.gateway.wait_sent(2, room))[1]
    assert "病尉迟" in welcome["text"]
    await env.gateway.contact("wxid_new", "")
    await env.gateway.say("wxid_new", "有人吗", room=room, mentions=["wxid_bot"])
    assert env.bot.container.accounts.get(ACCOUNT).directory.contacts["wxid_new"].name == "病尉迟"


async def test_listed_contacts_are_friends_when_flags_are_missing(
    official: Start,  # noqa: F811
    tmp_path: Path,
) -> None:
    gateway = await official(tls=False)
    for id, name in PEOPLE:
        await gateway.contact(id, name, friend=False)
    env = GatewayEnvironment(gateway, tmp_path, False)
    await env.bot.start()
    await until(lambda: env.bot.container.accounts.is_online(ACCOUNT), "online")
    try:
        directory = env.bot.container.accounts.get(ACCOUNT).directory
        await until(lambda: all(directory.contacts[id].friend for id, _ in PEOPLE), "friends")
        await gateway.contact("wxid_new", "病尉迟", friend=False)
        await gateway.contact("wxid_song", friend=True)
        await gateway.emit_raw("friendship", {"friendshipId": "f1"})
    finally:
        await env.bot.stop()


async def test_accepted_person_is_a_friend_whatever_the_payload_says(env: GatewayEnvironment) -> None:
    await env.gateway.friend_request("wxid_wen", "你好")
    await env.gateway.fault("friendshipAccept", "ignore")  # the payload never shows them as a friend
    await env.gateway.wait_sent(1, "wxid_wen")
    directory = env.bot.container.accounts.get(ACCOUNT).directory
    await until(lambda: directory.contacts["wxid_wen"].friend, "a friend")
    assert directory.find("wxid_wen", friends=True)


async def test_topic_normalised_by_wechat_is_recognised(env: GatewayEnvironment) -> None:
    """The group is created once and its topic is not restored; any other topic is an error."""
    group_number = 0
    for number, (name, how) in enumerate(ODD_NAMES):
        await env.gateway.set(names=how)
        body = {"code": f"odd {number}", "owner": f"wxid_owner{number}", "assistant": ACCOUNT}
        status, answer = await env.call("POST", "/wxbot/qun", body)
        assert status == 201, (name, answer)
        group_number = (await env.call("GET", "/wxbot/qun", params={"code": f"odd {number}"}))[1]["qun"]["number"]
        status, answer = await env.call("PATCH", f"/wxbot/qun/{group_number}", {"topic": f"{name}的新群名"})
        assert status == 200, (name, answer)
        assert "0 drifted" in await env.bot.container.drift_check.check(), name
    assert len(await env.gateway.rooms()) == len(ODD_NAMES)
    await env.gateway.fault("roomTopic", "ignore", times=1)
    status, answer = await env.call("PATCH", f"/wxbot/qun/{group_number}", {"topic": "完全不同"})
    assert (status, answer["error"]["code"]) == (502, 2006)


async def test_announcement_that_cannot_be_read_back_is_unconfirmed(env: GatewayEnvironment) -> None:
    """It is reported as done but unconfirmed, and is not published again."""
    room = await group(env)
    await env.gateway.set(announcements=False)
    await env.gateway.say("wxid_song", "/公告 今晚聚义", room=room)
    told = await _answer(env, room, "请在群里确认")
    assert "今晚聚义" not in told
    for _ in range(2):
        assert "0 drifted" in await env.bot.container.drift_check.check()
    assert len([call for call in await env.gateway.calls("roomAnnounce") if len(call["args"]) > 1]) == 1


async def _answer(env: GatewayEnvironment, room: str, text: str) -> str:
    deadline = asyncio.get_running_loop().time() + SECONDS
    while True:
        found = [sent["text"] for sent in await env.gateway.sent(room) if text in sent["text"]]
        if found:
            return str(found[0])
        assert asyncio.get_running_loop().time() < deadline, text
        await asyncio.sleep(0.05)
