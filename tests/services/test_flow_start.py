"""Which messages start, answer, cancel and retry flows, and who may start them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from config.flow_settings import FlowSettings
from models.flows import FlowRun, RunState
from services.flows.calls import CallFailed
from services.flows.open_runs import OpenRuns
from tests.services.flow_parts import ASK, CALL, HAND_OUT, WAIT, FlowParts, OpenFlows, flow, open_flows
from tests.services.parts import ACCOUNT, SONG, STAFF, XUAN, ZHI
from tests.services.test_lists import put

__all__ = ["open_flows"]
HOUR = 3600.0
SAYS = {"say": "好了"}


@pytest.mark.parametrize("text", ["开始", " 开始。", "“开始”", "start", "ＳＴＡＲＴ"])
async def test_start_words_are_compared_as_spoken(open_flows: OpenFlows, text: str) -> None:
    flow_parts = await open_flows(flow(SAYS, start=["开始", "Start"]))
    assert await flow_parts.say(text) == ["好了"]


@pytest.mark.parametrize("text", ["开始吧", "", None, "取消", "重试", "确认"])
async def test_other_messages_concern_no_flow(open_flows: OpenFlows, text: str | None) -> None:
    flow_parts = await open_flows(flow(SAYS))
    assert await flow_parts.say(text) is None
    assert await flow_parts.runs() == []


async def test_flows_are_replaced_while_runs_keep_theirs(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK, {"say": "{store}旧"}))
    await flow_parts.say("开始")
    flow_parts.container.flows.configure([FlowSettings.model_validate(flow({"say": "新"}, name="新", start=["新的"]))])
    assert await flow_parts.say("一店") == ["一店旧"]
    assert await flow_parts.say("开始") is None
    assert await flow_parts.say("新的") == ["新"]


@pytest.mark.parametrize(
    ("allow", "who"), [("everyone", {XUAN, SONG, STAFF, ZHI}), ("owners", {SONG, STAFF}), ("admins", {STAFF})]
)
async def test_permission_to_start(open_flows: OpenFlows, allow: str, who: set[str]) -> None:
    flow_parts = await open_flows(flow(SAYS, allow=allow), admins=[STAFF])
    qun = await flow_parts.parts.group()
    flow_parts.parts.members(qun).add(ZHI)
    for person in (XUAN, SONG, STAFF, ZHI):
        expected = "好了" if person in who else flow_parts.container.config.texts.not_allowed
        assert (await flow_parts.say("开始", person) or [])[-1:] == [expected], person


async def test_one_run_at_a_time(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK, HAND_OUT, WAIT), flow(SAYS, name="二", start=["第二"]))
    flow_parts.systems.gate = asyncio.Event()
    await flow_parts.say("开始")
    told = "您的流程“试”还没有完成（{}）。回复“取消”可以结束它。"
    assert await flow_parts.say("第二") == [told.format("正在等您回答")]
    await flow_parts.say("一店")
    assert await flow_parts.say("第二") == [told.format("正在处理")]
    assert await flow_parts.say("一句话") is None
    flow_parts.systems.gate.set()
    flow_parts.systems.gate = None
    await flow_parts.settle()
    assert await flow_parts.say("开始") == [told.format("正在等待结果")]
    assert await flow_parts.say("一句话") is None
    assert await flow_parts.say("第二", ZHI) == ["好了"], "everybody has their own"
    assert len(await flow_parts.runs()) == 2


async def test_two_start_words_at_once_start_one_run(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK))
    decisions = [await flow_parts.container.flows.handle(ACCOUNT, XUAN, "开始") for _ in range(2)]
    for decision in decisions:
        assert decision is not None and decision.write is not None
        await flow_parts.parts.write(decision.write)
    assert await flow_parts.texts() == ["哪家？"]


async def test_messages_that_are_no_answers(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK))
    await flow_parts.say("开始")
    for text in (None, "", "  "):
        assert await flow_parts.say(text) == ["请用文字回答，或回复“取消”结束。"]
    assert await flow_parts.say("/帮助") is None
    assert await flow_parts.say("人工") is None
    assert (await flow_parts.run()).question == 0


async def test_question_that_was_answered_meanwhile_takes_no_second_answer(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow({"ask": {"a": "一？", "b": "二？"}}))
    await flow_parts.say("开始")
    decisions = [await flow_parts.container.flows.handle(ACCOUNT, XUAN, text) for text in ("甲", "乙")]
    for decision in decisions:
        assert decision is not None and decision.write is not None
        await flow_parts.parts.write(decision.write)
    assert (await flow_parts.run()).values == {"a": "甲"}


async def test_time_of_the_current_question(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK, HAND_OUT, WAIT))
    flows = flow_parts.container.flows
    assert await flows.asked_at(ACCOUNT, XUAN) == 0.0
    await flow_parts.say("开始")
    assert await flows.asked_at(ACCOUNT, XUAN) == flow_parts.clock.now
    assert await flows.asked_at(ACCOUNT, ZHI) == 0.0
    await flow_parts.say("一店")
    assert await flows.asked_at(ACCOUNT, XUAN) == 0.0, "it waits for a result"


async def put_runs(flow_parts: FlowParts, count: int, person: str, started_at: float, account: str = ACCOUNT) -> None:
    """Store runs that have ended."""
    values: dict[str, Any] = {"flow": "试", "spec": "{}", "state": RunState.FINISHED, "started_at": started_at}
    await put(flow_parts.container.store, *(FlowRun(account=account, person=person, **values) for _ in range(count)))


async def test_starts_are_limited_per_person_and_hour(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(SAYS), admins=[STAFF])
    now, too_many = flow_parts.clock.now, ["您发起的流程太多了，请过一会儿再试。"]
    await put_runs(flow_parts, 29, XUAN, now)
    await put_runs(flow_parts, 30, XUAN, now - HOUR)
    await put_runs(flow_parts, 30, XUAN, now, "weimi1002")
    await put_runs(flow_parts, 30, STAFF, now)
    assert await flow_parts.say("开始") == ["好了"]
    assert await flow_parts.say("开始") == too_many
    assert await flow_parts.say("开始", ZHI) == ["好了"]
    assert await flow_parts.say("开始", STAFF) == ["好了"], "admins have no limit"
    flow_parts.clock.now += HOUR - 1
    assert await flow_parts.say("开始") == too_many
    flow_parts.clock.now += 1
    assert await flow_parts.say("开始") == ["好了"], "an hour after the others"


# ---- 重试 ----


async def test_retry_continues_with_the_answers(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK, CALL, {"say": "{store}好了{order.n}"}))
    flow_parts.systems.responses = [CallFailed("坏了"), {"n": 5}]
    await flow_parts.say("开始")
    await flow_parts.say("一店")
    flow_parts.clock.now += HOUR
    assert await flow_parts.say("重试") == ["一店好了5"]
    failed, run = await flow_parts.runs()
    assert (run.flow, run.step, run.started_at, run.account, run.person) == (
        "试",
        3,
        flow_parts.clock.now,
        ACCOUNT,
        XUAN,
    )
    assert (failed.retry_until, failed.values, failed.call_key) == (None, {}, "")
    assert flow_parts.systems.keys == [f"{failed.key}-1"] * 2, "the first call may have been executed"
    assert await flow_parts.say("重试") is None


async def test_retry_of_a_refused_call_has_a_new_key(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, CALL))
    flow_parts.systems.responses = [CallFailed("不行", refused=True)]
    await flow_parts.say("开始")
    await flow_parts.say("重试")
    failed, run = await flow_parts.runs()
    assert flow_parts.systems.keys == [f"{failed.key}-0", f"{run.key}-0", f"{run.key}-1"]


async def test_kept_key_is_for_the_failed_call_only(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, CALL))
    flow_parts.systems.responses = [CallFailed("坏了")]
    await flow_parts.say("开始")
    await flow_parts.say("重试")
    failed, run = await flow_parts.runs()
    assert flow_parts.systems.keys == [f"{failed.key}-0", f"{failed.key}-0", f"{run.key}-1"]


async def test_retry_ends_after_a_day(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL))
    flow_parts.systems.responses = [CallFailed("坏了"), CallFailed("坏了")]
    await flow_parts.say("开始")
    flow_parts.clock.now += 24 * HOUR - 1
    assert await flow_parts.say("重试", ZHI) is None, "it is another person's"
    assert await flow_parts.say("重试") is not None
    flow_parts.clock.now += 24 * HOUR
    assert await flow_parts.say("重试") is None
    assert (await flow_parts.run()).call_key
    await flow_parts.container.flow_expiry.expire()
    run = await flow_parts.run()
    assert (run.retry_until, run.call_key) == (None, ""), "its data is discarded"


async def test_only_the_newest_run_is_retried(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK, CALL), flow(SAYS, name="二", start=["第二"]))
    flow_parts.systems.responses = [CallFailed("坏了")]
    await flow_parts.say("开始")
    await flow_parts.say("一店")
    await flow_parts.say("第二")
    assert await flow_parts.say("重试") is None
    run = await flow_parts.run(0)
    assert (run.retry_until, run.values, run.call_key) == (None, {}, "")


async def test_retry_requires_permission(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, allow="owners"))
    qun = await flow_parts.parts.group()
    flow_parts.systems.responses = [CallFailed("坏了")]
    await flow_parts.say("开始", SONG)
    flow_parts.parts.wechat.directory.rooms[flow_parts.parts.room_id(qun)].owner_id = ZHI
    assert await flow_parts.say("重试", SONG) == [flow_parts.container.config.texts.not_allowed]


async def test_retries_count_towards_the_limit(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL))
    flow_parts.systems.responses = [CallFailed("坏了"), CallFailed("坏了")]
    await put_runs(flow_parts, 28, XUAN, flow_parts.clock.now)
    await flow_parts.say("开始")
    await flow_parts.say("重试")
    assert await flow_parts.say("重试") == ["您发起的流程太多了，请过一会儿再试。"]
    assert len(flow_parts.systems.keys) == 2


async def test_failed_wait_is_retried_from_the_call_that_sent_its_address(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, ASK, WAIT, {"say": "好了"}))
    await flow_parts.say("开始")
    await flow_parts.say("一店")
    await flow_parts.receive({"status": "failed"})
    first = flow_parts.systems.values[-1]["callback_url"]
    assert await flow_parts.say("重试") == ["哪家？"]
    failed, run = await flow_parts.runs()
    assert (run.step, run.question) == (1, 0)
    assert flow_parts.systems.values[-1]["callback_url"] != first
    assert flow_parts.systems.keys == [f"{failed.key}-0", f"{run.key}-0"]
    await flow_parts.say("二店")
    assert await flow_parts.receive({"status": "success"}) == ["好了"]


async def test_addresses_that_were_sent_are_kept(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, CALL, WAIT, {"say": "好了"}))
    flow_parts.systems.responses = [{}, CallFailed("不行", refused=True)]
    await flow_parts.say("开始")
    (callback,) = await flow_parts.callbacks()
    await flow_parts.say("重试")
    (moved,) = await flow_parts.callbacks()
    assert (moved.secret, moved.run_id, moved.step) == (callback.secret, 2, 2)
    assert await flow_parts.receive({"status": "success"}) == ["好了"]


@pytest.mark.parametrize("refused", [True, False])
async def test_address_of_a_failed_call_is_kept_if_it_may_have_been_executed(
    open_flows: OpenFlows, refused: bool
) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT, HAND_OUT, WAIT))
    flow_parts.systems.responses = [CallFailed("坏了", refused=refused)]
    await flow_parts.say("开始")
    before = [callback.secret for callback in await flow_parts.callbacks()]
    await flow_parts.say("重试")
    after = {callback.step: callback.secret for callback in await flow_parts.callbacks() if callback.run_id == 2}
    assert sorted(after) == [1, 3]
    assert (after[1] == before[0]) is not refused
    assert after[3] not in before


# ---- the open runs in memory ----


async def test_known_open_runs(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK))
    await flow_parts.say("开始")
    run, runs = await flow_parts.run(), OpenRuns()
    assert runs.may_have(ACCOUNT, ZHI), "until they are loaded"
    runs.load([run])
    assert runs.may_have(ACCOUNT, XUAN) and not runs.may_have(ACCOUNT, ZHI)
    assert runs.counts() == {"asking": 1, "calling": 0, "waiting": 0}
    told: list[str] = []
    runs.subscribe(lambda changed: told.append(changed.state))
    run.state = RunState.WAITING
    runs.changed(run)
    assert runs.counts() == {"asking": 0, "calling": 0, "waiting": 1}
    runs.drop("weimi1002")
    assert runs.may_have(ACCOUNT, XUAN)
    runs.drop(ACCOUNT)
    assert not runs.may_have(ACCOUNT, XUAN)
    runs.load([run])
    run.state = RunState.FINISHED
    for _ in range(2):
        runs.changed(run)
    assert not runs.may_have(ACCOUNT, XUAN)
    assert told == ["waiting", "finished", "finished"]


async def test_changes_during_the_load_count(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK))
    await flow_parts.say("开始")
    await flow_parts.say("开始", ZHI)
    read = await flow_parts.runs()
    ended, waiting = await flow_parts.runs()
    runs = OpenRuns()
    ended.state, waiting.state = RunState.CANCELLED, RunState.WAITING
    runs.changed(ended)
    runs.changed(waiting)
    runs.load(read)
    assert not runs.may_have(ACCOUNT, XUAN)
    assert runs.counts() == {"asking": 0, "calling": 0, "waiting": 1}
