"""Staff commands, office hours, requests for a person, and echoes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.customer_service import HandoffSettings, HoursSettings
from services.messaging.conversations import as_one_line
from services.messaging.loop_detector import MAX_REPEATS, REPEAT_SECONDS, LoopDetector
from services.support.hours import OfficeHours
from services.support.person_requests import PersonRequests
from services.support.staff_syntax import StaffCommand, StaffVerb, parse
from services.support.ticket_texts import MAX_MESSAGE, join_lines
from wechat.events import MessageKind

ZONE = ZoneInfo("Asia/Shanghai")


def at(text: str) -> float:
    """Return Unix seconds of a time in Shanghai. 2026-01-05 is a Monday."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


def hours(days: str, begin: str, end: str) -> OfficeHours:
    return OfficeHours(HoursSettings(**{"days": days, "from": begin, "to": end, "timezone": "Asia/Shanghai"}))


@pytest.mark.parametrize(
    ("days", "begin", "end", "moment", "there"),
    [
        ("mon-fri", "09:00", "18:00", "2026-01-05 09:00", True),
        ("mon-fri", "09:00", "18:00", "2026-01-05 08:59", False),
        ("mon-fri", "09:00", "18:00", "2026-01-05 18:00", False),
        ("mon-fri", "09:00", "18:00", "2026-01-10 12:00", False),
        ("mon-fri,sun", "09:00", "18:00", "2026-01-11 12:00", True),
        ("fri-mon", "09:00", "18:00", "2026-01-11 12:00", True),
        ("fri-mon", "09:00", "18:00", "2026-01-07 12:00", False),
        ("fri", "22:00", "06:00", "2026-01-09 23:00", True),
        ("fri", "22:00", "06:00", "2026-01-10 05:59", True),  # Saturday morning belongs to Friday
        ("fri", "22:00", "06:00", "2026-01-10 06:00", False),
        ("fri", "22:00", "06:00", "2026-01-10 23:00", False),
        ("sun", "22:00", "06:00", "2026-01-05 01:00", True),
        ("mon-sun", "00:00", "24:00", "2026-01-05 23:59", True),
        ("mon-sun", "09:00", "09:00", "2026-01-05 03:00", True),
    ],
)
def test_office_is_open(days: str, begin: str, end: str, moment: str, there: bool) -> None:
    assert hours(days, begin, end).is_open(at(moment)) is there


@pytest.mark.parametrize(
    ("moment", "when"),
    [
        ("2026-01-05 07:00", "今天 09:00"),
        ("2026-01-05 19:00", "明天 09:00"),
        ("2026-01-09 19:00", "周一 09:00"),
        ("2026-01-11 10:00", "明天 09:00"),
    ],
)
def test_next_opening_time(moment: str, when: str) -> None:
    assert hours("mon-fri", "09:00", "18:00").describe_next_opening(at(moment)) == when


@given(st.sampled_from(["mon-fri", "sat", "fri-mon", "mon-sun"]), st.integers(0, 23), st.integers(0, 23), st.integers())
def test_opening_time_is_consistent(days: str, begin: int, end: int, minute: int) -> None:
    office = hours(days, f"{begin:02}:00", f"{end:02}:00")
    now = at("2026-01-05 00:00") + minute % (14 * 1440) * 60
    if not office.is_open(now):
        opens = office.opens_at(now).timestamp()
        assert opens > now
        assert office.is_open(opens)
        assert not office.is_open(opens - 60)


QUOTE = "「助手：【#12 张三】在吗」\n- - - - - - - - - - - - - - -\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("#12 您好", StaffCommand(StaffVerb.ANSWER, 12, "您好")),
        ("＃12您好\n第二行", StaffCommand(StaffVerb.ANSWER, 12, "您好\n第二行")),
        ("#１２：您好", StaffCommand(StaffVerb.ANSWER, 12, "您好")),
        ("# 12 结束", StaffCommand(StaffVerb.CLOSE, 12)),
        ("#12 结束。", StaffCommand(StaffVerb.CLOSE, 12)),
        ("#12 结束了吗？", StaffCommand(StaffVerb.ANSWER, 12, "结束了吗？")),
        ("#12 转 @小李\u2005", StaffCommand(StaffVerb.ASSIGN, 12, "小李")),
        ("#12 转给@小李", StaffCommand(StaffVerb.ASSIGN, 12, "小李")),
        ("#12 转账请看", StaffCommand(StaffVerb.ANSWER, 12, "转账请看")),
        ("#12 记录 老客户", StaffCommand(StaffVerb.NOTE, 12, "老客户")),
        ("#12 记录：老客户", StaffCommand(StaffVerb.NOTE, 12, "老客户")),
        ("#12 /发票", StaffCommand(StaffVerb.CANNED, 12, "发票")),
        ("#12", StaffCommand(StaffVerb.ADDRESS, 12)),
        ("#", StaffCommand(StaffVerb.LIST)),
        (f"{QUOTE}您好", StaffCommand(StaffVerb.ANSWER, 12, "您好")),
        (f"{QUOTE}#12 结束", StaffCommand(StaffVerb.CLOSE, 12)),
        (f"{QUOTE}结束", StaffCommand(StaffVerb.CLOSE, 12)),
        (
            f"{QUOTE}#13 您好",
            StaffCommand(StaffVerb.ANSWER, 13, "您好"),
        ),  # the number written, not the one quoted
        (f"{QUOTE}@小李\u2005这个你来", None),
        (f"{QUOTE}＃", StaffCommand(StaffVerb.LIST)),
        (
            f"「助手：【#12 张三】{QUOTE}在的」\n- - - - - - - - - - - - - - -\n好",
            StaffCommand(StaffVerb.ANSWER, 12, "好"),
        ),
        ("「小王：吃饭吗」\n- - - - - - - - - - - - - - -\n好", None),
        ("「小王：吃饭吗」\n- - - - - - - - - - - - - - -\n#12 好", StaffCommand(StaffVerb.ANSWER, 12, "好")),
        ("大家好", None),
        ("#话题# 大家好", None),
        ("见 #12", None),
        ("", None),
    ],
)
def test_staff_lines_are_parsed(text: str, line: StaffCommand | None) -> None:
    assert parse(text) == line


@given(st.text())
def test_any_text_is_parsed(text: str) -> None:
    parse(text)


@given(st.lists(st.text(max_size=2 * MAX_MESSAGE), max_size=8))
def test_lines_are_joined_without_splitting(lines: list[str]) -> None:
    made = join_lines(lines)
    assert made
    assert all(len(part) <= MAX_MESSAGE for part in made)
    assert "".join(made).replace("\n", "") == "".join(lines).replace("\n", "")


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("人工", True),
        ("人工？", True),
        ("转接人工", True),
        ("您好，请问能转人工客服吗？", True),
        ("有没有人工在", True),
        ("人工客服在哪里？", True),
        ("帮我接一下人工！谢谢", True),
        ("人工人工人工！！！", True),
        ("快转人工，急！", True),
        ("回复“人工”", True),
        ("請轉人工", True),
        ("我要找人", True),
        ("有没有真人", True),
        ("帮我找客服", True),
        ("你是真人吗", False),
        ("找人修水管", False),
        ("人工人工智能", False),
        ("人工智能课多少钱", False),
        ("不要人工", False),
        ("人工费怎么算", False),
        ("我要" * 18 + "x", False),
        ("", False),
    ],
)
def test_requests_for_a_person_are_recognised(text: str, asks: bool) -> None:
    assert PersonRequests(HandoffSettings()).match(text) == asks
    assert not PersonRequests(HandoffSettings(words=[])).match(text)


def test_looping_messages_are_ignored_after_a_while() -> None:
    now = [1000.0]
    loop_detector = LoopDetector(lambda: now[0])
    assert [loop_detector.is_looping("a", "c", "c", "x") for _ in range(MAX_REPEATS + 1)] == [False] * MAX_REPEATS + [
        True
    ]
    assert not loop_detector.is_looping("a", "c", "c", "another")
    assert not loop_detector.is_looping("a", "d", "d", "x")
    assert [loop_detector.is_looping("a", "c", "c", "x") for _ in range(MAX_REPEATS + 1)][-1]
    assert [loop_detector.is_looping("a", "e", "e", text) for _ in range(MAX_REPEATS + 1) for text in "xy"][-2:] == [
        True,
        True,
    ]
    now[0] += REPEAT_SECONDS + 1
    assert not loop_detector.is_looping("a", "c", "c", "x")
    loop_detector.record_sent("a", "c", "您好 ")
    assert loop_detector.is_echo("a", "c", "您好")
    assert not loop_detector.is_echo("b", "c", "您好")


def test_every_part_of_the_last_reply_is_an_echo() -> None:
    """Otherwise a bot that echoes everything would be answered forever."""
    loop_detector = LoopDetector(lambda: 0.0)
    for text in ("开发票请发抬头", "谢谢"):
        loop_detector.record_sent("a", "wxid_bot", text)
    assert loop_detector.is_echo("a", "wxid_bot", "开发票请发抬头")
    assert loop_detector.is_echo("a", "wxid_bot", " 谢谢")
    assert not loop_detector.is_echo("a", "wxid_other", "谢谢")
    for n in range(8):
        loop_detector.record_sent("a", "wxid_bot", str(n))
    assert not loop_detector.is_echo("a", "wxid_bot", "谢谢")


def test_non_text_messages_are_named() -> None:
    assert as_one_line(MessageKind.TEXT, "<b>") == "<b>"
    assert as_one_line(MessageKind.FILE, "合同.pdf") == "[文件] 合同.pdf"
    assert as_one_line(MessageKind.LINK, "<msg>…</msg>") == "[链接]"
    # the text is only the id of the recalled message
    assert as_one_line(MessageKind.RECALLED, "msg_17") == "[撤回了一条消息]"
