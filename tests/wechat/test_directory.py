"""The directory: lookups, and duplicate, late or reordered events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wechat.directory import CachedDirectory
from wechat.entities import Contact, Room
from wechat.name_index import TIERS, UNIQUE

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = "1@chatroom"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.fixture
def directory() -> CachedDirectory:
    directory = CachedDirectory()
    directory.owner_id = "me"
    for contact in (
        Contact("me", "助手"),
        Contact("a", "小李", alias="老李", weixin="li01", friend=True),
        Contact("b", "小李", friend=True),
        Contact("c", "li01"),
        Contact("d", "老李"),
        Contact("e", "老王", weixin="wang5"),
        Contact("f", "wang5", friend=True),
        Contact("g", "d", friend=True),
        Contact("h", "小周", weixin="zhou8", friend=True),
        Contact("i", "zhou8", friend=True),
        Contact("j", "zhou8"),
        Contact("k", "小吴", alias="小周", friend=True),
        Contact("l", "h", friend=True),
    ):
        directory.put_contact(contact)
    directory.put_room(Room(ROOM, "群", "a", (), {"me", "a", "b"}), at(0))
    return directory


@pytest.mark.parametrize(
    ("name", "more", "ids"),
    [
        ("a", {}, ["a"]),
        ("li01", {}, ["a"]),  # 微信号 takes precedence over the nickname
        ("老李", {}, ["a"]),  # the alias, too
        ("小李", {}, ["a", "b"]),
        ("小李", {"among": {"b", "c"}}, ["b"]),
        ("li01", {"among": {"c"}}, ["c"]),  # excluded people do not decide
        ("老李", {"friends": True}, ["a"]),
        ("li01", {"among": {"c"}, "friends": True}, []),
        ("老李", {"friends": True, "also": {"d"}}, ["a"]),  # one tier decides over all of them together
        ("li01", {"friends": True, "also": {"c"}}, ["a"]),
        ("小", {"friends": True, "also": {"c"}}, []),
        ("wang5", {"friends": True}, []),  # a stranger's 微信号 and id are never taken for a friend's nickname
        ("d", {"friends": True}, []),
        ("wang5", {"friends": True, "also": {"e"}}, ["e"]),
        ("wang5", {"among": {"f"}}, ["f"]),
        ("zhou8", {"friends": True}, ["h", "i"]),  # a friend's 微信号 and another's nickname: never a guess
        ("zhou8", {"friends": True, "also": {"j"}}, ["h", "i"]),
        ("zhou8", {}, ["h"]),
        ("小周", {"friends": True}, ["k"]),  # the alias is given by the account's owner
        ("h", {"friends": True}, ["h"]),  # the id is given by WeChat
        ("小", {}, []),
        ("", {}, []),
    ],
)
def test_first_tier_with_a_match_decides(directory: CachedDirectory, name: str, more: Any, ids: list[str]) -> None:
    assert [contact.id for contact in directory.find(name, **more)] == ids


def test_changed_contact_is_found_by_its_new_name_only(directory: CachedDirectory) -> None:
    directory.put_contact(Contact("a", "李大", friend=True))
    assert [c.id for c in directory.find("小李")] == ["b"]
    assert [c.id for c in directory.find("老李")] == ["d"]
    assert [c.id for c in directory.find("李大")] == ["a"]
    directory.drop_contact("a")
    directory.drop_contact("a")
    assert directory.find("李大") == []


def test_topics_are_found(directory: CachedDirectory) -> None:
    directory.put_room(Room("2@chatroom", "群"))
    assert [room.id for room in directory.room_by_topic("群")] == [ROOM, "2@chatroom"]
    directory.set_topic_of(ROOM, "新")
    directory.set_topic_of(ROOM, "新")
    directory.set_topic_of("9@chatroom", "没有")
    assert [room.id for room in directory.room_by_topic("群")] == ["2@chatroom"]
    assert [room.id for room in directory.room_by_topic("新")] == [ROOM]
    assert directory.room_by_topic("没有") == []


def test_repeated_joins_and_leaves_have_no_effect(directory: CachedDirectory) -> None:
    for _ in range(2):
        assert directory.add_members(ROOM, ["c"], at(1))
    for _ in range(2):
        assert directory.remove_members(ROOM, ["c", "nobody"], at(2))
    assert directory.rooms[ROOM].member_ids == {"me", "a", "b"}


def test_late_event_marks_the_room_for_reading(directory: CachedDirectory) -> None:
    assert directory.remove_members(ROOM, ["b"], at(5))
    assert not directory.add_members(ROOM, ["b"], at(3))  # older than the leave
    assert "b" not in directory.rooms[ROOM].member_ids
    assert not directory.remove_members(ROOM, ["a"], at(-2))  # older than the list
    assert "a" in directory.rooms[ROOM].member_ids
    assert directory.add_members(ROOM, ["b"], at(6))
    assert not directory.add_members("9@chatroom", ["b"], at(6))  # unknown group
    directory.put_room(Room(ROOM, "群", "a", (), {"me", "a", "b"}), at(6.5))
    assert directory.remove_members(ROOM, ["b"], at(6))  # possibly after the reading, within the same second
    assert not directory.add_members(ROOM, ["b"], at(5.9))


def test_own_leave_forgets_the_room(directory: CachedDirectory) -> None:
    assert directory.remove_members(ROOM, ["me"], at(1))
    assert ROOM not in directory.rooms
    assert directory.room_by_topic("群") == []


def test_snapshot_round_trips_as_json(directory: CachedDirectory) -> None:
    other = CachedDirectory()
    other.load(json.loads(json.dumps(directory.snapshot())))
    assert other.snapshot() == directory.snapshot()
    assert other.contacts == directory.contacts
    assert other.rooms == directory.rooms
    assert [c.id for c in other.find("小李")] == ["a", "b"]
    other.clear()
    assert other.snapshot() == CachedDirectory().snapshot()
    assert other.find("小李") == []


names = st.sampled_from(["", "x", "y", "z"])
people = st.builds(Contact, st.sampled_from("xyzabc"), names, names, names, st.booleans())


@given(st.lists(people | st.sampled_from("xyzabc"), max_size=30), names, st.booleans())
def test_indexes_agree_with_a_scan(steps: list[Any], name: str, friends: bool) -> None:
    directory = CachedDirectory()
    for step in steps:
        directory.drop_contact(step) if isinstance(step, str) else directory.put_contact(step)
    called: list[Contact] = []
    for tier in ("id", *TIERS):
        named = [c for c in directory.contacts.values() if name and getattr(c, tier) == name]
        anybody = tier in UNIQUE or not friends
        by_weixin = friends and bool(called) and all(c.weixin == name and c.id != name and c.friend for c in called)
        called = called + [c for c in named if c.friend and c not in called] if by_weixin else called
        called = called or [c for c in named if anybody or c.friend]
    assert {c.id for c in directory.find(name, friends=friends)} == {c.id for c in called if c.friend or not friends}
