"""Calls of flow runs, and runs across restarts and processes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from models.flows import FlowRun
from services.flows import running_calls
from services.flows.calls import CallFailed
from tests.services.flow_parts import ASK, CALL, FlowParts, OpenFlows, flow, open_flows
from tests.services.parts import ACCOUNT, XUAN, ZHI
from tests.waiting import SECONDS, until

__all__ = ["open_flows"]
SLOW = "还在处理，请稍候……"


def hold(flow_parts: FlowParts) -> asyncio.Event:
    """Let calls wait for the event."""
    flow_parts.systems.gate = asyncio.Event()
    return flow_parts.systems.gate


async def release(flow_parts: FlowParts) -> None:
    """Let the calls finish that `hold` has stopped."""
    assert flow_parts.systems.gate is not None
    flow_parts.systems.gate.set()
    flow_parts.systems.gate = None
    await flow_parts.settle()


async def called(flow_parts: FlowParts, count: int = 1) -> None:
    """Wait until the system was called."""
    async with asyncio.timeout(SECONDS):
        while len(flow_parts.systems.keys) < count:
            flow_parts.systems.called.clear()
            await flow_parts.systems.called.wait()


# ---- calls ----


async def test_call_gets_the_values_and_its_key(open_flows: OpenFlows, caplog: pytest.LogCaptureFixture) -> None:
    flow_parts = await open_flows(flow(ASK, CALL, {"say": "好了{order.n}"}))
    flow_parts.systems.responses = [{"n": 3}]
    await flow_parts.say("开始")
    assert await flow_parts.say("一店") == ["好了3"]
    run = await flow_parts.run()
    assert flow_parts.systems.keys == [f"{run.key}-1"]
    assert flow_parts.systems.values == [{"store": "一店", "flow": "试", "person": XUAN, "assistant": ACCOUNT}]
    assert run.id not in flow_parts.calls
    assert "its call failed" not in caplog.text


async def test_slow_call_is_reported_after_five_seconds(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, {"say": "好了"}), start=False)
    hold(flow_parts)
    await flow_parts.say("开始")
    assert await flow_parts.texts() == []
    await flow_parts.container.flow_runs.stop(0)
    later = await open_flows(flow(CALL, {"say": "好了"}), start=False)
    gate = hold(later)
    later.clock.now += 5.0
    await later.container.flow_runs.start()
    await until(lambda: later.parts.queued_texts(XUAN), "it is reported")
    gate.set()
    later.systems.gate = None
    await later.settle()
    assert await later.texts() == [SLOW, "好了"]


async def test_quick_call_is_not_reported(open_flows: OpenFlows, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    original = asyncio.sleep

    async def sleep(seconds: float, *more: Any) -> None:
        asked.append(seconds)
        await original(seconds, *more)

    flow_parts = await open_flows(flow(CALL, {"say": "好了"}))
    hold(flow_parts)
    monkeypatch.setattr("services.flows.running_calls.asyncio.sleep", sleep)
    await flow_parts.say("开始")
    await called(flow_parts)
    await release(flow_parts)
    assert await flow_parts.texts() == ["好了"]
    assert 5.0 in asked, "counted from the beginning of the step"


async def test_cancelled_run_cancels_its_call(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL))
    hold(flow_parts)
    await flow_parts.say("开始")
    await called(flow_parts)
    assert await flow_parts.say("取消") == ["已取消流程“试”。"]
    flow_parts.systems.gate = None
    await asyncio.wait_for(flow_parts.settle(), SECONDS)
    assert (await flow_parts.run()).state == "cancelled"


async def test_response_for_a_run_that_has_ended_is_ignored(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, {"say": "好了"}))
    hold(flow_parts)
    await flow_parts.say("开始")
    await called(flow_parts)

    def end(session: Any) -> None:
        run = session.get_one(FlowRun, 1)
        run.state = "cancelled"
        session.add(run)

    await flow_parts.parts.write(end)
    await release(flow_parts)
    assert await flow_parts.texts() == []


@pytest.mark.parametrize(("failure", "kept"), [(CallFailed("坏了"), True), (CallFailed("不行", refused=True), False)])
async def test_key_of_a_call_that_may_have_been_executed_is_kept(
    open_flows: OpenFlows, failure: CallFailed, kept: bool
) -> None:
    flow_parts = await open_flows(flow(CALL))
    flow_parts.systems.responses = [failure]
    assert await flow_parts.say("开始") == [f"试失败：{failure}\n回复“重试”从出错的这一步继续。"]
    run = await flow_parts.run()
    assert run.call_key == (f"{run.key}-0" if kept else "")


async def test_unexpected_error_ends_the_run(open_flows: OpenFlows, caplog: pytest.LogCaptureFixture) -> None:
    flow_parts = await open_flows(flow(CALL))
    flow_parts.systems.responses = [ValueError("a bug")]
    assert await flow_parts.say("开始") == ["试失败：内部错误\n回复“重试”从出错的这一步继续。"]
    assert "step 1 is broken" in caplog.text
    run = await flow_parts.run()
    assert run.call_key == f"{run.key}-0"


def fail_to_store_the_first_response(flow_parts: FlowParts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database fail whenever the first response is stored: a failed commit is repeated write by write."""
    steps, first = flow_parts.container.flows._steps, {"lost": True}
    take_response = steps.take_response

    def fail(session: Any, run: FlowRun, response: dict[str, Any]) -> None:
        if response == first:
            raise OSError("the database is unavailable")
        take_response(session, run, response)

    flow_parts.systems.responses = [first]
    monkeypatch.setattr(steps, "take_response", fail)


async def test_call_whose_result_was_not_stored_is_repeated(
    open_flows: OpenFlows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_calls, "CALL_RETRY_SECONDS", 0.0)
    flow_parts = await open_flows(flow(CALL, {"say": "好了"}))
    fail_to_store_the_first_response(flow_parts, monkeypatch)
    await flow_parts.say("开始")
    await called(flow_parts, 2)
    await flow_parts.settle()
    assert await flow_parts.texts() == ["好了"]
    assert len(set(flow_parts.systems.keys)) == 1


async def test_call_whose_result_was_not_stored_is_repeated_after_half_a_minute(
    open_flows: OpenFlows, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flow_parts = await open_flows(flow(CALL))
    fail_to_store_the_first_response(flow_parts, monkeypatch)
    await flow_parts.say("开始")
    assert "its call failed, again in 30 s" in caplog.text


async def test_call_that_was_resumed_is_not_repeated(open_flows: OpenFlows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_calls, "CALL_RETRY_SECONDS", 0.03)
    flow_parts = await open_flows(flow(CALL, {"say": "好了"}))
    fail_to_store_the_first_response(flow_parts, monkeypatch)
    await flow_parts.say("开始")
    hold(flow_parts)
    await flow_parts.container.flow_runs.load([ACCOUNT])
    await called(flow_parts, 2)
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.04, later.set)  # after the repetition
    await later.wait()
    await release(flow_parts)
    assert await flow_parts.texts() == ["好了"]
    assert len(flow_parts.systems.keys) == 2


# ---- start and stop ----


async def test_call_that_was_interrupted_is_repeated_with_its_key(open_flows: OpenFlows) -> None:
    flows = flow(CALL, {"say": "好了"}), flow(ASK, name="问", start=["问"])
    flow_parts = await open_flows(*flows)
    hold(flow_parts)
    await flow_parts.say("开始")
    await called(flow_parts)
    await flow_parts.say("问", ZHI)
    await flow_parts.container.flow_runs.stop(0)
    assert not flow_parts.calls._calls
    flow_parts.calls.begin(1)
    assert not flow_parts.calls._calls, "nothing begins after the stop"
    two = await open_flows(*flows)
    await two.settle()
    assert two.systems.keys == flow_parts.systems.keys
    assert await two.texts() == ["好了"]
    assert two.container.flow_runs.open_counts() == {"asking": 1, "calling": 0, "waiting": 0}


async def test_calls_may_finish_before_the_stop(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, {"say": "好了"}))
    gate = hold(flow_parts)
    await flow_parts.say("开始")
    await called(flow_parts)
    asyncio.get_running_loop().call_soon(gate.set)
    await flow_parts.container.flow_runs.stop(SECONDS)
    assert await flow_parts.texts() == ["好了"]


async def test_runs_of_an_account_are_left_to_another_process(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, {"say": "好了"}))
    hold(flow_parts)
    await flow_parts.say("开始")
    await called(flow_parts)
    await flow_parts.container.flow_runs.drop("weimi1002", 0)
    assert 1 in flow_parts.calls
    await flow_parts.container.flow_runs.drop(ACCOUNT, 0)
    assert 1 not in flow_parts.calls
    assert flow_parts.container.flow_runs.open_counts() == {"asking": 0, "calling": 0, "waiting": 0}
    await flow_parts.container.flow_runs.load(["weimi1002"])
    assert 1 not in flow_parts.calls
    await flow_parts.container.flow_runs.load([ACCOUNT])
    await flow_parts.container.flow_runs.load([ACCOUNT])
    await called(flow_parts, 2)
    await release(flow_parts)
    assert await flow_parts.texts() == ["好了"]
    assert len(flow_parts.systems.keys) == 2, "a running call is not begun again"


async def test_calls_of_an_account_may_finish_before_it_moves(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, {"say": "好了"}))
    gate = hold(flow_parts)
    await flow_parts.say("开始")
    await called(flow_parts)
    asyncio.get_running_loop().call_soon(gate.set)
    await flow_parts.container.flow_runs.drop(ACCOUNT, SECONDS)
    assert await flow_parts.texts() == ["好了"]


async def test_process_calls_only_for_its_accounts(open_flows: OpenFlows, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_parts = await open_flows(flow(CALL), start=False)
    monkeypatch.setattr(flow_parts.container.ownership, "holds", lambda _account: False)
    flow_parts.container.flow_runs.start_empty()
    await flow_parts.say("开始")
    assert (flow_parts.systems.keys, (await flow_parts.run()).state) == ([], "calling")


async def test_empty_start_knows_no_runs(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK))
    await flow_parts.say("开始")
    two = await open_flows(flow(ASK), start=False)
    two.container.flow_runs.start_empty()
    assert await two.say("一店") is None
    await two.container.flow_runs.load([ACCOUNT])
    await two.say("一店")
    assert (await two.run()).state == "finished"
