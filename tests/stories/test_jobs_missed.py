"""Runs of jobs that were missed during downtime, made up once."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.lifecycle import Bot
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.daily_reports import DAY, reports
from tests.waiting import until


@pytest.fixture
async def env(make_env: MakeEnv) -> BotEnvironment:
    """A bot that runs its jobs."""
    return await make_env(jobs=[])


async def test_missed_job_runs_once_at_the_start(make_env: MakeEnv) -> None:
    """A job that was due while the bot was down runs once at the start. None is due by the real clock meanwhile."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    daily = f"{now.minute} {(now.hour + 12) % 24} * * *"
    jobs = {"daily_report": daily, "prune": daily, "idle_tickets": f"{(now.minute + 30) % 60} * * * *"}
    env = await make_env(jobs=[{"name": name, "cron": cron} for name, cron in jobs.items()])
    job_log = env.bot.container.job_log
    assert job_log.last["daily_report"].result == "new"
    await env.stop_bot()
    env.ahead = 3 * DAY
    await env.start_bot()
    await env.bot.jobs.wait_for_missed_runs()
    job_log = env.bot.container.job_log
    assert job_log.counts["daily_report", True] == 1
    assert job_log.counts["prune", True] == 1
    assert ("idle_tickets", True) not in job_log.counts
    await env.restart_bot()
    await env.bot.jobs.wait_for_missed_runs()
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
    await env.bot.jobs.wait_for_missed_runs()
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
    await env.bot.jobs.wait_for_missed_runs()
    received = await env.receives("宋公明", "【日报】")
    assert (day + timedelta(days=1)).isoformat() in received.text
    assert "消息 11" in received.text
    env.ahead += 9 * 3600
    await env.bot.jobs.run("daily_report")
    await until(lambda: len(reports(env, "宋公明")) == 2, "the next one")
    assert "消息 22" in reports(env, "宋公明")[1]
