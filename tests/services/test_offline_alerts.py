"""Alerts about accounts that are offline for long."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import Session

from models.durable import Setting
from services.upkeep.offline_alerts import PREFIX, OfflineAlerts
from tests.doubles import InMemoryWeChat
from tests.services.parts import OpenParts, Parts
from wechat.interface import State
from wechat.problems import Problem, Reason

DAY, MINUTE = 86400.0, 60.0

HOOK = {"name": "erp", "url": "https://erp.test/x", "secret": "our-hook-secrets-2026", "events": ["assistant.offline"]}


@pytest.fixture
async def offline(open_parts: OpenParts) -> tuple[Parts, InMemoryWeChat]:
    """An account that goes offline, and another one through which the admin is notified."""
    parts = await open_parts(admins=["wxid_admin_1", "wxid_admin_2"], offline_alert_minutes=5, webhooks=[HOOK])
    other = InMemoryWeChat("other")
    for who in ("wxid_admin_1", "wxid_admin_2"):
        other.knows(who)
    parts.container.accounts.add(other.whole())
    return parts, other


def _alerts(parts: Parts) -> OfflineAlerts:
    return parts.container.offline_alerts


async def test_outage_is_reported_once_and_its_end(offline: tuple[Parts, InMemoryWeChat]) -> None:
    parts, _ = offline
    alerts, name, clock = _alerts(parts), parts.wechat.account, parts.clock
    assert alerts.minutes_offline(name) is None and not alerts.is_overdue(name)
    assert await alerts.run() == 0
    clock.now += 1000
    parts.wechat.state, parts.wechat.reason = State.LOGGED_OUT, Reason(Problem.LOGGED_OUT)
    parts.container.accounts.state_changed(name, clock.now)
    clock.now += 5 * MINUTE - 1
    assert await alerts.run() == 0
    clock.now += 1
    assert alerts.minutes_offline(name) == 5.0
    assert [await alerts.run() for _ in range(2)] == [1, 0]
    again = OfflineAlerts(*_arguments(parts))
    assert await again.run() == 0, "known to the next process as well"
    (event,) = [job.body for job in await parts.queued("hook")]
    reason = parts.wechat.reason
    assert (event["type"], event["data"]) == (
        "assistant.offline", {"assistant": name, "reason": str(reason), "minutes": 5},
    )  # fmt: skip
    jobs = await parts.queued()
    assert [(job.queue, job.key) for job in jobs] == [("wx:other", "wxid_admin_1"), ("wx:other", "wxid_admin_2")]
    assert f"{name} 已离线 5 分钟（{reason.text('zh')}）" in jobs[0].body["text"]
    assert jobs[0].body["text"].endswith("/console/")
    parts.wechat.state = State.ONLINE
    for who in ("wxid_admin_1",):
        parts.wechat.knows(who)
    assert [await alerts.run() for _ in range(2)] == [1, 0]
    back = (await parts.queued())[2:]
    assert sorted(job.key for job in back) == ["wxid_admin_1", "wxid_admin_2"], "each once"
    assert {job.body["text"] for job in back} == {f"助手 {name} 已恢复在线。"}
    assert await parts.read(lambda s: s.get(Setting, PREFIX + name)) is None


def _arguments(parts: Parts) -> tuple[Any, ...]:
    container = parts.container
    return (
        container.store, container.accounts, container.messages, container.webhook_events, container.config, parts.clock
    )  # fmt: skip


async def test_outage_since_the_start_is_measured_from_there(offline: tuple[Parts, InMemoryWeChat]) -> None:
    parts, _ = offline
    parts.wechat.state = State.CONNECTING
    parts.clock.now += 6 * MINUTE
    assert _alerts(parts).minutes_offline(parts.wechat.account) == 6.0
    assert await _alerts(parts).run() == 1
    (job, _) = await parts.queued()
    assert "（无）" in job.body["text"], "without a known reason"
    parts.clock.now -= DAY
    assert _alerts(parts).minutes_offline(parts.wechat.account) == 0.0, "the clock was set back"


async def test_outage_of_a_minute_is_overdue(open_parts: OpenParts) -> None:
    parts = await open_parts(offline_alert_minutes=1)
    parts.wechat.state = State.CONNECTING
    parts.clock.now += MINUTE
    assert _alerts(parts).is_overdue(parts.wechat.account)


async def test_alerts_can_be_turned_off(open_parts: OpenParts) -> None:
    parts = await open_parts(offline_alert_minutes=0)
    parts.wechat.state = State.CONNECTING
    parts.clock.now += DAY
    assert not _alerts(parts).is_overdue(parts.wechat.account)
    assert await _alerts(parts).run() == 0


async def test_concurrent_processes_report_once(offline: tuple[Parts, InMemoryWeChat]) -> None:
    parts, _ = offline
    parts.wechat.state = State.CONNECTING
    parts.clock.now += DAY
    alerts, name = _alerts(parts), parts.wechat.account

    def twice(session: Session) -> None:
        for _ in range(2):
            alerts._report_offline(session, name)
            session.flush()

    await parts.write(twice)
    assert len(await parts.queued("hook")) == 1
    stored = await parts.read(lambda s: s.get_one(Setting, PREFIX + name))
    assert stored.value == str(parts.clock.now)

    def back(session: Session) -> None:
        for _ in range(2):
            alerts._report_online(session, name)
            session.flush()

    before = len(await parts.queued())
    await parts.write(back)
    assert len(await parts.queued()) == before + 2
