"""Daily reports: who gets one, once a day, and what is in it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from models.durable import OutboxItem, Priority
from models.faq import FaqMiss
from models.groups import DailyCount, Qun, QunState
from services.groups.daily_stats import DayStats
from services.outreach.charts import draw
from tests.doubles import InMemoryWeChat
from tests.services.parts import ACCOUNT, SONG, STAFF, XUAN, ZHI, OpenParts, Parts
from tests.services.staffed import close, open_ticket

OTHER = "weimi1002"
TODAY = date(2027, 1, 15)  # of the test's clock, in the configured time zone
YESTERDAY = TODAY - timedelta(days=1)
DAY = 86400.0


async def subscribe(parts: Parts, qun: Qun) -> Qun:
    return await parts.container.groups.change(qun.number, wants_report=True)


async def count(parts: Parts, qun: Qun, day: date, joins: int = 0, leaves: int = 0, messages: int = 0) -> None:
    row = DailyCount(number=qun.number, day=day.isoformat(), joins=joins, leaves=leaves, messages=messages)
    await parts.write(lambda s: s.add(row))


async def second_account(parts: Parts) -> InMemoryWeChat:
    other = InMemoryWeChat(OTHER)
    other.knows(XUAN, "黑旋风")
    other.knows(ZHI, "智多星")
    other.knows(SONG, "宋公明")
    parts.container.rate_limiters.create(OTHER, parts.container.config.pacing)
    parts.container.accounts.add(other.whole())
    return other


def local(parts: Parts, day: date, hour: int = 0) -> float:
    """A time of a day in Unix seconds."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=parts.container.zone).timestamp()


async def charts(parts: Parts, who: str) -> list[tuple[str, bytes]]:
    """The names and contents of the files queued for a person."""
    return [_content(job.body) for job in await parts.queued() if job.key == who and job.body["type"] == "file"]


def _content(body: dict[str, Any]) -> tuple[str, bytes]:
    return body["name"], Path(body["path"]).read_bytes()


# ---- recipients ----


async def test_owner_who_subscribed_gets_text_and_chart_of_their_group(parts: Parts) -> None:
    qun = await subscribe(parts, await parts.group())
    await parts.group("2")  # not subscribed
    await count(parts, qun, YESTERDAY, 3, 1, 20)
    await count(parts, qun, TODAY, 7, 7, 7)
    assert await parts.container.reports.send() == 1
    assert await parts.queued_texts(SONG) == [
        f"【日报】2027-01-14\n{qun.topic}：入群 3，退群 1，消息 20，现有 3 人",
    ]
    assert [(job.queue, job.key, job.body["type"]) for job in await parts.queued()] == [
        (f"wx:{ACCOUNT}", SONG, "text"),
        (f"wx:{ACCOUNT}", SONG, "file"),
    ]
    ((name, _),) = await charts(parts, SONG)
    assert name == "report-2027-01-14.png"
    assert {row.priority for row in await parts.read(lambda s: s.exec(select(OutboxItem)).all())} == {Priority.NOTICE}


async def test_nobody_gets_a_report_unless_they_subscribed_or_are_admins(parts: Parts) -> None:
    await parts.group()
    assert await parts.container.reports.send() == 0
    assert await parts.queued() == []


async def test_owner_of_two_groups_gets_one_report_about_both(parts: Parts) -> None:
    first, second = [await subscribe(parts, await parts.group(code)) for code in ("1", "2")]
    assert await parts.container.reports.send() == 1
    (report,) = await parts.queued_texts(SONG)
    assert [line.partition("：")[0] for line in report.splitlines()[1:]] == [first.topic, second.topic]


async def test_owners_get_reports_about_their_own_groups_only(parts: Parts) -> None:
    mine = await subscribe(parts, await parts.group())
    theirs, _ = await parts.container.group_lifecycle.create("2", "黑旋风", ACCOUNT, "test")
    await subscribe(parts, theirs)
    assert await parts.container.reports.send() == 2
    reports = [*await parts.queued_texts(SONG), *await parts.queued_texts(XUAN)]
    assert [report.splitlines()[1:][0].partition("：")[0] for report in reports] == [mine.topic, theirs.topic]
    assert [len(report.splitlines()) for report in reports] == [2, 2]


async def test_admin_gets_one_report_about_every_active_group(parts: Parts) -> None:
    own = await subscribe(parts, await parts.group())  # by an admin, who gets no report as an owner besides
    shown = await parts.group("2")
    for code, state in (("3", QunState.LOST), ("4", QunState.CLOSED)):
        await parts.container.groups.change((await subscribe(parts, await parts.group(code))).number, state=state)
    parts.container.accounts.bind_admin(SONG)
    assert await parts.container.reports.send() == 1
    (report,) = await parts.queued_texts(SONG)
    assert [line.partition("：")[0] for line in report.splitlines()[1:]] == [own.topic, shown.topic]


async def test_each_account_reports_about_its_own_groups(parts: Parts) -> None:
    await second_account(parts)
    here = await subscribe(parts, await parts.group())
    there, _ = await parts.container.group_lifecycle.create("2", "黑旋风", OTHER, "test")
    await subscribe(parts, there)
    parts.container.accounts.bind_admin(SONG)
    assert await parts.container.reports.send() == 3
    texts = {(job.queue, job.key): job.body["text"] for job in await parts.queued() if job.body["type"] == "text"}
    topics = {key: [line.partition("：")[0] for line in report.splitlines()[1:]] for key, report in texts.items()}
    assert topics == {
        (f"wx:{ACCOUNT}", SONG): [here.topic],
        (f"wx:{OTHER}", SONG): [there.topic],
        (f"wx:{OTHER}", XUAN): [there.topic],
    }


# ---- once a day ----


async def test_report_of_a_day_is_queued_once_even_after_a_restart(open_parts: OpenParts) -> None:
    first = await open_parts()
    await subscribe(first, await first.group())
    assert [await first.container.reports.send() for _ in range(2)] == [1, 0]
    again = await open_parts(first.wechat)
    assert await again.container.reports.send() == 0
    assert len(await again.queued_texts(SONG)) == 1
    again.clock.now += DAY
    assert await again.container.reports.send() == 1
    reports = await again.queued_texts(SONG)
    assert [report.splitlines()[0] for report in reports] == ["【日报】2027-01-14", "【日报】2027-01-15"]


async def test_late_report_is_about_the_day_before_it_was_due(parts: Parts) -> None:
    await subscribe(parts, await parts.group())
    due = local(parts, TODAY - timedelta(days=3), 9)
    assert await parts.container.reports.send(due) == 1
    assert await parts.container.reports.send() == 1
    assert await parts.container.reports.send(due) == 0, "a later one was sent"
    days = [report.splitlines()[0] for report in await parts.queued_texts(SONG)]
    assert days == ["【日报】2027-01-11", "【日报】2027-01-14"]


# ---- the chart ----


async def test_chart_shows_the_last_fourteen_days_of_all_groups_together(parts: Parts) -> None:
    first, second = [await subscribe(parts, await parts.group(code)) for code in ("1", "2")]
    oldest = YESTERDAY - timedelta(days=13)
    await count(parts, first, YESTERDAY, 1, 2, 3)
    await count(parts, second, YESTERDAY, 10, 20, 30)
    await count(parts, second, oldest, 5, 6, 7)
    await count(parts, second, oldest - timedelta(days=1), 500, 600, 700)
    await parts.container.reports.send()
    days = [DayStats((oldest + timedelta(days=number)).isoformat()) for number in range(14)]
    days[0], days[-1] = DayStats(days[0].date, 5, 6, 7), DayStats(days[-1].date, 11, 22, 33)
    ((_, picture),) = await charts(parts, SONG)
    assert picture == draw(days, "zh")


async def test_chart_is_in_the_configured_language(open_parts: OpenParts) -> None:
    parts = await open_parts(language="en")
    await subscribe(parts, await parts.group())
    await parts.container.reports.send()
    days = [DayStats((YESTERDAY - timedelta(days=back)).isoformat()) for back in reversed(range(14))]
    ((_, picture),) = await charts(parts, SONG)
    assert picture == draw(days, "en")


async def test_chart_is_stored_even_if_there_is_no_room_for_files(open_parts: OpenParts) -> None:
    parts = await open_parts(limits={"media_gigabytes": 1e-9})
    await subscribe(parts, await parts.group())
    assert await parts.container.reports.send() == 1
    assert len(await charts(parts, SONG)) == 1


# ---- customer service, for admins ----


async def ticket_at(parts: Parts, at: float) -> None:
    now, parts.clock.now = parts.clock.now, at
    await open_ticket(parts)
    parts.clock.now = now


async def missed(parts: Parts, question: str, times: int, day: date = YESTERDAY, account: str = ACCOUNT) -> None:
    row = FaqMiss(account=account, day=day.isoformat(), question=question, count=times)
    await parts.write(lambda s: s.add(row))


async def test_admin_without_groups_gets_the_numbers_of_customer_service_without_a_chart(parts: Parts) -> None:
    parts.container.accounts.bind_admin(STAFF)
    await ticket_at(parts, local(parts, YESTERDAY, 12))
    assert await parts.container.reports.send() == 1
    (report,) = await parts.queued_texts(STAFF)
    title, levels = report.splitlines()
    assert (title, levels.partition("，")[0]) == ("【日报】2027-01-14", "客服：新会话 1")
    assert await charts(parts, STAFF) == []


async def test_admin_gets_no_report_if_there_is_nothing_to_tell(parts: Parts) -> None:
    parts.container.accounts.bind_admin(STAFF)
    assert await parts.container.reports.send() == 0
    assert await parts.queued() == []


async def test_admin_of_groups_gets_their_numbers_before_those_of_customer_service(parts: Parts) -> None:
    qun = await subscribe(parts, await parts.group())
    parts.container.accounts.bind_admin(STAFF)
    await missed(parts, "能寄到国外吗", 2)
    assert await parts.container.reports.send() == 2
    (for_admin,) = await parts.queued_texts(STAFF)
    assert for_admin.splitlines()[1].startswith(f"{qun.topic}：")
    assert for_admin.splitlines()[2:] == ["没有答上来的问题：", "· 能寄到国外吗（2 次）"]
    (for_owner,) = await parts.queued_texts(SONG)
    assert "没有答上来的问题" not in for_owner
    assert len(await charts(parts, STAFF)) == 1


@pytest.mark.parametrize(("after", "shown"), [(-1, 0), (0, 1), (DAY - 1, 1), (DAY, 0)])
async def test_tickets_count_from_midnight_to_midnight(parts: Parts, after: float, shown: int) -> None:
    await ticket_at(parts, local(parts, YESTERDAY) + after)
    parts.container.accounts.bind_admin(STAFF)
    assert await parts.container.reports.send() == shown


async def test_five_questions_that_were_missed_most_on_the_day_are_shown(parts: Parts) -> None:
    for times, question in enumerate("甲乙丙丁戊己", 1):
        await missed(parts, question, times)
    await missed(parts, "昨日之前", 9, YESTERDAY - timedelta(days=1))
    await missed(parts, "今日", 9, TODAY)
    await missed(parts, "别处", 9, account=OTHER)
    parts.container.accounts.bind_admin(STAFF)
    await parts.container.reports.send()
    (report,) = await parts.queued_texts(STAFF)
    shown = [f"· {question}（{times} 次）" for question, times in zip("己戊丁丙乙", (6, 5, 4, 3, 2), strict=True)]
    assert report.splitlines() == ["【日报】2027-01-14", "没有答上来的问题：", *shown]


async def test_tickets_are_shown_before_missed_questions(parts: Parts) -> None:
    await ticket_at(parts, local(parts, YESTERDAY, 12))
    await missed(parts, "能寄到国外吗", 2)
    parts.container.accounts.bind_admin(STAFF)
    await parts.container.reports.send()
    (report,) = await parts.queued_texts(STAFF)
    _, levels, *questions = report.splitlines()
    assert levels.startswith("客服：新会话 1")
    assert questions == ["没有答上来的问题：", "· 能寄到国外吗（2 次）"]


async def test_report_in_english_has_no_chinese_words(open_parts: OpenParts) -> None:
    parts = await open_parts(language="en")
    await parts.container.groups.change((await parts.group()).number, topic="Friends")
    now, parts.clock.now = parts.clock.now, local(parts, YESTERDAY, 12)
    ticket = await open_ticket(parts, staff_id=STAFF, staff_name="Manager", answered_at=parts.clock.now + 60)
    parts.clock.now += 2 * 3600
    await close(parts, ticket)
    parts.clock.now = now
    await missed(parts, "do you ship abroad", 2)
    parts.container.accounts.bind_admin(STAFF)
    assert await parts.container.reports.send() == 1
    (report,) = await parts.queued_texts(STAFF)
    assert report.splitlines() == [
        "Daily report, 2027-01-14",
        "Friends: 0 joined, 0 left, 0 messages, 3 members now",
        "Customer service: 1 new tickets, 1 answered, 1 closed; "
        "median time to first answer 1 min, to resolution 2.0 h, mean rating —",
        "Manager: 1 tickets, median time to first answer 1 min, to resolution 2.0 h, mean rating —",
        "Questions without an answer:",
        "· do you ship abroad (2 times)",
    ]
