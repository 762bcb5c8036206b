"""People and friendships."""

from __future__ import annotations

import pytest

from sandbox.world.model import ObjectNotFound, Refused
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


def test_friend_request_emits_request_and_confirmation(world: World, recorder: EventRecorder) -> None:
    asked = world.people.ask(WENLONG, BOT, "我要入群")
    assert recorder.of("friendship") == [{"friendshipId": asked.id}]
    assert not world.people.are_friends(WENLONG, BOT)
    world.people.accept(BOT, asked.id)
    assert world.people.are_friends(WENLONG, BOT)
    confirmed = world.people.seen_by(BOT, recorder.of("friendship")[1]["friendshipId"])
    assert (confirmed.type, confirmed.asker, confirmed.hello) == (1, WENLONG, "我要入群")
    stale = {"payloadType": 2, "payloadId": WENLONG}  # a client that has met the stranger reads them again
    assert stale in recorder.of("dirty")


def test_repeated_accept_has_no_effect(world: World, recorder: EventRecorder) -> None:
    asked = world.people.ask(WENLONG, BOT, "")
    world.people.accept(BOT, asked.id)
    told = len(recorder.all)
    world.people.accept(BOT, asked.id)
    assert len(recorder.all) == told


def test_repeated_request_updates_its_text_and_notifies_again(world: World, recorder: EventRecorder) -> None:
    first = world.people.ask(WENLONG, BOT, "一")
    second = world.people.ask(WENLONG, BOT, "二")
    assert first is second
    assert second.hello == "二"
    assert recorder.of("friendship") == [{"friendshipId": first.id}] * 2


def test_invalid_requests_are_rejected(world: World) -> None:
    with pytest.raises(Refused, match="已经是你的好友"):
        world.people.ask(SONG, BOT, "")
    with pytest.raises(Refused, match="自己"):
        world.people.ask(SONG, SONG, "")
    with pytest.raises(ObjectNotFound):
        world.people.accept(BOT, "fs_nothing")
    asked = world.people.ask(WENLONG, BOT, "")
    with pytest.raises(ObjectNotFound):
        world.people.accept(SONG, asked.id)
    with pytest.raises(ObjectNotFound):
        world.people.accept(WENLONG, asked.id)


def test_refused_request_is_final_and_a_new_one_is_allowed(world: World) -> None:
    asked = world.people.ask(WENLONG, BOT, "")
    world.people.refuse(BOT, asked.id)
    with pytest.raises(Refused, match="拒绝"):
        world.people.accept(BOT, asked.id)
    assert world.people.ask(WENLONG, BOT, "再来").id != asked.id


def test_assistant_sends_friend_request(world: World, recorder: EventRecorder) -> None:
    asked = world.people.ask(BOT, WENLONG, "我是小助手")
    assert recorder.of("friendship") == []
    world.people.accept(WENLONG, asked.id)
    assert len(recorder.of("friendship")) == 1
    assert world.people.are_friends(BOT, WENLONG)


def test_request_to_a_person_who_still_has_the_asker_is_accepted_at_once(world: World) -> None:
    world.people.forget(SONG, BOT)
    assert SONG in world.people.get(BOT).friends
    asked = world.people.ask(SONG, BOT, "")
    assert asked.state == "accepted"
    assert world.people.are_friends(SONG, BOT)


def test_deleting_a_friend_is_one_sided(world: World) -> None:
    world.people.forget(SONG, BOT)
    with pytest.raises(Refused, match="不是你的好友"):
        world.people.forget(SONG, BOT)


def test_rename_invalidates_the_cached_contact(world: World, recorder: EventRecorder) -> None:
    world.people.rename(SONG, "呼保义")
    assert {"payloadType": 2, "payloadId": SONG} in recorder.of("dirty")
    world.people.rename(WENLONG, "史进")
    assert {"payloadType": 2, "payloadId": WENLONG} not in recorder.of("dirty")


def test_remarks_belong_to_the_viewer_and_need_friendship(world: World) -> None:
    world.people.set_alias(BOT, SONG, "群主")
    assert world.people.get(BOT).aliases == {SONG: "群主"}
    world.people.set_alias(BOT, SONG, "")
    assert world.people.get(BOT).aliases == {}
    with pytest.raises(Refused, match="备注"):
        world.people.set_alias(BOT, WENLONG, "x")


def test_assistants_have_separate_friends(world: World) -> None:
    world.ensure(["weimi1002"])
    asked = world.people.ask(WENLONG, "wxid_weimi1002", "")
    world.people.accept("wxid_weimi1002", asked.id)
    assert WENLONG in world.accounts.person("weimi1002").friends
    assert WENLONG not in world.accounts.person(ACCOUNT).friends
    with pytest.raises(Refused, match="已存在"):
        world.accounts.add("weimi1002")
