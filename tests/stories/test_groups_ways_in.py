"""Joins and leaves of all kinds: the database equals WeChat."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import Session, select

from models.groups import Membership
from services.groups.lifecycle import new_token
from services.groups.membership_rows import membership_of
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.group_life import becomes, bring, hand_over, members, qun_of, state_of, texts
from tests.stories.service import until_done


async def test_friend_sends_the_token(town: Town) -> None:
    """Added and welcomed once with the group's own text; repeats and restarts do not welcome again."""
    qun = await town.make_group()
    await town.bot.container.groups.change(qun["number"], welcome="{member}你好，这里是{topic}")
    town.say("黑旋风", f"我的令牌 {qun['token']}")
    await town.hears("黑旋风", "正在拉您进群“宋公明的群100001”")
    welcome = await town.hears("宋公明", "@黑旋风\u2005你好，这里是宋公明的群100001", qun["room"])
    assert welcome.mentions == [town.id("黑旋风")]
    await becomes(town, qun, "黑旋风", "joined")
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "您已经在“宋公明的群100001”里了")
    await town.restart_bot()
    await town.quiet()
    assert len(texts(town, "宋公明", qun["room"], "@黑旋风\u2005你好")) == 1


async def test_disabled_welcome_sends_nothing(town: Town) -> None:
    qun = await town.make_group()
    await town.bot.container.groups.change(qun["number"], welcome="")
    await town.join(qun["token"], "黑旋风")
    await becomes(town, qun, "黑旋风", "joined")
    await town.quiet()
    assert texts(town, "宋公明", qun["room"]) == []


async def test_wrong_tokens_are_ignored_after_five(town: Town) -> None:
    """Five are answered; then the person is ignored, even with the right token. Others are not."""
    qun = await town.make_group()
    for n in range(5):
        town.say("黑旋风", new_token())
        await until(lambda n=n: len(texts(town, "黑旋风", words="令牌无效")) == n + 1, "told")
    town.say("黑旋风", new_token())
    town.say("黑旋风", qun["token"])
    town.say("店长", qun["token"])
    await becomes(town, qun, "店长", "joined")
    await town.quiet()
    assert len(texts(town, "黑旋风")) == 5
    assert await state_of(town, qun, "黑旋风") == ""


async def test_expired_token_is_reported(town: Town) -> None:
    qun = await town.make_group()
    await town.bot.container.groups.change(qun["number"], token_expires_at=1.0)
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "令牌已过期")
    assert await state_of(town, qun, "黑旋风") == ""


async def test_token_in_friend_request(town: Town) -> None:
    """Accepted and added; a problem with the token is told after the acceptance."""
    qun = await town.make_group()
    town.world.people.ask(town.id("九纹龙"), town.id("bot"), f"入群 {qun['token']}")
    await becomes(town, qun, "九纹龙", "joined")
    await town.hears("宋公明", "欢迎 @九纹龙", qun["room"])
    stranger = town.newcomer("没头脑", friend=False)
    town.world.people.ask(stranger, town.id("bot"), new_token())
    await town.hears(stranger, "令牌无效")
    assert stranger not in town.room(qun["room"]).members


async def test_joins_and_leaves_caused_by_others(town: Town) -> None:
    qun = await town.make_group()
    bring(town, qun, "黑旋风", by="宋公明")
    await becomes(town, qun, "黑旋风", "joined")
    await town.hears("宋公明", "欢迎 @黑旋风", qun["room"])
    town.world.rooms.leave(town.id("黑旋风"), qun["room"])
    await becomes(town, qun, "黑旋风", "left")
    bring(town, qun, "黑旋风", by="宋公明")
    await becomes(town, qun, "黑旋风", "joined")
    await until(lambda: len(texts(town, "宋公明", qun["room"], "欢迎 @黑旋风")) == 2, "a new join is welcomed again")
    town.world.rooms.remove(town.id("bot"), qun["room"], town.id("黑旋风"))
    await becomes(town, qun, "黑旋风", "removed")


async def test_concurrent_joins_are_welcomed_in_one_message(town: Town) -> None:
    qun = await town.make_group()
    crowd = [town.newcomer(f"路人{i}") for i in range(6)]
    bring(town, qun, *crowd)
    welcome = await town.hears("宋公明", "欢迎", qun["room"])
    assert set(welcome.mentions) == set(crowd)
    await town.quiet()
    assert len(texts(town, "宋公明", qun["room"])) == 1


async def test_duplicate_late_and_missing_events(make_town: MakeTown) -> None:
    """Duplicates are ignored; a join after its leave is ignored; missed events are found later."""
    town = await make_town()
    qun = await town.make_group()
    town.world.faults.event("room-join", twice=1.0)
    bring(town, qun, "黑旋风")
    await becomes(town, qun, "黑旋风", "joined")
    town.world.faults.event("room-join", late=1.0, late_ms=1500)
    bring(town, qun, "店长")
    await asyncio.sleep(0.01)  # WeChat's clock has milliseconds
    town.world.rooms.leave(town.id("店长"), qun["room"])
    town.world.faults.event("room-join")
    await asyncio.sleep(1.6)  # the delay of the late event
    await town.quiet()
    assert await state_of(town, qun, "店长") in ("", "left")
    town.world.faults.event("*", lost=1.0)
    bring(town, qun, "九纹龙")
    town.world.rooms.leave(town.id("黑旋风"), qun["room"])
    town.world.faults.clear()

    async def agrees() -> bool:  # a loss is believed when readings agree
        await town.bot.container.group_policy.check()
        return await members(town, qun) == set(town.room(qun["room"]).members) - {town.id("bot")}

    await until_done(agrees, "the database has the members that WeChat shows")
    await town.quiet()
    assert len(texts(town, "宋公明", qun["room"], "欢迎 @黑旋风")) == 1
    assert len(texts(town, "宋公明", qun["room"], "欢迎 @九纹龙")) == 1


async def test_changes_during_downtime_are_recorded(town: Town) -> None:
    qun = await town.make_group()
    bring(town, qun, "黑旋风")
    await becomes(town, qun, "黑旋风", "joined")
    await town.quiet()
    await town.stop_bot()
    town.world.rooms.leave(town.id("黑旋风"), qun["room"])
    bring(town, qun, "店长")
    await town.start_bot()
    await becomes(town, qun, "黑旋风", "left")
    await becomes(town, qun, "店长", "joined")
    await town.hears("宋公明", "欢迎 @店长", qun["room"])


async def test_full_group_is_reported(make_town: MakeTown) -> None:
    """3004 for REST, a text for people; the request ends and is not retried after a restart."""
    town = await make_town(groups={"capacity": 4})
    qun = await town.make_group()
    await town.join(qun["token"], "黑旋风")
    status, answer, _ = await town.join(qun["token"], "店长")
    assert (status, answer["error"]["code"]) == (409, 3004)
    town.say("店长", qun["token"])
    await town.hears("店长", "“宋公明的群100001”已满")
    assert await state_of(town, qun, "店长") == "refused"
    await town.restart_bot()
    await town.quiet()
    assert len(texts(town, "店长", words="已满")) == 1


async def test_overflow_opens_one_next_room(make_town: MakeTown) -> None:
    """However many join at once, one next room is created, with the same token."""
    town = await make_town(groups={"capacity": 5, "overflow": True})
    qun = await town.make_group()
    late = town.newcomer("来晚了")
    await until(lambda: town.bot.assistants[0].directory.find("来晚了"), "known")
    for who in ("黑旋风", town.newcomer("不早不晚")):
        bring(town, qun, who)
        await becomes(town, qun, who, "joined")
    answers = await asyncio.gather(*(town.join(qun["token"], who) for who in ("店长", late)))
    assert [(status, answer["membership_join_response"]) for status, answer, _ in answers] == [
        (200, {"approved": "ok"})
    ] * 2
    rooms = town.bot.container.groups.rooms(qun_of(town, qun))
    assert [room.topic for room in rooms] == ["宋公明的群100001", "宋公明的群100001·2"]
    assert len(town.world.state.rooms) == 2
    assert {town.id("店长"), late} < set(town.room(rooms[1].room_id or "").members)
    town.world.rooms.leave(town.id("宋公明"), rooms[1].room_id or "")
    await town.quiet()
    assert await state_of(town, qun, "宋公明") == "joined", "still in the first room"


async def test_room_full_only_in_wechat(make_town: MakeTown) -> None:
    town = await make_town(groups={"overflow": True})
    qun = await town.make_group()
    town.world.rules.capacity = 3
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (409, 3004), "the next room is as small, and full with its three"
    town.world.rules.capacity = 4
    status, _, _ = await town.join(qun["token"], "黑旋风")
    assert status == 200


@pytest.mark.parametrize("approve", [True, False])
async def test_owner_confirmation_is_awaited(town: Town, approve: bool) -> None:
    qun = await town.make_group()
    await hand_over(town, qun)
    town.world.rooms.set_confirm(town.id("宋公明"), qun["room"], True)
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "请等群主同意")
    assert await state_of(town, qun, "黑旋风") == "invited"
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["membership_join_response"]["approved"]) == (202, "invited")
    [waiting] = town.world.state.confirmations.values()
    town.world.joins.decide(town.id("宋公明"), waiting.id, approve)
    await town.quiet()
    if approve:
        await becomes(town, qun, "黑旋风", "joined")
        await town.hears("宋公明", "欢迎 @黑旋风", qun["room"])
    else:
        town.say("黑旋风", qun["token"])
        await until(lambda: len(texts(town, "黑旋风", words="请等群主同意")) == 2, "told where it stands")
        assert len(town.world.state.confirmations) == 1, "asked once"


async def set_back(town: Town, **values: float) -> None:
    """Make the open request have failed at another time."""

    def change(session: Session) -> None:
        row = session.exec(select(Membership).where(Membership.state == "requested")).one()
        row.sqlmodel_update(values)
        session.add(row)

    await town.bot.container.store.write(change)


async def test_failure_is_reported_once_and_retried(town: Town) -> None:
    qun = await town.make_group()
    fault = town.world.faults.call("RoomAdd", "fail")
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "暂时没能拉您进群")
    token_joins, clock = town.bot.container.token_joins, town.bot.container.clock
    assert await token_joins.resume_all() == 0, "not at once"
    await set_back(town, updated_at=clock() - 301)
    assert await token_joins.resume_all() == 1
    await until(lambda: not token_joins._tasks, "tried again")
    assert len(texts(town, "黑旋风", words="暂时没能")) == 1
    await set_back(town, updated_at=clock() - 400, expires_at=clock() + 7 * 86400 - 1000)
    assert await token_joins.resume_all() == 0, "ever more seldom: 600 s went by between the first try and the last"
    await set_back(town, updated_at=clock() - 600, expires_at=clock() + 7 * 86400 - 1000)
    town.world.faults.calls.remove(fault)
    assert await token_joins.resume_all() == 1
    await becomes(town, qun, "黑旋风", "joined")


async def test_assistant_is_removed_and_added_again(make_town: MakeTown) -> None:
    """Reported once, REST calls get an error; after being added again, the group is found and reconciled."""
    town = await make_town()
    qun = await town.make_group()
    await hand_over(town, qun)
    town.world.faults.event("room-leave", twice=1.0)
    town.world.rooms.remove(town.id("宋公明"), qun["room"], town.id("bot"))
    await town.hears("宋公明", "助手已不在“宋公明的群100001”")
    status, answer, _ = await town.join(qun["token"], "黑旋风")
    assert (status, answer["error"]["code"]) == (502, 3006)
    row = await town.bot.container.store.read(lambda s: membership_of(s, qun["number"], town.id("宋公明")))
    assert row is not None
    status, answer, _ = await town.call("DELETE", f"/wxbot/qun/membership/{row.id}")
    assert (status, answer["error"]["code"]) == (502, 3006)
    town.say("黑旋风", qun["token"])
    await town.hears("黑旋风", "这个群暂时无法加入")
    _, answer, _ = await town.call("GET", f"/wxbot/qun/{qun['number']}")
    assert answer["qun"]["state"] == "lost"
    await town.bot.container.group_policy.check()
    await town.restart_bot()
    await town.quiet()
    assert len(texts(town, "宋公明", words="助手已不在")) == 1
    bring(town, qun, "店长", by="宋公明")
    bring(town, qun, "bot", by="宋公明")
    await town.hears("宋公明", "助手已回到“宋公明的群100001”")
    await becomes(town, qun, "店长", "joined")
    status, _, _ = await town.join(qun["token"], "黑旋风")
    assert status == 200


async def test_people_are_identified_by_id(town: Town) -> None:
    """Two people with one nickname, a renamed person, a stranger with the owner's nickname."""
    qun = await town.make_group()
    one, other = town.newcomer("张三"), town.newcomer("张三")
    impostor = town.newcomer("宋公明")
    await until(lambda: len(town.bot.assistants[0].directory.find("张三")) == 2, "both are known")
    status, answer, _ = await town.join(qun["token"], "张三")
    assert (status, answer["error"]["code"]) == (409, 3003)
    town.say(one, qun["token"])
    await becomes(town, qun, one, "joined")
    assert await state_of(town, qun, other) == ""
    town.world.people.rename(one, "李四")
    town.say(one, qun["token"])
    await town.hears(one, "您已经在")
    bring(town, qun, impostor)
    town.say(impostor, "/令牌", qun["room"])
    await town.hears("宋公明", "您没有权限执行此命令", qun["room"])
    assert not texts(town, "宋公明", qun["room"], qun["token"])


async def test_ambiguous_pending_name_adds_nobody(town: Town) -> None:
    """A pending request by name does not let in someone else with that name."""
    qun = await town.make_group()
    status, _, _ = await town.join(qun["token"], "王五")
    assert status == 202
    first = town.newcomer("王五", friend=False)
    second = town.newcomer("王五", friend=False)
    town.world.people.befriend(first, town.id("bot"))
    await becomes(town, qun, first, "joined")
    town.world.people.befriend(second, town.id("bot"))
    await town.quiet()
    assert second not in town.room(qun["room"]).members
