"""The console of any process shows and controls the accounts of all processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from app.lifecycle import Bot
from services.cluster.peers import SECRET_HEADER
from tests.cluster.conftest import ClusterEnvironment, MakeCluster
from tests.cluster.test_any_process import make_group
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]

Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps the cookie for all processes, since they share a host here."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield http


async def log_in(env: ClusterEnvironment, browser: aiohttp.ClientSession) -> Call:
    """Log in as 店长; return a function that calls the console of a process."""
    sessions, store = env.bots[0].container.console_sessions, env.bots[0].container.store
    secret = await store.write(lambda s: sessions.link(s, env.accounts[0], "wxid_admin", "店长"))
    async with browser.get(f"http://127.0.0.1:{env.bots[0].port}/console/login/{secret}") as response:
        assert response.status == 200
    headers: dict[str, str] = {}

    async def call(bot: Bot, method: str, path: str, json: Any = None) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{bot.port}/console/api{path}"
        async with browser.request(method, url, json=json, headers=headers) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else await response.text()

    headers["X-CSRF-Token"] = (await call(env.bots[1], "GET", "/session"))[1]["session"]["csrf"]
    return call


async def test_every_process_shows_all_accounts(make_cluster: MakeCluster, browser: aiohttp.ClientSession) -> None:
    env = await make_cluster(accounts=2, bots=2)
    call = await log_in(env, browser)
    for bot in env.bots:
        assert (await call(bot, "GET", "/session"))[1]["session"]["assistants"] == env.accounts
        for path, name in (("/overview", "accounts"), ("/settings", "assistants")):
            shown = {
                assistant["account"]: (assistant["state"], assistant["holder"])
                for assistant in (await call(bot, "GET", path))[1][name]
            }
            assert shown == {
                account: ("online", env.holder(account).config.cluster.advertise) for account in env.accounts
            }
        friends = (await call(bot, "GET", "/friend?q=黑旋风"))[1]["friends"]
        assert sorted(friend["assistant"] for friend in friends) == env.accounts
        assert (await call(bot, "GET", "/connections"))[0] == (await call(bot, "GET", "/message"))[0] == 200
        for account in env.accounts:
            assert (await call(bot, "GET", f"/blocked-word?assistant={account}"))[0] == 200
            assert (await call(bot, "GET", f"/assistant/{account}/room"))[0] == 200
        assert (await env.call(bot, "GET", "/cluster/console/accounts"))[0] == 403
        secret = {SECRET_HEADER: "guessed"}
        assert (await env.call(bot, "GET", "/cluster/console/accounts", headers=secret))[0] == 403


async def test_actions_and_names_are_passed_to_the_holder(
    make_cluster: MakeCluster, browser: aiohttp.ClientSession
) -> None:
    env = await make_cluster(accounts=2, bots=2)
    call = await log_in(env, browser)
    account = env.accounts[0]
    wrong = env.other(account)
    qun = await make_group(env, wrong, account, "code-1")
    receivers = {"quns": [qun["number"]], "friends": [{"assistant": account, "contact_id": "wxid_heixuanfeng"}]}
    order = {"key": "k", "text": "明天放假", "at": wrong.container.clock() + 3600, **receivers}
    status, answer = await call(wrong, "POST", "/broadcast", order)
    assert status == 202, answer
    path = f"/broadcast/{answer['broadcast']['id']}"
    shown = (await call(wrong, "GET", path))[1]["broadcast"]
    assert (shown["groups"][0]["topic"], shown["friends"][0]["name"]) == (qun["topic"], "黑旋风")
    assert (await call(wrong, "POST", f"{path}/cancel", {}))[1] == {"cancelled": 2}
    queue = f"wx:{account}"
    await until(lambda: not env.holder(account).container.outbox.waiting().get(queue), "its holder has dropped it")
    assert (await call(wrong, "GET", path))[1]["broadcast"]["state"] == "cancelled"
    targets = [action["target_name"] for action in (await call(wrong, "GET", "/audit?kind=group"))[1]["actions"]]
    assert targets == [qun["topic"]]
    assert (await call(wrong, "POST", "/canned", {"name": "地址", "text": "一号"}))[0] == 200
    replies = env.holder(account).container.canned_replies
    await until(lambda: replies.all.get("地址") == "一号", "known at the other process")
    assert (await call(wrong, "POST", f"/assistant/{account}/logout", {}))[0] == 204

    async def waits_for_a_scan() -> bool:
        shown = (await call(wrong, "GET", "/overview"))[1]["accounts"]
        return "waiting" in [each["scan"] for each in shown if each["account"] == account]

    await until(waits_for_a_scan, "the login code is there")
    assert "<svg" in (await call(wrong, "GET", f"/assistant/{account}/login.svg"))[1]
    away = (await call(wrong, "GET", "/status"))[1]["status"]["away"]
    assert [account["account"] for account in away] == [account]
