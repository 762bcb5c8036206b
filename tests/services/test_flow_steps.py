"""The steps of flows: questions, confirmations, texts and waits, and how runs end."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from models.flows import FlowRun
from services.flows.calls import CallFailed
from services.flows.steps import write_if_open
from tests.services.flow_parts import ASK, CALL, HAND_OUT, WAIT, OpenFlows, flow, open_flows
from tests.services.parts import ACCOUNT, XUAN

__all__ = ["open_flows"]
HOUR = 3600.0
COUNT = {"question": "{store}几台？", "check": {"min": 1, "words": "至少一台。"}}


async def test_questions_are_asked_one_by_one(open_flows: OpenFlows) -> None:
    ask = {
        "ask": {
            "store": "{assistant}：哪家？",
            "count": {"question": "{store}几台？", "check": {"min": 1, "words": "数"}},
        }
    }
    flow_parts = await open_flows(flow(ask, {"say": "{store}，{count}台，{flow}"}))
    assert await flow_parts.say("开始") == ["weimi1001：哪家？"]
    run = await flow_parts.run()
    assert (run.account, run.person, run.flow, run.state, run.question) == (ACCOUNT, XUAN, "试", "asking", 0)
    assert (run.started_at, run.changed_at, run.deadline) == (
        flow_parts.clock.now,
        flow_parts.clock.now,
        flow_parts.clock.now + 24 * HOUR,
    )
    flow_parts.clock.now += 60
    assert await flow_parts.say(" 一店 ") == ["一店几台？"]
    run = await flow_parts.run()
    assert (run.values, run.question) == ({"store": "一店"}, 1)
    assert (run.changed_at, run.deadline) == (flow_parts.clock.now, flow_parts.clock.now + 24 * HOUR)
    flow_parts.clock.now += 60
    assert await flow_parts.say("3") == ["一店，3台，试"]
    run = await flow_parts.run()
    assert (run.state, run.open_key, run.deadline, run.changed_at) == ("finished", None, None, flow_parts.clock.now)
    assert run.values == {}, "answers may be personal"


async def test_invalid_answer_is_explained_and_the_question_stays_open(open_flows: OpenFlows) -> None:
    count = {"question": "几台？", "check": {"min": 1, "words": "{store}：至少一台。"}}
    flow_parts = await open_flows(flow({"ask": {"store": "哪家？", "count": count}}))
    await flow_parts.say("开始")
    await flow_parts.say("一店")
    flow_parts.clock.now += 60
    assert await flow_parts.say("0") == ["一店：至少一台。"]
    run = await flow_parts.run()
    assert (run.state, run.question, run.changed_at, run.values) == (
        "asking",
        1,
        flow_parts.clock.now,
        {"store": "一店"},
    )
    assert await flow_parts.say("1") == []
    assert (await flow_parts.run()).state == "finished"


async def test_step_is_executed_only_after_the_confirmation(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK, {"confirm": "开{store}？"}, CALL, {"say": "好了"}))
    await flow_parts.say("开始")
    asked = "开一店？\n回复“确认”继续，回复“取消”结束。"
    assert await flow_parts.say("一店") == [asked]
    assert (await flow_parts.run()).deadline == flow_parts.clock.now + 24 * HOUR
    for text in ("好的", "确认吗", "1"):
        assert await flow_parts.say(text) == ["请回复“确认”继续，或回复“取消”结束。"]
    assert not flow_parts.systems.keys
    assert await flow_parts.say("“确认”。") == ["好了"]
    assert len(flow_parts.systems.keys) == 1


async def test_blank_texts_are_not_sent(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, {"say": "{order.text}"}, {"say": "好了"}))
    flow_parts.systems.responses = [{"text": " \n"}]
    assert await flow_parts.say("开始") == ["好了"]


async def test_missing_value_ends_the_run_for_good(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, {"say": "{order.n}"}))
    assert await flow_parts.say("开始") == ["试失败：缺少order.n"]
    run = await flow_parts.run()
    assert (run.state, run.error, run.retry_until, run.values) == ("failed", "缺少order.n", None, {})
    assert await flow_parts.say("重试") is None


async def test_end_is_published(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow({"say": "好"}), flow(ASK, name="问", start=["问"]))
    await flow_parts.say("开始")
    await flow_parts.say("问")
    await flow_parts.say("取消")
    first, second = await flow_parts.events("flow.finished")
    assert first == {
        "run": 1, "flow": "试", "assistant": ACCOUNT, "contact_id": XUAN, "state": "finished", "error": ""
    }  # fmt: skip
    assert (second["run"], second["flow"], second["state"]) == (2, "问", "cancelled")


# ---- waits ----


async def test_run_waits_for_its_callback(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT, {"say": "好了{result.n}"}))
    assert await flow_parts.say("开始") == []
    run = await flow_parts.run()
    assert (run.state, run.step, run.deadline) == ("waiting", 1, flow_parts.clock.now + 2 * HOUR)
    assert flow_parts.container.flow_runs.open_counts() == {"asking": 0, "calling": 0, "waiting": 1}
    (callback,) = await flow_parts.callbacks()
    assert flow_parts.systems.values[0]["callback_url"] == f"https://bot.example/wxbot/callback/{callback.secret}"
    flow_parts.clock.now += 5
    assert await flow_parts.receive({"status": "success", "n": 7}) == ["好了7"]
    (callback,) = await flow_parts.callbacks()
    assert (callback.received_at, callback.body) == (flow_parts.clock.now, "{}")
    assert await flow_parts.receive({"status": "success", "n": 8}) == [], "the first one counts"


async def test_unexpected_result_fails_the_run(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT))
    await flow_parts.say("开始")
    assert await flow_parts.receive({"status": "failed", "message": "没有库存"}) == ["试失败：没有库存"]
    run = await flow_parts.run()
    assert (run.state, run.error, run.retry_until) == ("failed", "没有库存", flow_parts.clock.now + 24 * HOUR)
    await flow_parts.say("开始")
    assert await flow_parts.receive({"status": "failed"}) == ["试失败：对方没有说明原因"]
    assert await flow_parts.events("flow.late") == [], "the result was used"


async def test_expected_values_are_filled_in(open_flows: OpenFlows) -> None:
    wait = {"wait": {"callback": "result", "hours": 1, "expect": {"id": "{order.id}"}}}
    flow_parts = await open_flows(flow(HAND_OUT, wait, {"say": "好了"}))
    flow_parts.systems.responses = [{"id": 5}]
    await flow_parts.say("开始")
    assert await flow_parts.receive({"id": 5}) == ["好了"]


async def test_early_result_is_kept_until_its_step(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, ASK, WAIT, {"say": "{store}好了{result.n}"}))
    await flow_parts.say("开始")
    assert await flow_parts.receive({"status": "success", "n": 1}) == []
    assert await flow_parts.receive({"status": "success", "n": 2}) == []
    assert await flow_parts.say("一店") == ["一店好了1"]


async def test_each_wait_has_its_own_callback(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT, HAND_OUT, WAIT, {"say": "好了"}))
    await flow_parts.say("开始")
    first, second = await flow_parts.callbacks()
    assert (first.step, second.step) == (1, 3)
    assert await flow_parts.receive({"status": "success"}, 0) == []
    used = [values["callback_url"].rpartition("/")[2] for values in flow_parts.systems.values]
    assert used == [first.secret, second.secret]
    assert await flow_parts.receive({"status": "success"}, 1) == ["好了"]


async def test_late_result_is_reported(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT))
    since = datetime.fromtimestamp(flow_parts.clock.now, ZoneInfo("Asia/Shanghai")).strftime("%m-%d %H:%M")
    await flow_parts.say("开始")
    flow_parts.clock.now += 2 * HOUR
    assert await flow_parts.container.flow_expiry.expire() == 1
    assert await flow_parts.texts() == ["试失败：等待结果超时"]
    assert await flow_parts.receive({"message": "好了"}) == [f"您{since}发起的流程“试”已经结束，但收到了结果：好了"]
    assert await flow_parts.receive({"message": "好了"}) == [], "once"
    assert await flow_parts.events("flow.late") == [
        {"run": 1, "flow": "试", "assistant": ACCOUNT, "contact_id": XUAN, "state": "failed", "result": "好了"}
    ]


async def test_late_result_of_a_cancelled_run_is_only_published(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT))
    await flow_parts.say("开始")
    assert await flow_parts.say("取消") == ["已取消流程“试”。"]
    assert await flow_parts.receive({"n": 1}) == []
    assert [event["result"] for event in await flow_parts.events("flow.late")] == ['{"n": 1}']
    (callback,) = await flow_parts.callbacks()
    assert callback.body == "{}", "it may be personal and cannot be used any more"


async def test_unused_early_result_is_reported_when_the_run_fails(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(HAND_OUT, WAIT, HAND_OUT, WAIT))
    flow_parts.systems.responses = [{}, CallFailed("坏了")]
    await flow_parts.say("开始")
    await flow_parts.receive({"status": "success", "message": "二"}, 1)
    failed, late = await flow_parts.receive({"status": "success", "message": "一"}, 0)
    assert failed.startswith("试失败：坏了")
    assert late.endswith("二")
    assert [event["result"] for event in await flow_parts.events("flow.late")] == ["二"]


# ---- ends ----


async def test_failed_call_can_be_retried(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK, CALL, failed="{flow}：{store}{error}，{order.n}"))
    flow_parts.systems.responses = [CallFailed("坏了")]
    await flow_parts.say("开始")
    assert await flow_parts.say("一店") == ["试：一店坏了，\n回复“重试”从出错的这一步继续。"]
    run = await flow_parts.run()
    assert (run.state, run.error, run.values) == ("failed", "坏了", {"store": "一店"})
    assert (run.retry_until, run.call_key) == (flow_parts.clock.now + 24 * HOUR, f"{run.key}-1")
    assert [event["error"] for event in await flow_parts.events("flow.finished")] == ["坏了"]


async def test_empty_failure_text_is_not_sent(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(CALL, {"say": "{order.n}"}, failed=""))
    assert await flow_parts.say("开始") == []
    assert (await flow_parts.run()).state == "failed"


async def test_slow_call_is_reported_once(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow(ASK))
    await flow_parts.say("开始")
    run, steps = await flow_parts.run(), flow_parts.container.flows._steps
    for _ in range(2):
        await flow_parts.parts.write(lambda s: steps.report_slow_call(s, run))
    assert await flow_parts.texts() == ["还在处理，请稍候……"]
    run.step = 1
    await flow_parts.parts.write(lambda s: steps.report_slow_call(s, run))
    assert await flow_parts.texts() == ["还在处理，请稍候……"], "once for each step"


async def test_write_is_skipped_when_the_run_has_changed(open_flows: OpenFlows) -> None:
    flow_parts = await open_flows(flow({"ask": {"a": "一？", "b": "二？"}}, ASK))
    await flow_parts.say("开始")
    seen = await flow_parts.run()
    acted: list[int | None] = []

    async def acts(run: FlowRun, *, same_step: bool) -> bool:
        acted.clear()
        await flow_parts.parts.write(
            write_if_open(run, lambda _session, run: acted.append(run.id), same_step=same_step)
        )
        return bool(acted)

    assert await acts(seen, same_step=True)
    await flow_parts.say("答")
    assert not await acts(seen, same_step=True), "another question is open"
    assert await acts(seen, same_step=False)
    assert await acts(await flow_parts.run(), same_step=True)
    await flow_parts.say("取消")
    assert not await acts(seen, same_step=False), "it has ended"
    assert not await acts(FlowRun(id=99, account="", person="", flow="", spec=""), same_step=False)
