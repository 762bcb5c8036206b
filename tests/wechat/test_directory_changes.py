"""The directory: versions, doubtful members, events, and what a snapshot keeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from wechat.directory import CachedDirectory
from wechat.entities import Contact, Room

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ROOM, ME = "1@chatroom", "me"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.fixture
def directory() -> CachedDirectory:
    directory = CachedDirectory(10.0)
    directory.owner_id = ME
    return directory


def put(directory: CachedDirectory, *ids: str, read: float | None = None, topic: str = "群") -> None:
    directory.put_room(Room(ROOM, topic, "a", (), set(ids)), None if read is None else at(read))


def members(directory: CachedDirectory) -> set[str]:
    return directory.rooms[ROOM].member_ids


def test_version_changes_with_the_content_only(directory: CachedDirectory) -> None:
    def changes(step: Callable[[], object]) -> bool:
        before = directory.version
        step()
        return directory.version != before

    assert changes(lambda: directory.put_contact(Contact("a", "李")))
    assert not changes(lambda: directory.put_contact(Contact("a", "李")))
    assert changes(lambda: directory.drop_contact("a"))
    assert not changes(lambda: directory.drop_contact("a"))
    assert changes(lambda: put(directory, ME, "a"))
    assert not changes(lambda: put(directory, ME, "a"))
    assert changes(lambda: put(directory, ME))
    assert changes(lambda: directory.set_topic_of(ROOM, "新"))
    assert not changes(lambda: directory.set_topic_of(ROOM, "新"))
    assert changes(lambda: directory.add_members(ROOM, ["b"], at(1)))
    assert changes(lambda: directory.remove_members(ROOM, ["b"], at(2)))
    assert changes(lambda: directory.befriend("a"))
    assert not changes(lambda: directory.befriend("a"))
    assert changes(lambda: directory.unfriend("a"))
    assert not changes(lambda: directory.unfriend("unknown"))
    assert changes(lambda: directory.drop_room(ROOM))
    assert not changes(lambda: directory.drop_room(ROOM))


# ---- member lists ----


def test_missing_member_stays_until_two_readings_agree(directory: CachedDirectory) -> None:
    put(directory, ME, "a", "b", read=0)
    put(directory, ME, "a", read=10)
    assert members(directory) == {ME, "a", "b"}
    put(directory, ME, "a", read=20)
    assert members(directory) == {ME, "a"}


def test_member_list_without_a_time_is_stored_unchanged(directory: CachedDirectory) -> None:
    put(directory, ME, "a", "b")
    assert not directory.was_read(ROOM)
    put(directory, ME)
    assert members(directory) == {ME}
    put(directory, ME, read=0)
    assert directory.was_read(ROOM)
    assert directory.last_reported(ROOM, "a") == (at(0), None)


def test_account_is_expected_in_a_group_that_is_read_first(directory: CachedDirectory) -> None:
    put(directory, "a", read=0)
    assert members(directory) == {ME, "a"}
    put(directory, "a", read=10)
    put(directory, "a", read=20)
    assert ROOM not in directory.rooms, "three readings lack the account"
    put(directory, ME, "a", read=30)
    assert members(directory) == {ME, "a"}


def test_group_is_lost_when_three_lists_lack_it(directory: CachedDirectory) -> None:
    put(directory, ME, "a", read=0)
    assert [directory.record_unlisted(ROOM, at(second)) for second in (0, 10, 20)] == [False, False, True]
    assert ROOM not in directory.rooms
    assert directory.room_by_topic("群") == []


def test_names_reported_as_members_are_dropped_when_the_group_is_read(directory: CachedDirectory) -> None:
    """Some gateways send names instead of ids."""
    directory.put_contact(Contact("known"))
    put(directory, ME, read=0)
    assert directory.add_members(ROOM, ["李逵", "known"], at(1))
    put(directory, ME, read=10)
    assert members(directory) == {ME, "known"}
    put(directory, ME, read=20)
    assert members(directory) == {ME}


def test_members_of_the_database_are_expected(directory: CachedDirectory) -> None:
    directory.expect_members(ROOM, ["a"])
    assert ROOM not in directory.rooms
    put(directory, ME)
    directory.expect_members(ROOM, ["a"])
    assert members(directory) == {ME}, "the list was not read yet"
    put(directory, ME, read=0)
    version = directory.version
    directory.expect_members(ROOM, [ME])
    assert directory.version == version
    directory.expect_members(ROOM, [ME, "a"])
    assert members(directory) == {ME, "a"}
    assert directory.version > version
    put(directory, ME, read=10)
    assert members(directory) == {ME}
    directory.expect_members(ROOM, ["a"])
    assert members(directory) == {ME}, "their absence is known"


# ---- events ----


def test_last_movement_of_a_member_is_known(directory: CachedDirectory) -> None:
    put(directory, ME, read=0)
    directory.add_members(ROOM, ["a"], at(5))
    assert directory.last_reported(ROOM, "a") == (at(0), at(5))
    assert directory.last_reported("unknown", "a") == (None, None)
    put(directory, ME, "a", read=6)
    assert directory.last_reported(ROOM, "a") == (at(6), at(5)), "possibly in the same second"
    put(directory, ME, "a", read=6.1)
    assert directory.last_reported(ROOM, "a") == (at(6.1), None)


def test_event_of_the_same_time_is_not_late(directory: CachedDirectory) -> None:
    put(directory, ME, read=5)
    assert directory.add_members(ROOM, ["a"], at(4))
    assert not directory.add_members(ROOM, ["b"], at(3.9))
    assert directory.remove_members(ROOM, ["a"], at(4))
    assert not directory.add_members(ROOM, ["a", "c"], at(3.99))
    assert "c" not in members(directory)


def test_late_leave_is_decided_by_the_next_reading(directory: CachedDirectory) -> None:
    put(directory, ME, "a", read=5)
    assert not directory.remove_members(ROOM, ["a", ME], at(1))
    assert members(directory) == {ME, "a"}
    assert directory.absences.is_missing(ROOM, "a")
    assert not directory.absences.is_missing(ROOM, ME)
    directory.put_room(Room(ROOM, "群", "a", (), {ME}), datetime.now(UTC))
    assert members(directory) == {ME}


def test_leave_that_was_reported_in_time_is_certain(directory: CachedDirectory) -> None:
    put(directory, ME, "a", read=0)
    assert directory.remove_members(ROOM, ["a"], at(1))
    assert members(directory) == {ME}
    assert directory.absences.is_confirmed(ROOM, "a")
    put(directory, ME, "a", read=2)
    assert members(directory) == {ME, "a"}
    assert not directory.absences.is_missing(ROOM, "a")


def test_join_ends_the_doubt_about_an_absence(directory: CachedDirectory) -> None:
    put(directory, ME, "a", read=0)
    put(directory, ME, read=10)
    assert directory.add_members(ROOM, ["a"], at(11))
    assert not directory.absences.is_missing(ROOM, "a")


def test_group_that_was_left_is_not_put_back_by_an_old_reading(directory: CachedDirectory) -> None:
    put(directory, ME, "a", read=0)
    directory.drop_room(ROOM)
    put(directory, "a", read=10)
    assert ROOM not in directory.rooms
    put(directory, ME, "a", read=20)
    assert members(directory) == {ME, "a"}


def test_topics_without_a_name_are_not_indexed(directory: CachedDirectory) -> None:
    put(directory, ME, topic="")
    assert directory.room_by_topic("") == []
    assert directory._topics == {}
    put(directory, ME, topic="群")
    directory.drop_room(ROOM)
    assert directory._topics == {}


# ---- snapshots ----


def test_snapshot_keeps_what_a_restart_needs(directory: CachedDirectory) -> None:
    directory.unread = {"y", "x"}
    directory.befriend("a")
    directory.unfriend("z")
    directory.put_room(Room(ROOM, "群", "b", ("c",), {ME, "a"}))
    assert directory.snapshot() == {
        "owner": ME,
        "unread": ["x", "y"],
        "befriended": ["a"],
        "unfriended": ["z"],
        "contacts": [["a", "", "", "", True, False, ""]],
        "rooms": [[ROOM, "群", "b", ["c"], ["a", ME]]],
    }
    other = CachedDirectory()
    other.put_contact(Contact("old"))
    other.load(directory.snapshot())
    assert other.unread == {"x", "y"}
    other.put_contact(Contact("a", "李"))
    assert other.contacts["a"].friend
    assert "old" not in other.contacts
    assert other.rooms[ROOM].admin_ids == ("c",)


def test_snapshot_of_an_earlier_version_is_loaded(directory: CachedDirectory) -> None:
    directory.load({"contacts": [["a", "李", "", "", True, False, ""]]})
    assert (directory.owner_id, directory.unread, directory.rooms) == ("", set(), {})
    directory.load({"unread": None})
    assert directory.unread is None


def test_login_of_another_person_leaves_nothing(directory: CachedDirectory) -> None:
    put(directory, ME, "a", read=0)
    put(directory, ME, read=10)
    directory.add_members(ROOM, ["b"], at(11))
    directory.befriend("c")
    directory.unread = {"x"}
    directory.clear()
    assert directory.snapshot() == CachedDirectory().snapshot()
    assert not directory.was_read(ROOM)
    assert directory.last_reported(ROOM, "b") == (None, None)
    assert not directory.absences.is_missing(ROOM, "a")
    assert directory._unconfirmed_joins == {}
