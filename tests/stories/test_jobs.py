"""Scheduled jobs: reports, failures and changed times."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image, ImageFont

from app.lifecycle import Bot
from config import Config, ConfigError
from jobs import JOBS
from models.durable import Setting
from sandbox.world.model import Kind
from services.groups.daily_stats import DayStats
from services.outreach.charts import FONT, TITLES, draw
from services.upkeep.job_log import JobRun
from services.upkeep.pruning import REFUSED
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.daily_reports import DAY, reports
from tests.waiting import until


@pytest.fixture
async def env(make_env: MakeEnv) -> BotEnvironment:
    """A bot that runs its jobs."""
    return await make_env(jobs=[])


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
    await env.restart_bot()  # for a bot with its clock days ahead, messages count as old
    env.say("店长", f"/日报 {qun['number']} 关")
    await env.receives("店长", "已停止")
    env.ahead = 3 * DAY
    await env.bot.jobs.run("daily_report")
    await env.wait_idle()
    assert len(reports(env, "宋公明")) == 2


async def test_clock_set_back_stops_no_job(make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.scheduler.CHECK_INTERVAL", 0.05)
    env = await make_env(jobs=[])
    jobs = env.bot.jobs._scheduler.get_jobs()
    for job in jobs:  # as scheduled with a clock one day ahead
        job.modify(next_run_time=job.next_run_time + timedelta(days=1))
    env.ahead -= DAY
    soon = datetime.now(UTC) + timedelta(minutes=2)
    await until(lambda: min(job.next_run_time for job in env.bot.jobs._scheduler.get_jobs()) < soon, "planned anew")


async def test_job_runs_once_after_the_clock_is_put_forward(env: BotEnvironment) -> None:
    """All jobs are due 400 days late; the event loop is not blocked meanwhile."""
    for job in env.bot.jobs._scheduler.get_jobs():
        job.modify(next_run_time=job.next_run_time - timedelta(days=400))
    counts = env.bot.container.job_log.counts
    await until(lambda: all((job.name, True) in counts for job in JOBS), "all jobs run", within=20)
    assert counts["prune", True] == 1


async def test_job_that_is_running_at_the_stop_is_no_error(
    env: BotEnvironment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    started = asyncio.Event()

    async def endless(name: str) -> None:
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(env.bot.jobs, "run", endless)
    env.bot.jobs._scheduler.get_job("prune").modify(next_run_time=datetime.now(UTC))
    await started.wait()
    await env.stop_bot()
    assert "job prune was cancelled because the process stops" in caplog.text
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_report_chart_has_chinese_glyphs() -> None:
    """Each character of its titles has its own glyph."""
    font = ImageFont.truetype(FONT, 18)
    missing = bytes(font.getmask("\u9f98"))
    words = [word for titles in TITLES.values() for word in titles.values()]
    glyphs = {letter: bytes(font.getmask(letter)) for word in words for letter in word}
    assert missing not in glyphs.values()
    assert len(set(glyphs.values())) == len(glyphs)
    days = [DayStats(f"2026-03-0{number}", number, 1, 5 * number) for number in range(1, 8)]
    pictures = [draw(days, language) for language in ("zh", "en")]
    assert [Image.open(io.BytesIO(picture)).size for picture in pictures] == [(960, 640)] * 2
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
    await env.receives("店长", "失败：RuntimeError")
    object.__setattr__(env.bot.container.reports, "send", broken)
    await env.bot.jobs.run("daily_report")
    assert env.bot.container.job_log.last["daily_report"].ok


async def test_jobs_are_shown_to_admins_only(env: BotEnvironment) -> None:
    env.say("店长", "/任务")
    listed = await env.receives("店长", "日报：上次 —，下次 ")
    assert "核对群资料：" in listed.text
    assert not re.search("[A-Za-z]", listed.text), "every job has a Chinese name"
    env.say("宋公明", "/任务")
    await env.receives("宋公明", "您没有权限执行此命令")


@pytest.mark.parametrize(
    ("name", "run", "words"),
    [
        ("prune", JobRun(0, result="12"), "清理旧记录：上次 01-01 08:00（处理 12 项），下次 "),
        ("prune", JobRun(0, result="0"), "清理旧记录：上次 01-01 08:00（没有要处理的），下次 "),
        ("prune", JobRun(0, result="10"), "（处理 10 项）"),
        ("prune", JobRun(0), "清理旧记录：上次 01-01 08:00（没有要处理的），下次 "),
        ("prune", JobRun(0, result=REFUSED), "清理旧记录：上次 01-01 08:00（时钟不可信，没有执行），下次 "),
        ("drift_check", JobRun(0, result="3 rooms, 2 drifted, 1 repaired"), "（查了 3 个群，2 处不一致，已改正 1 处）"),
    ],
)
async def test_result_of_a_job_is_worded(env: BotEnvironment, name: str, run: JobRun, words: str) -> None:
    env.bot.container.job_log.last[name] = run
    env.say("店长", "/任务")
    await env.receives("店长", words)


async def test_summary_of_the_drift_check_is_worded(env: BotEnvironment) -> None:
    await env.bot.jobs.run("drift_check")
    env.say("店长", "/任务")
    await env.receives("店长", "（查了 0 个群，0 处不一致，已改正 0 处）")


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


async def test_clock_difference_is_measured_by_messages(env: BotEnvironment) -> None:
    env.say("店长", "/任务")
    await env.receives("店长", "日报")
    ((account, seconds),) = env.bot.container.account_clocks.skews()
    assert account == "weimi1001"
    assert abs(seconds) < 5
