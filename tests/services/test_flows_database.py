"""Flows on both databases: concurrent events, and recovery after a crash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from sqlmodel import select

from app.container import Container
from config import Config
from errors import NotFound
from models.durable import OutboxItem
from models.flows import FlowCallback, FlowRun
from tests.stories.business import never_respond, runs
from tests.waiting import SECONDS, until
from tests.web_server import serving

ACCOUNT, PERSON, ADMIN = "weimi1001", "wxid_heixuanfeng", "wxid_admin"
STEPS = [
    {"ask": {"store": "哪家？"}},
    {"call": {"system": "shop", "path": "/x", "body": {"callback": "{callback_url}"}, "into": "order"}},
    {"wait": {"callback": "result", "hours": 1, "expect": {"status": "success"}}},
    {"say": "好了{result.n}"},
]
MakeContainer = Callable[[], Awaitable[Container]]


@pytest.fixture
async def asked() -> list[dict[str, Any]]:
    return []


@pytest.fixture
async def make_container(database: str, asked: list[dict[str, Any]]) -> AsyncIterator[MakeContainer]:
    """The container on the database, as in a process; nothing is sent, because no account is online."""
    houses: list[Container] = []

    async def shop(request: web.Request) -> web.StreamResponse:
        asked.append({**(await request.json()), "key": request.headers["Idempotency-Key"]})
        return web.json_response({})

    async with serving(shop) as url:
        flow = {"name": "试", "start": ["开始"], "allow": "everyone", "steps": STEPS}

        async def make() -> Container:
            config = Config(database=database, admins=[ADMIN], systems={"shop": {"base_url": url}}, flows=[flow])
            container = Container(config)
            await container.store.open()
            houses.append(container)
            return container

        yield make
        for container in houses:
            await container.flow_runs.stop(5)
            await container.http_client.close()
            await container.store.close()


async def handle_message(container: Container, text: str, person: str = PERSON) -> None:
    """Process a message of a person."""
    decision = await container.flows.handle(ACCOUNT, person, text)
    if decision is not None and decision.write is not None:
        await container.store.write(decision.write)


async def receive_callback(container: Container, secret: str, result: dict[str, Any]) -> None:
    """Process a callback of a system."""
    await container.flow_runs.receive_callback(await container.flow_runs.callback(secret), result)


async def said(container: Container) -> list[str]:
    """Return all queued messages."""
    items = await container.store.read(lambda s: s.exec(select(OutboxItem).order_by(OutboxItem.id)).all())  # type: ignore[arg-type]
    return [json.loads(item.body)["text"] for item in items]


async def run_to_waiting_step(container: Container, asked: list[dict[str, Any]]) -> str:
    """Run a flow up to its waiting step; return the secret of its callback."""
    await handle_message(container, "开始")
    await handle_message(container, "一店")
    await until(lambda: container.flow_runs.open_counts()["waiting"] == 1, "it waits")
    return str(asked[0]["callback"]).rpartition("/")[2]


async def test_concurrent_callbacks_count_once(make_container: MakeContainer, asked: list[dict[str, Any]]) -> None:
    container = await make_container()
    await container.flow_runs.start()
    secret = await run_to_waiting_step(container, asked)
    results = [{"status": "success", "n": n} for n in range(20)]
    await asyncio.gather(*(receive_callback(container, secret, result) for result in results))
    assert len([line for line in await said(container) if line.startswith("好了")]) == 1
    assert await runs(container) == ["finished"]
    assert container.flow_runs.open_counts() == {"asking": 0, "calling": 0, "waiting": 0}
    with pytest.raises(NotFound):
        await container.flow_runs.callback("x" * 32)


async def test_callback_data_is_deleted_after_the_run(
    make_container: MakeContainer, asked: list[dict[str, Any]]
) -> None:
    container = await make_container()
    await container.flow_runs.start()
    secret = await run_to_waiting_step(container, asked)
    run = (await container.flow_runs.open())[0]
    assert run.values["store"] == "一店"
    await receive_callback(container, secret, {"status": "success", "n": 1})
    over = await container.store.read(lambda s: s.get_one(FlowRun, run.id))
    kept = await container.store.read(lambda s: s.exec(select(FlowCallback)).one())
    assert (over.state, over.values, kept.body) == ("finished", {}, "{}")
    await receive_callback(container, secret, {"status": "success", "n": 2})
    assert [line for line in await said(container) if line.startswith("好了")] == ["好了1"]


async def test_concurrent_callback_and_timeout_have_one_outcome(
    make_container: MakeContainer, asked: list[dict[str, Any]]
) -> None:
    container = await make_container()
    await container.flow_runs.start()
    secret = await run_to_waiting_step(container, asked)
    run = (await container.flow_runs.open())[0]
    await asyncio.gather(
        receive_callback(container, secret, {"status": "success", "n": 1}),
        container.store.write(lambda s: container.flow_runs.cancel(s, run.id or 0, "test")),
        handle_message(container, "取消"),
    )
    ends = [line for line in await said(container) if line != "哪家？"]
    assert len(ends) == 1
    assert len(await runs(container)) == 1


async def test_one_person_has_one_open_run(make_container: MakeContainer) -> None:
    """People may not start flows without limit; admins may."""
    container = await make_container()
    await container.flow_runs.start()
    await asyncio.gather(*(handle_message(container, "开始", f"wxid_{n}") for n in range(5)))
    for n in range(5):
        await handle_message(container, "开始", f"wxid_{n}")
    assert len(await container.flow_runs.open()) == 5
    for _ in range(40):
        await handle_message(container, "取消", "wxid_0")
        await handle_message(container, "开始", "wxid_0")
    assert (await said(container))[-1] == "您发起的流程太多了，请过一会儿再试。"
    started = await container.store.read(lambda s: s.exec(select(FlowRun).where(FlowRun.person == "wxid_0")).all())
    assert len(started) == 30
    for _ in range(31):
        await handle_message(container, "取消", ADMIN)
        await handle_message(container, "开始", ADMIN)
    assert (await said(container))[-1] == "哪家？"


async def test_interrupted_call_is_repeated_with_its_key(
    make_container: MakeContainer, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await make_container()
    monkeypatch.setattr(first.flow_runs._calls, "begin", lambda _run_id: None)  # as in a crash right after the commit
    await handle_message(first, "开始")
    await handle_message(first, "一店")
    run = (await first.flow_runs.open())[0]
    assert (run.state, asked) == ("calling", [])
    second = await make_container()
    await second.flow_runs.start()
    await until(lambda: second.flow_runs.open_counts()["waiting"] == 1, "it waits")
    assert [request["key"] for request in asked] == [f"{run.key}-1"]


async def test_slow_call_at_stop_is_resumed_at_next_start(
    make_container: MakeContainer, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await make_container()
    monkeypatch.setattr(first.system_caller, "call", never_respond)
    await first.flow_runs.start()
    await handle_message(first, "开始")
    await handle_message(first, "一店")
    async with asyncio.timeout(SECONDS):
        await first.flow_runs.stop(0.05)
    second = await make_container()
    assert [run.state for run in await second.flow_runs.open()] == ["calling"]
    await second.flow_runs.start()
    await until(lambda: second.flow_runs.open_counts()["waiting"] == 1, "it waits")


async def test_call_with_unstored_result_is_repeated_with_its_key(
    make_container: MakeContainer, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    container = await make_container()
    monkeypatch.setattr("services.flows.running_calls.CALL_RETRY_SECONDS", 0.05)
    take_response = container.flows._steps.take_response

    def away_once(*arguments: Any) -> None:
        if len(asked) == 1:
            raise OSError("the database is unavailable")
        take_response(*arguments)

    monkeypatch.setattr(container.flows._steps, "take_response", away_once)
    await container.flow_runs.start()
    await run_to_waiting_step(container, asked)
    assert len(asked) == 2
    assert asked[0]["key"] == asked[1]["key"]
