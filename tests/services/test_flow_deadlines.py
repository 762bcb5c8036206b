"""Deadlines of flow runs, their callbacks, and what admins do."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from sqlmodel import select

from errors import NotFound
from models.durable import Action
from models.flows import DISCARDED, FlowCallback
from services.flows import expiry
from services.flows.calls import CallFailed
from tests.services.flow_parts import ASK, HAND_OUT, WAIT, OpenFlows, flow, open_flows
from tests.services.parts import ACCOUNT, XUAN, ZHI
from tests.waiting import SECONDS, until

__all__ = ["open_flows"]
HOUR = 3600.0


async def test_overdue_runs_end(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK), flow(HAND_OUT, WAIT, name="等", start=["等"]))
    await flow_parts.say("开始")
    await flow_parts.say("等", ZHI)
    flow_parts.clock.now += 2 * HOUR - 1
    assert await flow_parts.container.flow_expiry.expire() == 0
    flow_parts.clock.now += 1
    assert await flow_parts.container.flow_expiry.expire() == 1
    assert await flow_parts.parts.queued_texts(ZHI) == ["等失败：等待结果超时"]
    flow_parts.clock.now += 22 * HOUR
    assert await flow_parts.container.flow_expiry.expire() == 1
    assert await flow_parts.texts() == ["试失败：太久没有收到您的回答"]
    assert await flow_parts.container.flow_expiry.expire() == 0
    assert [run.state for run in await flow_parts.runs()] == ["failed", "failed"]


async def test_runs_of_other_processes_are_left_to_them(open_flows: OpenFlows, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_parts = await open_flows(flow(ASK))
    await flow_parts.say("开始")
    flow_parts.clock.now += 24 * HOUR
    monkeypatch.setattr(flow_parts.container.accounts, "holds", lambda _account: False)
    assert await flow_parts.container.flow_expiry.expire() == 0
    assert (await flow_parts.run()).state == "asking"


async def test_short_wait_ends_by_a_timer(open_flows: OpenFlows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "CLOCK_TOLERANCE", 0.0)
    wait = {"wait": {"callback": "result", "hours": 1e-12}}  # ends at once: the clock of the test stands still
    flow_parts = await open_flows(flow(HAND_OUT, wait))
    await flow_parts.say("开始")
    await until(lambda: not flow_parts.container.flow_expiry._timers, "the timer has ended")
    assert await flow_parts.parts.queued_texts(XUAN) == ["试失败：等待结果超时"]


@pytest.mark.parametrize(("seconds", "timers"), [(59.9, 1), (60.0, 0)])
async def test_timers_are_for_short_waits_only(open_flows: OpenFlows, seconds: float, timers: int) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, {"wait": {"callback": "result", "hours": seconds / HOUR}}))
    await flow_parts.say("开始")
    flow_expiry = flow_parts.container.flow_expiry
    assert len(flow_expiry._timers) == timers
    await flow_expiry.stop()
    assert not flow_expiry._timers
    await flow_parts.say("取消")
    await flow_parts.say("开始")
    assert not flow_expiry._timers, "none begins after the stop"


async def test_stop_cancels_the_timers(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, {"wait": {"callback": "result", "hours": 50 / HOUR}}))
    await flow_parts.say("开始")
    (timer,) = flow_parts.container.flow_expiry._timers
    async with asyncio.timeout(SECONDS):
        await flow_parts.container.flow_runs.stop(0)
    assert timer.cancelled()


# ---- callbacks and admins ----


async def test_unknown_callback(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT))
    await flow_parts.say("开始")
    with pytest.raises(NotFound):
        await flow_parts.container.flow_runs.callback("x")
    await flow_parts.container.flow_runs.receive_callback(FlowCallback(id=9, secret="x", run_id=99, step=1), {})
    assert await flow_parts.texts() == []


async def test_result_of_a_failed_run_is_kept_for_the_retry(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT, {"say": "好了{result.n}"}))
    flow_parts.systems.responses = [CallFailed("坏了")]
    await flow_parts.say("开始")
    (late,) = await flow_parts.receive({"status": "success", "n": 1})
    assert late.startswith("您")
    assert await flow_parts.say("重试") == ["好了1"], "the call was executed after all"
    assert [callback.body for callback in await flow_parts.callbacks()] == [DISCARDED], "it may be personal"


async def test_admin_ends_a_run(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK))
    await flow_parts.say("开始")
    await flow_parts.say("开始", ZHI)
    runs = flow_parts.container.flow_runs
    assert [run.person for run in await runs.open()] == [XUAN, ZHI]
    assert [run.person for run in await runs.open([ACCOUNT])] == [XUAN, ZHI]
    assert await runs.open(["weimi1002"]) == []
    run = await flow_parts.parts.write(lambda s: runs.cancel(s, 1, "店长"))
    assert (run.id, run.state) == (1, "cancelled")
    assert await flow_parts.texts() == ["管理员结束了您的流程“试”。"]
    (noted,) = await flow_parts.parts.read(lambda s: s.exec(select(Action).where(Action.kind == "flow_ended")).all())
    assert (noted.who, noted.target, noted.account, noted.detail) == ("店长", "1", ACCOUNT, {"flow": "试"})
    for number in (1, 99):
        with pytest.raises(NotFound):
            await flow_parts.parts.write(partial(runs.cancel, run_id=number, actor="店长"))
    assert [run.person for run in await runs.open()] == [ZHI]
