"""Accounts that move between processes: shared fairly, given away in order, and served by one at a time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from app.account_parts import load_accounts, stop_account
from models.cluster import AccountLease
from tests.cluster.conftest import MakeCluster
from tests.stories.conftest import until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
KEYWORDS = {"keywords": [{"regex": r"^问(.*)$", "reply": "答{1}"}], "faq": "", "fallback": ""}


async def test_a_second_process_takes_its_share_and_both_serve(make_cluster: MakeCluster) -> None:
    town = await make_cluster(accounts=4, bots=1, customer_service=KEYWORDS)
    assert set(town.bots[0].accounts.accounts) == set(town.accounts)
    await town.start_bot()
    await town.served()
    assert [len(bot.accounts.accounts) for bot in town.bots] == [2, 2]
    for account in town.accounts:
        town.say("黑旋风", "问1", account)
    for account in town.accounts:
        await town.hears("黑旋风", "答1", account)
        assert town.seen("黑旋风", account).count("答1") == 1


async def test_a_process_that_stops_hands_over_what_it_promised(make_cluster: MakeCluster) -> None:
    town = await make_cluster(accounts=4, bots=2, customer_service=KEYWORDS)
    first = town.bots[0]
    moved = list(first.accounts.accounts)
    for number in range(5):
        for account in moved:
            town.say("黑旋风", f"问{number}", account)
    await town.stop_bot(first)
    await town.served()
    for account in moved:
        await town.hears("黑旋风", "答4", account)
        assert [one for one in town.seen("黑旋风", account) if one.startswith("答")] == [f"答{n}" for n in range(5)]


async def test_an_account_that_takes_long_to_stop_does_not_hold_up_the_others(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, stop = asyncio.Event(), stop_account
    town = await make_cluster(accounts=6, bots=2)
    first, second = town.bots
    slow = next(iter(first.accounts.accounts))

    async def hanging(container: Any, account: str, grace: float) -> None:
        if account == slow:
            await goes_on.wait()
        await stop(container, account, grace)

    monkeypatch.setattr("app.cluster.stop_account", hanging)
    stopping = asyncio.create_task(town.stop_bot(first))
    rest = set(town.accounts) - {slow}
    await until(lambda: rest <= set(second.accounts.accounts), "the others have moved")
    assert slow not in second.accounts.accounts
    assert not stopping.done()
    goes_on.set()
    await stopping
    await town.served()


async def test_a_process_that_stops_while_it_takes_accounts_keeps_none(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = await make_cluster(accounts=2, bots=1)
    goes_on, load = asyncio.Event(), load_accounts

    async def slow(*some: Any) -> None:
        await goes_on.wait()
        await load(*some)

    monkeypatch.setattr("app.cluster.load_accounts", slow)
    second = await town.start_bot()
    assert second.cluster is not None
    serving = second.cluster.serving
    await until(lambda: serving, "the second process begins to take one", 30)
    stopping = asyncio.create_task(town.stop_bot(second))
    await asyncio.sleep(0)
    goes_on.set()
    await stopping
    assert (serving, list(second.accounts.accounts)) == ({}, [])
    await town.served()


async def test_a_removed_account_is_stopped_by_its_holder_and_forgotten(make_cluster: MakeCluster) -> None:
    town = await make_cluster(accounts=2, bots=2)
    door, parts = town.bots[0], town.bots[0].container.cluster
    assert parts is not None
    body = {"account": "added", "endpoint": town.sandbox.endpoints["bot0"], "token": town.sandbox.token, "tls": False}
    status, answer, _ = await town.call(door, "POST", "/wxbot/assistant", body)
    assert status in (200, 201), answer
    await until(lambda: any("added" in bot.accounts.accounts for bot in town.bots), "it is served", 30)
    assert (await town.call(door, "DELETE", "/wxbot/assistant/added"))[0] == 204
    await until(lambda: not any("added" in bot.accounts.accounts for bot in town.bots), "it is stopped", 30)
    for _ in range(300):
        if await door.container.store.read(lambda s: s.get(AccountLease, "added")) is None:
            break
        await asyncio.sleep(0.1)
    assert await door.container.store.read(lambda s: s.get(AccountLease, "added")) is None
    _, answer, _ = await town.call(door, "GET", "/wxbot/assistant")
    assert {one["account"] for one in answer["assistants"]} == set(town.accounts)


async def test_a_process_whose_clock_is_wrong_uses_the_time_of_the_database(make_cluster: MakeCluster) -> None:
    town = await make_cluster(accounts=1, bots=1)
    bot = await town.start_bot(lambda: time.time() + 3600)
    assert abs(bot.container.clock() - time.time()) < 60
