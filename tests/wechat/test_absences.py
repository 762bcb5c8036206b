"""People missing from member lists: how many readings, how far apart, confirm that they left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wechat.absences import Absences

ROOM, ME = "1@chatroom", "me"
INTERVAL = 10.0


def at(seconds: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.fixture
def absences() -> Absences:
    return Absences(INTERVAL)


def test_two_readings_confirm_that_a_member_left(absences: Absences) -> None:
    assert absences.record_missing(ROOM, ["a"], at(0), ME) == {"a"}
    assert not absences.is_confirmed(ROOM, "a")
    assert absences.is_missing(ROOM, "a")
    assert absences.record_missing(ROOM, ["a"], at(10), ME) == set()
    assert absences.is_confirmed(ROOM, "a")


def test_three_readings_confirm_that_the_account_left(absences: Absences) -> None:
    assert absences.record_missing(ROOM, [ME], at(0), ME) == {ME}
    assert absences.record_missing(ROOM, [ME], at(10), ME) == {ME}
    assert absences.record_missing(ROOM, [ME], at(20), ME) == set()


@pytest.mark.parametrize(("second", "confirmed"), [(0, False), (8.9, False), (9, True), (10, True)])
def test_readings_must_be_an_interval_apart(absences: Absences, second: float, confirmed: bool) -> None:
    """A tenth of tolerance, because the next reading is timed by another clock."""
    absences.record_missing(ROOM, ["a"], at(0), ME)
    absences.record_missing(ROOM, ["a"], at(second), ME)
    assert absences.is_confirmed(ROOM, "a") is confirmed


def test_early_reading_does_not_postpone_the_next(absences: Absences) -> None:
    for second in (0, 5, 10):
        absences.record_missing(ROOM, ["a"], at(second), ME)
    assert absences.is_confirmed(ROOM, "a")


def test_confirmed_absence_stays_confirmed(absences: Absences) -> None:
    for second in (0, 10, 11):
        absences.record_missing(ROOM, ["a"], at(second), ME)
    assert absences.is_confirmed(ROOM, "a")


def test_absence_of_a_member_seen_again_must_be_confirmed_again(absences: Absences) -> None:
    absences.record_missing(ROOM, ["a", "b"], at(0), ME)
    absences.record_present(ROOM, ["a", "stranger"])
    absences.record_present("unknown", ["a"])
    assert not absences.is_missing(ROOM, "a")
    assert absences.record_missing(ROOM, ["a", "b"], at(10), ME) == {"a"}


def test_complete_reading_clears_the_absences_of_all_others(absences: Absences) -> None:
    absences.record_missing(ROOM, ["a", "b"], at(0), ME)
    absences.record_missing(ROOM, ["b"], at(10), ME, is_complete=True)
    assert not absences.is_missing(ROOM, "a")
    absences.record_missing(ROOM, [], at(20), ME, is_complete=True)
    assert absences.is_confirmed(ROOM, "b"), "what is confirmed is kept"


def test_partial_reading_says_nothing_about_others(absences: Absences) -> None:
    absences.record_missing(ROOM, ["a"], at(0), ME)
    absences.record_missing(ROOM, ["b"], at(10), ME)
    assert absences.is_missing(ROOM, "a")


def test_absences_of_rooms_are_independent(absences: Absences) -> None:
    absences.record_missing(ROOM, ["a"], at(0), ME)
    assert absences.record_missing("2@chatroom", ["a"], at(10), ME) == {"a"}
    assert not absences.is_missing("3@chatroom", "a")
    assert not absences.is_confirmed("3@chatroom", "a")


# ---- events ----


def test_reported_absence_is_confirmed_at_once(absences: Absences) -> None:
    absences.record_reported(ROOM, ["a"])
    assert absences.is_confirmed(ROOM, "a")
    assert absences.next() is None


def test_absence_reported_late_is_decided_by_the_next_reading(absences: Absences) -> None:
    absences.record_reported(ROOM, ["a", ME], certain=False)
    assert not absences.is_confirmed(ROOM, "a")
    assert absences.is_missing(ROOM, "a")
    assert absences.record_missing(ROOM, ["a", ME], datetime.now(UTC), ME) == set()


def test_reading_before_a_late_report_does_not_count_for_long(absences: Absences) -> None:
    absences.record_reported(ROOM, ["a"], certain=False)
    due = absences.next()
    assert due is not None
    assert due[0] == ROOM
    assert abs(due[1] - datetime.now(UTC)) < timedelta(seconds=60)


@pytest.mark.parametrize(("missing", "confirmed"), [(1, True), (3, True), (4, False)])
def test_leave_of_unknown_people_confirms_a_few_absences(absences: Absences, missing: int, confirmed: bool) -> None:
    absences.record_unnamed(ROOM)
    people = [f"p{number}" for number in range(missing)]
    assert absences.record_missing(ROOM, people, at(0), ME) == (set() if confirmed else set(people))


def test_hint_is_for_one_reading_of_one_room(absences: Absences) -> None:
    absences.record_unnamed(ROOM)
    assert absences.record_missing("2@chatroom", ["a"], at(0), ME) == {"a"}
    assert absences.record_missing(ROOM, ["a"], at(0), ME) == set()
    assert absences.record_missing(ROOM, ["b"], at(0), ME) == {"b"}


# ---- what is read again ----


def test_next_is_the_room_with_the_oldest_doubt(absences: Absences) -> None:
    assert absences.next() is None
    absences.record_missing("2@chatroom", ["x"], at(5), ME)
    absences.record_missing(ROOM, ["a"], at(3), ME)
    absences.record_missing(ROOM, ["b"], at(9), ME)
    assert absences.next() == (ROOM, at(13))
    absences.checked(ROOM, at(20))
    assert absences.next() == ("2@chatroom", at(15))
    absences.forget("2@chatroom")
    assert absences.next() == (ROOM, at(30))


def test_check_does_not_move_a_doubt_back(absences: Absences) -> None:
    absences.record_missing(ROOM, ["a"], at(5), ME)
    absences.checked(ROOM, at(1))
    absences.checked("unknown", at(1))
    assert absences.next() == (ROOM, at(15))


def test_unconfirmed_absence_requests_a_recheck(absences: Absences) -> None:
    absences.record_missing(ROOM, [], at(0), ME)
    absences.record_reported(ROOM, ["b"])
    absences.record_missing(ROOM, ["b"], at(0), ME)
    assert not absences.recheck_needed.is_set()
    absences.record_missing(ROOM, ["a"], at(0), ME)
    assert absences.recheck_needed.is_set()


def test_forgotten_room_has_no_absences(absences: Absences) -> None:
    absences.record_missing(ROOM, ["a"], at(0), ME)
    absences.record_unnamed(ROOM)
    absences.forget(ROOM)
    absences.forget("unknown")
    assert absences.record_missing(ROOM, ["a"], at(10), ME) == {"a"}


def test_login_of_another_person_discards_everything(absences: Absences) -> None:
    absences.record_missing(ROOM, ["a"], at(0), ME)
    absences.record_unnamed("2@chatroom")
    absences.clear()
    assert not absences.is_missing(ROOM, "a")
    assert absences.record_missing("2@chatroom", ["a"], at(10), ME) == {"a"}
