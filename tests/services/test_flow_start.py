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


@pytest.mark.parametrize("words", ["开始", " 开始。", "“开始”", "start", "ＳＴＡＲＴ"])
async def test_start_words_are_compared_as_spoken(open_flows: OpenFlows, words: str) -> None:
    one = await open_flows(flow(SAYS, start=["开始", "Start"]))
    assert await one.say(words) == ["好了"]


@pytest.mark.parametrize("words", ["开始吧", "", None, "取消", "重试", "确认"])
async def test_other_messages_concern_no_flow(open_flows: OpenFlows, words: str | None) -> None:
    one = await open_flows(flow(SAYS))
    assert await one.say(words) is None
    assert await one.runs() == []


async def test_flows_are_replaced_while_runs_keep_theirs(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(ASK, {"say": "{store}旧"}))
    await one.say("开始")
    one.container.flows.configure([FlowSettings.model_validate(flow({"say": "新"}, name="新", start=["新的"]))])
    assert await one.say("一店") == ["一店旧"]
    assert await one.say("开始") is None
    assert await one.say("新的") == ["新"]


@pytest.mark.parametrize(
    ("allow", "who"), [("everyone", {XUAN, SONG, STAFF, ZHI}), ("owners", {SONG, STAFF}), ("admins", {STAFF})]
)
async def test_permission_to_start(open_flows: OpenFlows, allow: str, who: set[str]) -> None:
    one = await open_flows(flow(SAYS, allow=allow), admins=[STAFF])
    qun = await one.parts.group()
    one.parts.members(qun).add(ZHI)
    for person in (XUAN, SONG, STAFF, ZHI):
        expected = "好了" if person in who else one.container.config.texts.not_allowed
        assert (await one.say("开始", person) or [])[-1:] == [expected], person


async def test_one_run_at_a_time(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(ASK, HAND_OUT, WAIT), flow(SAYS, name="二", start=["第二"]))
    one.systems.gate = asyncio.Event()
    await one.say("开始")
    told = "您的流程“试”还没有完成（{}）。回复“取消”可以结束它。"
    assert await one.say("第二") == [told.format("正在等您回答")]
    await one.say("一店")
    assert await one.say("第二") == [told.format("正在处理")]
    assert await one.say("一句话") is None
    one.systems.gate.set()
    one.systems.gate = None
    await one.settle()
    assert await one.say("开始") == [told.format("正在等待结果")]
    assert await one.say("一句话") is None
    assert await one.say("第二", ZHI) == ["好了"], "everybody has their own"
    assert len(await one.runs()) == 2


async def test_two_start_words_at_once_start_one_run(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(ASK))
    decisions = [await one.container.flows.handle(ACCOUNT, XUAN, "开始") for _ in range(2)]
    for decision in decisions:
        assert decision is not None and decision.write is not None
        await one.parts.write(decision.write)
    assert await one.texts() == ["哪家？"]


async def test_messages_that_are_no_answers(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(ASK))
    await one.say("开始")
    for words in (None, "", "  "):
        assert await one.say(words) == ["请用文字回答，或回复“取消”结束。"]
    assert await one.say("/帮助") is None
    assert await one.say("人工") is None
    assert (await one.run()).question == 0


async def test_question_that_was_answered_meanwhile_takes_no_second_answer(open_flows: OpenFlows) -> None:
    one = await open_flows(flow({"ask": {"a": "一？", "b": "二？"}}))
    await one.say("开始")
    decisions = [await one.container.flows.handle(ACCOUNT, XUAN, words) for words in ("甲", "乙")]
    for decision in decisions:
        assert decision is not None and decision.write is not None
        await one.parts.write(decision.write)
    assert (await one.run()).values == {"a": "甲"}


async def test_time_of_the_current_question(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(ASK, HAND_OUT, WAIT))
    flows = one.container.flows
    assert await flows.asked_at(ACCOUNT, XUAN) == 0.0
    await one.say("开始")
    assert await flows.asked_at(ACCOUNT, XUAN) == one.clock.now
    assert await flows.asked_at(ACCOUNT, ZHI) == 0.0
    await one.say("一店")
    assert await flows.asked_at(ACCOUNT, XUAN) == 0.0, "it waits for a result"


async def put_runs(one: FlowParts, count: int, person: str, started_at: float, account: str = ACCOUNT) -> None:
    """Store runs that have ended."""
    values: dict[str, Any] = {"flow": "试", "spec": "{}", "state": RunState.FINISHED, "started_at": started_at}
    await put(one.container.store, *(FlowRun(account=account, person=person, **values) for _ in range(count)))


async def test_starts_are_limited_per_person_and_hour(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(SAYS), admins=[STAFF])
    now, too_many = one.clock.now, ["您发起的流程太多了，请过一会儿再试。"]
    await put_runs(one, 29, XUAN, now)
    await put_runs(one, 30, XUAN, now - HOUR)
    await put_runs(one, 30, XUAN, now, "weimi1002")
    await put_runs(one, 30, STAFF, now)
    assert await one.say("开始") == ["好了"]
    assert await one.say("开始") == too_many
    assert await one.say("开始", ZHI) == ["好了"]
    assert await one.say("开始", STAFF) == ["好了"], "admins have no limit"
    one.clock.now += HOUR - 1
    assert await one.say("开始") == too_many
    one.clock.now += 1
    assert await one.say("开始") == ["好了"], "an hour after the others"


# ---- 重试 ----


async def test_retry_continues_with_the_answers(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(ASK, CALL, {"say": "{store}好了{order.n}"}))
    one.systems.responses = [CallFailed("坏了"), {"n": 5}]
    await one.say("开始")
    await one.say("一店")
    one.clock.now += HOUR
    assert await one.say("重试") == ["一店好了5"]
    failed, run = await one.runs()
    assert (run.flow, run.step, run.started_at, run.account, run.person) == ("试", 3, one.clock.now, ACCOUNT, XUAN)
    assert (failed.retry_until, failed.values, failed.call_key) == (None, {}, "")
    assert one.systems.keys == [f"{failed.key}-1"] * 2, "the first call may have been executed"
    assert await one.say("重试") is None


async def test_retry_of_a_refused_call_has_a_new_key(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(CALL, CALL))
    one.systems.responses = [CallFailed("不行", refused=True)]
    await one.say("开始")
    await one.say("重试")
    failed, run = await one.runs()
    assert one.systems.keys == [f"{failed.key}-0", f"{run.key}-0", f"{run.key}-1"]


async def test_kept_key_is_for_the_failed_call_only(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(CALL, CALL))
    one.systems.responses = [CallFailed("坏了")]
    await one.say("开始")
    await one.say("重试")
    failed, run = await one.runs()
    assert one.systems.keys == [f"{failed.key}-0", f"{failed.key}-0", f"{run.key}-1"]


async def test_retry_ends_after_a_day(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(CALL))
    one.systems.responses = [CallFailed("坏了"), CallFailed("坏了")]
    await one.say("开始")
    one.clock.now += 24 * HOUR - 1
    assert await one.say("重试", ZHI) is None, "it is another person's"
    assert await one.say("重试") is not None
    one.clock.now += 24 * HOUR
    assert await one.say("重试") is None
    assert (await one.run()).call_key
    await one.container.flow_expiry.expire()
    run = await one.run()
    assert (run.retry_until, run.call_key) == (None, ""), "its data is discarded"


async def test_only_the_newest_run_is_retried(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(ASK, CALL), flow(SAYS, name="二", start=["第二"]))
    one.systems.responses = [CallFailed("坏了")]
    await one.say("开始")
    await one.say("一店")
    await one.say("第二")
    assert await one.say("重试") is None
    run = await one.run(0)
    assert (run.retry_until, run.values, run.call_key) == (None, {}, "")


async def test_retry_requires_permission(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(CALL, allow="owners"))
    qun = await one.parts.group()
    one.systems.responses = [CallFailed("坏了")]
    await one.say("开始", SONG)
    one.parts.wechat.directory.rooms[one.parts.room_id(qun)].owner_id = ZHI
    assert await one.say("重试", SONG) == [one.container.config.texts.not_allowed]


async def test_retries_count_towards_the_limit(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(CALL))
    one.systems.responses = [CallFailed("坏了"), CallFailed("坏了")]
    await put_runs(one, 28, XUAN, one.clock.now)
    await one.say("开始")
    await one.say("重试")
    assert await one.say("重试") == ["您发起的流程太多了，请过一会儿再试。"]
    assert len(one.systems.keys) == 2


async def test_failed_wait_is_retried_from_the_call_that_sent_its_address(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(HAND_OUT, ASK, WAIT, {"say": "好了"}))
    await one.say("开始")
    await one.say("一店")
    await one.receive({"status": "failed"})
    first = one.systems.values[-1]["callback_url"]
    assert await one.say("重试") == ["哪家？"]
    failed, run = await one.runs()
    assert (run.step, run.question) == (1, 0)
    assert one.systems.values[-1]["callback_url"] != first
    assert one.systems.keys == [f"{failed.key}-0", f"{run.key}-0"]
    await one.say("二店")
    assert await one.receive({"status": "success"}) == ["好了"]


async def test_addresses_that_were_sent_are_kept(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(HAND_OUT, CALL, WAIT, {"say": "好了"}))
    one.systems.responses = [{}, CallFailed("不行", refused=True)]
    await one.say("开始")
    (callback,) = await one.callbacks()
    await one.say("重试")
    (moved,) = await one.callbacks()
    assert (moved.secret, moved.run_id, moved.step) == (callback.secret, 2, 2)
    assert await one.receive({"status": "success"}) == ["好了"]


@pytest.mark.parametrize("refused", [True, False])
async def test_address_of_a_failed_call_is_kept_if_it_may_have_been_executed(
    open_flows: OpenFlows, refused: bool
) -> None:
    one = await open_flows(flow(HAND_OUT, WAIT, HAND_OUT, WAIT))
    one.systems.responses = [CallFailed("坏了", refused=refused)]
    await one.say("开始")
    before = [callback.secret for callback in await one.callbacks()]
    await one.say("重试")
    after = {callback.step: callback.secret for callback in await one.callbacks() if callback.run_id == 2}
    assert sorted(after) == [1, 3]
    assert (after[1] == before[0]) is not refused
    assert after[3] not in before


# ---- the open runs in memory ----


async def test_known_open_runs(open_flows: OpenFlows) -> None:
    one = await open_flows(flow(ASK))
    await one.say("开始")
    run, runs = await one.run(), OpenRuns()
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
    one = await open_flows(flow(ASK))
    await one.say("开始")
    await one.say("开始", ZHI)
    read = await one.runs()
    ended, waiting = await one.runs()
    runs = OpenRuns()
    ended.state, waiting.state = RunState.CANCELLED, RunState.WAITING
    runs.changed(ended)
    runs.changed(waiting)
    runs.load(read)
    assert not runs.may_have(ACCOUNT, XUAN)
    assert runs.counts() == {"asking": 0, "calling": 0, "waiting": 1}
