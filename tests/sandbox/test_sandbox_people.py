"""People and friendships."""

from __future__ import annotations

import pytest

from sandbox.world.model import NotThere, Refused
from sandbox.world.world import SONG, WENLONG, World
from tests.sandbox.conftest import ACCOUNT, BOT, EventRecorder


def test_default_people_are_friends_except_one(world: World) -> None:
    me = world.accounts.person(ACCOUNT)
    names = {world.people.get(who).name for who in me.friends}
    assert names == {"宋公明", "黑旋风", "智多星", "店长"}
    assert world.people.get(WENLONG).name == "九纹龙"
    assert all(person.weixin != person.id for person in world.state.people.values())


def test_ids_and_weixin_are_unique(world: World) -> None:
    made = world.people.create("扈三娘")
    again = world.people.create("扈三娘")
    assert made.id != again.id
    with pytest.raises(Refused, match="已存在"):
        world.people.create("另一个", made.id)
    with pytest.raises(Refused, match="已存在"):
        world.people.create("另一个", weixin=made.weixin)
    with pytest.raises(Refused, match="昵称"):
        world.people.create(" ")


def test_a_request_is_told_accepted_and_confirmed(world: World, recorder: EventRecorder) -> None:
    asked = world.people.ask(WENLONG, BOT, "我要入群")
    assert recorder.of("friendship") == [{"friendshipId": asked.id}]
    assert not world.people.are_friends(WENLONG, BOT)
    world.people.accept(BOT, asked.id)
    assert world.people.are_friends(WENLONG, BOT)
    confirmed = world.people.seen_by(BOT, recorder.of("friendship")[1]["friendshipId"])
    assert (confirmed.type, confirmed.asker, confirmed.hello) == (1, WENLONG, "我要入群")
    stale = {"payloadType": 2, "payloadId": WENLONG}  # a client that has met the stranger reads them again
    assert stale in recorder.of("dirty")


def test_accepting_twice_changes_nothing(world: World, recorder: EventRecorder) -> None:
    asked = world.people.ask(WENLONG, BOT, "")
    world.people.accept(BOT, asked.id)
    told = len(recorder.all)
    world.people.accept(BOT, asked.id)
    assert len(recorder.all) == told


def test_asking_again_is_told_again_with_the_newer_words(world: World, recorder: EventRecorder) -> None:
    first = world.people.ask(WENLONG, BOT, "一")
    second = world.people.ask(WENLONG, BOT, "二")
    assert first is second
    assert second.hello == "二"
    assert recorder.of("friendship") == [{"friendshipId": first.id}] * 2


def test_what_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="已经是你的好友"):
        world.people.ask(SONG, BOT, "")
    with pytest.raises(Refused, match="自己"):
        world.people.ask(SONG, SONG, "")
    with pytest.raises(NotThere):
        world.people.accept(BOT, "fs_nothing")
    asked = world.people.ask(WENLONG, BOT, "")
    with pytest.raises(NotThere):
        world.people.accept(SONG, asked.id)
    with pytest.raises(NotThere):
        world.people.accept(WENLONG, asked.id)


def test_a_refused_request_stays_refused_and_a_new_one_may_follow(world: World) -> None:
    asked = world.people.ask(WENLONG, BOT, "")
    world.people.refuse(BOT, asked.id)
    with pytest.raises(Refused, match="拒绝"):
        world.people.accept(BOT, asked.id)
    assert world.people.ask(WENLONG, BOT, "再来").id != asked.id


def test_the_bot_asks_a_person(world: World, recorder: EventRecorder) -> None:
    asked = world.people.ask(BOT, WENLONG, "我是小助手")
    assert recorder.of("friendship") == []
    world.people.accept(WENLONG, asked.id)
    assert len(recorder.of("friendship")) == 1
    assert world.people.are_friends(BOT, WENLONG)


def test_who_deleted_the_bot_is_taken_back_without_asking(world: World) -> None:
    world.people.forget(SONG, BOT)
    assert SONG in world.people.get(BOT).friends
    asked = world.people.ask(SONG, BOT, "")
    assert asked.state == "accepted"
    assert world.people.are_friends(SONG, BOT)


def test_deleting_is_one_sided_and_not_twice(world: World) -> None:
    world.people.forget(SONG, BOT)
    with pytest.raises(Refused, match="不是你的好友"):
        world.people.forget(SONG, BOT)


def test_a_new_nickname_makes_the_account_forget_the_old(world: World, recorder: EventRecorder) -> None:
    world.people.rename(SONG, "呼保义")
    assert {"payloadType": 2, "payloadId": SONG} in recorder.of("dirty")
    world.people.rename(WENLONG, "史进")
    assert {"payloadType": 2, "payloadId": WENLONG} not in recorder.of("dirty")


def test_remarks_are_the_viewers_own_and_for_friends_only(world: World) -> None:
    world.people.set_alias(BOT, SONG, "群主")
    assert world.people.get(BOT).aliases == {SONG: "群主"}
    world.people.set_alias(BOT, SONG, "")
    assert world.people.get(BOT).aliases == {}
    with pytest.raises(Refused, match="备注"):
        world.people.set_alias(BOT, WENLONG, "x")


def test_two_assistants_have_their_own_friends(world: World) -> None:
    world.ensure(["weimi1002"])
    asked = world.people.ask(WENLONG, "wxid_weimi1002", "")
    world.people.accept("wxid_weimi1002", asked.id)
    assert WENLONG in world.accounts.person("weimi1002").friends
    assert WENLONG not in world.accounts.person(ACCOUNT).friends
    with pytest.raises(Refused, match="已存在"):
        world.accounts.add("weimi1002")
