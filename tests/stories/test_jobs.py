"""Scheduled jobs: reports, made-up runs, pruning; each at the right time and once, also across restarts."""

from __future__ import annotations

import io
import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image, ImageFont
from sqlmodel import Session, col, select

from app.lifecycle import Bot
from config import Config, ConfigError
from models.durable import Action, EventState, InboxEvent, OutboxItem, Setting, WorkState
from models.rules import Broadcast
from sandbox.world.model import Kind
from services.groups.daily_stats import DayStats
from services.outreach.charts import FONT, TITLES, draw
from tests.stories.conftest import BotEnvironment, MakeEnv, until

DAY = 86400.0


def reports(env: BotEnvironment, who: str) -> list[str]:
    return [m.text for m in env.seen(who) if "【日报】" in m.text]


async def test_subscribed_owner_gets_one_report_per_day(env: BotEnvironment) -> None:
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    room = qun["room"]
    env.say("黑旋风", "/日报 开", room)
    await env.receives("黑旋风", "您没有权限执行此命令", room)
    env.say("宋公明", "/日报 也许", room)
    await env.receives("宋公明", "/日报 开|关", room)
    env.say("宋公明", "/日报 开", room)
    await env.receives("宋公明", "已开启", room)
    await env.wait_idle()

    env.ahead = DAY
    await env.bot.jobs.run("daily_report")
    received = await env.receives("宋公明", "【日报】")
    assert f"{qun['topic']}：入群 1，退群 0" in received.text
    await env.wait_idle()
    assert [m.kind for m in env.seen("宋公明")][-1] == Kind.IMAGE
    assert reports(env, "黑旋风") == []

    await env.restart_bot()
    await env.bot.jobs.run("daily_report")
    await env.wait_idle()
    assert len(reports(env, "宋公明")) == 1
    env.ahead = 2 * DAY
    await env.bot.jobs.run("daily_report")
    await env.wait_idle()
    assert len(reports(env, "宋公明")) == 2

    env.ahead = 0
    await env.restart_bot()  # messages to a bot whose clock is days ahead count as old
    env.say("店长", f"/日报 {qun['number']} 关")
    await env.receives("店长", "已停止")
    env.ahead = 3 * DAY
    await env.bot.jobs.run("daily_report")
    await env.wait_idle()
    assert len(reports(env, "宋公明")) == 2


async def test_clock_set_back_stops_no_job(make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.scheduler.LOOK_EVERY", 0.05)
    env = await make_env()
    jobs = env.bot.jobs._scheduler.get_jobs()
    for job in jobs:  # as scheduled with a clock one day ahead
        job.modify(next_run_time=job.next_run_time + timedelta(days=1))
    env.ahead -= DAY
    soon = datetime.now(UTC) + timedelta(minutes=2)
    await until(lambda: min(job.next_run_time for job in env.bot.jobs._scheduler.get_jobs()) < soon, "planned anew")


async def test_missed_run_is_made_up_once(env: BotEnvironment) -> None:
    """A job whose times passed while the bot was down runs once at the start."""
    book = env.bot.container.job_log
    assert book.last["daily_report"].result == "new"
    await env.stop_bot()
    env.ahead = 3 * DAY
    await env.start_bot()
    await env.bot.jobs.made_up()
    book = env.bot.container.job_log
    assert book.counts["daily_report", True] == 1
    assert book.counts["prune", True] == 1
    assert ("idle_tickets", True) not in book.counts
    await env.restart_bot()
    await env.bot.jobs.made_up()
    assert ("daily_report", True) not in env.bot.container.job_log.counts


async def test_made_up_run_uses_current_groups(env: BotEnvironment) -> None:
    """After a crash it waits until the groups have been read again, however late the gateway is."""
    await env.make_group()
    env.say("店长", "/日报 100001 开")
    await env.receives("店长", "已开启")
    await env.wait_idle()
    await env.stop_bot()
    with closing(sqlite3.connect(env.folder / "wxbot.db")) as database:  # the state after kill -9
        database.execute("delete from directoryrow")
        database.commit()
    gate = env.sandbox.servers[env.accounts[0]]
    await gate.stop()
    env.ahead = 2 * DAY
    env.bot = Bot(env.config(), env.timing, clock=lambda: time.time() + env.ahead)
    await env.bot.start()
    await gate.start()
    await env.bot.jobs.made_up()
    received = await env.receives("宋公明", "【日报】")
    assert "现有 3 人" in received.text


async def test_made_up_report_covers_its_own_day(env: BotEnvironment) -> None:
    """Due while the bot was down, and made up on a later day: it covers the day before it was due."""
    qun = await env.make_group()
    env.say("店长", "/日报 100001 开")
    await env.receives("店长", "已开启")
    await env.wait_idle()
    await env.stop_bot()
    zone = ZoneInfo("Asia/Shanghai")
    day = datetime.fromtimestamp(time.time(), zone).date()
    late = datetime.combine(day + timedelta(days=3), datetime.min.time(), zone).timestamp() + 1800  # 00:30
    env.ahead = late - time.time()
    with closing(sqlite3.connect(env.folder / "wxbot.db")) as database:
        for days, messages in ((1, 11), (2, 22)):  # the last report was due on the second day, about the first
            values = (qun["number"], (day + timedelta(days=days)).isoformat(), 0, 0, messages)
            database.execute("insert into dailycount (number, day, joins, leaves, messages) values (?,?,?,?,?)", values)
        database.commit()
    await env.start_bot()
    await env.bot.jobs.made_up()
    received = await env.receives("宋公明", "【日报】")
    assert (day + timedelta(days=1)).isoformat() in received.text
    assert "消息 11" in received.text
    env.ahead += 9 * 3600
    await env.bot.jobs.run("daily_report")
    await until(lambda: len(reports(env, "宋公明")) == 2, "the next one")
    assert "消息 22" in reports(env, "宋公明")[1]


def test_report_chart_has_chinese_glyphs() -> None:
    """Each character of its titles has a glyph of its own."""
    font = ImageFont.truetype(FONT, 18)
    missing = bytes(font.getmask("\u9f98"))
    words = [word for titles in TITLES.values() for word in titles.values()]
    glyphs = {letter: bytes(font.getmask(letter)) for word in words for letter in word}
    assert missing not in glyphs.values()
    assert len(set(glyphs.values())) == len(glyphs)
    days = [DayStats(f"2026-03-0{number}", number, 1, 5 * number) for number in range(1, 8)]
    pictures = [draw(days, language) for language in ("zh", "en")]
    assert [Image.open(io.BytesIO(one)).size for one in pictures] == [(960, 640)] * 2
    assert pictures[0] != pictures[1]


async def test_failing_job_is_reported_and_runs_again(env: BotEnvironment) -> None:
    await env.bot.container.store.write(lambda s: s.merge(Setting(key="report:weimi1001:wxid_admin", value="")))
    broken = env.bot.container.reports.send

    async def fail() -> int:
        raise RuntimeError("no paper")

    object.__setattr__(env.bot.container.reports, "send", fail)
    await env.bot.jobs.run("daily_report")
    assert not env.bot.container.job_log.last["daily_report"].ok
    env.say("店长", "/任务")
    await env.receives("店长", "✗ RuntimeError")
    object.__setattr__(env.bot.container.reports, "send", broken)
    await env.bot.jobs.run("daily_report")
    assert env.bot.container.job_log.last["daily_report"].ok


async def test_jobs_are_shown_to_admins_only(env: BotEnvironment) -> None:
    env.say("店长", "/任务")
    listed = await env.receives("店长", "日报 daily_report：上次 — ，下次 ")
    assert "核对群资料 drift_check" in listed.text
    shown = [line.partition("：")[0].split(" ") for line in listed.text.splitlines()]
    assert all(len(words) == 2 for words in shown)  # every job has a Chinese name
    env.say("宋公明", "/任务")
    await env.receives("宋公明", "您没有权限执行此命令")


async def test_job_is_rescheduled_or_disabled(make_env: MakeEnv) -> None:
    env = await make_env(jobs=[{"name": "daily_report", "cron": "0 20 * * *"}, {"name": "prune", "enabled": False}])
    assert "prune" not in env.bot.container.job_log.names
    at = env.bot.container.job_log.next_at("daily_report")
    assert at is not None
    assert (at + 8 * 3600) % DAY == 20 * 3600, "20:00 in Shanghai"


async def test_weekday_of_a_job_follows_crontab(make_env: MakeEnv) -> None:
    env = await make_env(jobs=[{"name": "daily_report", "cron": "0 20 * * 0"}])
    at = env.bot.container.job_log.next_at("daily_report")
    assert at is not None
    assert datetime.fromtimestamp(at, env.bot.container.zone).strftime("%a %H") == "Sun 20"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"name": "daily_raport"},
            "jobs.1.name: 'daily_raport' is not valid: unknown job; allowed: expire_memberships, ",
        ),
        ({"name": "prune", "cron": "9:30"}, "jobs.1.cron: '9:30' is not valid: "),
        ({"name": "prune", "cron": "0 9 * * 9"}, "jobs.1.cron: '0 9 * * 9' is not valid: "),
    ],
)
async def test_invalid_job_stops_the_start_with_one_line(tmp_path: Path, change: dict[str, str], line: str) -> None:
    bot = Bot(Config(database=f"sqlite:///{tmp_path}/wxbot.db", sandbox={"port": 0}, jobs=[change]))
    with pytest.raises(ConfigError) as error:
        await bot.start()
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


async def test_old_finished_rows_are_pruned(make_env: MakeEnv) -> None:
    env = await make_env(keep_days=10)
    old = env.bot.container.clock() - 11 * DAY

    def put(session: Session) -> None:
        for number in range(450):
            state = EventState.NEW if number == 0 else EventState.DONE
            event = InboxEvent(
                account="gone", event_id=f"{number}", kind="message", data="{}", state=state, received_at=old
            )
            session.add(event)
        session.add(OutboxItem(queue="wx:gone", key="a", body=json.dumps({}), state=WorkState.SENT, done_at=old))
        session.add(
            OutboxItem(queue="wx:gone", key="b", body=json.dumps({}), state=WorkState.SENT, done_at=old + 5 * DAY)
        )
        session.add(Action(account="gone", kind="add", who="x", at=old))
        for at in (old, old + 5 * DAY):
            session.add(Broadcast(account="gone", by="x", text="好", expires_at=at, created_at=at))

    await env.bot.container.store.write(put)
    await env.bot.jobs.run("prune")

    def left(session: Session) -> list[int]:
        rows = (
            select(InboxEvent).where(InboxEvent.account == "gone"),
            select(OutboxItem).where(col(OutboxItem.queue) == "wx:gone"),
            select(Action).where(Action.account == "gone"),
            select(Broadcast).where(Broadcast.account == "gone"),
        )
        return [len(session.exec(wanted).all()) for wanted in rows]

    assert await env.bot.container.store.read(left) == [1, 1, 0, 1]
    assert env.bot.container.job_log.last["prune"].result == "452"


async def test_jumping_clock_prunes_nothing(env: BotEnvironment) -> None:
    """Nor after a restart; set right again, it prunes as before."""
    env.say("黑旋风", "你好")
    await env.wait_idle()

    async def kept() -> int:
        return len(await env.bot.container.store.read(lambda s: s.exec(select(InboxEvent)).all()))

    before = await kept()
    env.ahead = 400 * DAY
    for _ in range(2):
        for job in ("prune", "prune_media"):
            await env.bot.jobs.run(job)
            assert env.bot.container.job_log.last[job].result == "refused: the clock has jumped ahead"
        assert await kept() == before
        await env.restart_bot()
    env.ahead = 0
    await env.bot.jobs.run("prune")
    assert env.bot.container.job_log.last["prune"].result == "0"


async def test_clock_difference_is_measured_by_messages(env: BotEnvironment) -> None:
    env.say("店长", "/任务")
    await env.receives("店长", "日报")
    ((account, seconds),) = env.bot.container.account_clocks.skews()
    assert account == "weimi1001"
    assert abs(seconds) < 5
