"""Accounts moving between processes: fair shares, orderly handover, one holder at a time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from app.account_parts import load_accounts, stop_account
from models.cluster import AccountLease
from tests.cluster.conftest import MakeCluster
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
KEYWORDS = {"keywords": [{"regex": r"^问(.*)$", "reply": "答{1}"}], "faq": "", "fallback": ""}


async def test_second_process_takes_its_share(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=4, bots=1, customer_service=KEYWORDS)
    assert set(env.bots[0].accounts.accounts) == set(env.accounts)
    await env.start_bot()
    await env.served()
    assert [len(bot.accounts.accounts) for bot in env.bots] == [2, 2]
    for account in env.accounts:
        env.say("黑旋风", "问1", account)
    for account in env.accounts:
        await env.receives("黑旋风", "答1", account)
        assert env.seen("黑旋风", account).count("答1") == 1


async def test_stopping_process_hands_over_queued_jobs(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=4, bots=2, customer_service=KEYWORDS)
    first = env.bots[0]
    moved = list(first.accounts.accounts)
    for number in range(5):
        for account in moved:
            env.say("黑旋风", f"问{number}", account)
    await env.stop_bot(first)
    await env.served()
    for account in moved:
        await env.receives("黑旋风", "答4", account)
        assert [message for message in env.seen("黑旋风", account) if message.startswith("答")] == [
            f"答{n}" for n in range(5)
        ]


async def test_account_that_stops_slowly_does_not_delay_others(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, stop = asyncio.Event(), stop_account
    env = await make_cluster(accounts=6, bots=2)
    first, second = env.bots
    slow = next(iter(first.accounts.accounts))

    async def hanging(container: Any, account: str, grace: float) -> None:
        if account == slow:
            await goes_on.wait()
        await stop(container, account, grace)

    monkeypatch.setattr("app.cluster.stop_account", hanging)
    stopping = asyncio.create_task(env.stop_bot(first))
    rest = set(env.accounts) - {slow}
    await until(lambda: rest <= set(second.accounts.accounts), "the others have moved")
    assert slow not in second.accounts.accounts
    assert not stopping.done()
    goes_on.set()
    await stopping
    await env.served()


async def test_process_stopped_while_taking_accounts_keeps_none(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = await make_cluster(accounts=2, bots=1)
    goes_on, load = asyncio.Event(), load_accounts

    async def slow(*some: Any) -> None:
        await goes_on.wait()
        await load(*some)

    monkeypatch.setattr("app.cluster.load_accounts", slow)
    second = await env.start_bot()
    assert second.cluster is not None
    serving = second.cluster.serving
    await until(lambda: serving, "the second process begins to take one")
    stopping = asyncio.create_task(env.stop_bot(second))
    await asyncio.sleep(0)
    goes_on.set()
    await stopping
    assert (serving, list(second.accounts.accounts)) == ({}, [])
    await env.served()


async def test_removed_account_is_stopped_by_its_holder(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=2)
    bot, parts = env.bots[0], env.bots[0].container.cluster
    assert parts is not None
    body = {"account": "added", "endpoint": env.sandbox.endpoints["bot0"], "token": env.sandbox.token, "tls": False}
    status, answer, _ = await env.call(bot, "POST", "/wxbot/assistant", body)
    assert status in (200, 201), answer
    await until(lambda: any("added" in bot.accounts.accounts for bot in env.bots), "it is served")
    assert (await env.call(bot, "DELETE", "/wxbot/assistant/added"))[0] == 204
    await until(lambda: not any("added" in bot.accounts.accounts for bot in env.bots), "it is stopped")

    async def is_forgotten() -> bool:
        return await bot.container.store.read(lambda s: s.get(AccountLease, "added")) is None

    await until(is_forgotten, "its lease is deleted")
    _, answer, _ = await env.call(bot, "GET", "/wxbot/assistant")
    assert {assistant["account"] for assistant in answer["assistants"]} == set(env.accounts)


async def test_process_with_wrong_clock_uses_database_time(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=1, bots=1)
    bot = await env.start_bot(lambda: time.time() + 3600)
    assert abs(bot.container.clock() - time.time()) < 60
