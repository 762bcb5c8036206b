"""Accounts in the console: login codes, logout, adding, removing, staff rooms; offline alerts."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlmodel import select

from models.durable import Action, OutboxItem
from tests.console.conftest import ACCOUNT, SETTINGS, Person, log_in, login_link
from tests.stories.conftest import BotEnvironment, MakeEnv, make_env
from tests.stories.service import known, staff_room
from tests.waiting import until

__all__ = ["make_env"]

OTHER = "weimi1002"
CODE = "https://login.weixin.qq.com/l/"


async def _account(person: Person, name: str = ACCOUNT) -> dict[str, Any]:
    accounts = (await person.call("GET", "/overview"))[1]["accounts"]
    return next(account for account in accounts if account["account"] == name)


async def _actions(env: BotEnvironment, kind: str) -> list[Action]:
    wanted = select(Action).where(Action.kind == kind)
    return list(await env.bot.container.store.read(lambda s: s.exec(wanted).all()))


async def test_login_code_is_shown_after_logout_until_scanned(
    env: BotEnvironment, admin: Person, agent: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert (await _account(admin))["can_log_out"] is True
    assert (await admin.call("GET", f"/assistant/{ACCOUNT}/login.svg"))[0] == 404
    assert (await admin.call("POST", f"/assistant/{ACCOUNT}/logout", json={}))[0] == 204

    async def waits() -> bool:
        account = await _account(admin)
        return bool(account["state"] == "logged_out" and account["scan"] == "waiting")

    await until(waits, "the console shows the code")
    status, drawn = await admin.call("GET", f"/assistant/{ACCOUNT}/login.svg")
    assert status == 200 and drawn.startswith("<svg") and CODE not in drawn
    assert (await agent.call("GET", f"/assistant/{ACCOUNT}/login.svg"))[0] == 403
    for person in (admin, agent):
        assert CODE not in str([(await person.call("GET", path))[1] for path in ("/overview", "/status", "/audit")])
    assert (await admin.call("POST", f"/assistant/{ACCOUNT}/logout", json={}))[0] == 503  # it is logged out already
    env.world.accounts.login(ACCOUNT)
    await env.ready()
    assert (await _account(admin))["scan"] == "none"
    assert CODE not in caplog.text
    (action,) = await _actions(env, "log_out")
    assert (action.who, action.outcome) == (f"console:{env.id('店长')}", "done")


async def test_account_is_added_and_removed(env: BotEnvironment, admin: Person) -> None:
    env.world.accounts.add(OTHER)
    wanted = {"account": OTHER, "endpoint": "127.0.0.1:1", "token": "secret-token-xyz", "tls": False}
    assert (await admin.call("POST", "/assistant", json=wanted))[0] == 201
    assert (await admin.call("POST", "/assistant", json={**wanted, "endpoint": "127.0.0.1:2"}))[0] == 200
    assert (await _account(admin, OTHER))["configured"] is False
    for path in ("/settings", "/overview", "/audit"):
        assert "secret-token-xyz" not in str((await admin.call("GET", path))[1]), path
    action = (await _actions(env, "assistant"))[-1]
    assert (action.detail["before"], action.detail["after"]) == ("127.0.0.1:1", "127.0.0.1:2")
    assert (await admin.call("DELETE", f"/assistant/{OTHER}"))[0] == 204
    assert (await admin.call("DELETE", f"/assistant/{OTHER}"))[0] == 404
    assert (await admin.call("DELETE", f"/assistant/{ACCOUNT}"))[0] == 400  # of config.yaml
    assert (await admin.call("POST", "/assistant", json={**wanted, "token": "file:/etc/passwd"}))[0] == 400
    assert (await admin.call("POST", "/assistant", json={"account": OTHER}))[0] == 400


async def test_staff_room_is_bound(env: BotEnvironment, admin: Person, agent: Person) -> None:
    room = env.world.rooms.create(env.id("店长"), [env.id("黑旋风"), env.id("bot")], "新客服群")
    await known(env, room.id)
    rooms = (await admin.call("GET", f"/assistant/{ACCOUNT}/room", params={"q": "新客服"}))[1]["rooms"]
    assert [(room["topic"], room["members"], room["bound"]) for room in rooms] == [("新客服群", 3, False)]
    path = f"/assistant/{ACCOUNT}/staff-room"
    assert (await admin.call("POST", path, json={"room": "nowhere@chatroom"}))[0] == 404
    assert (await agent.call("GET", "/session"))[0] == 200
    assert (await admin.call("POST", path, json={"room": room.id}))[0] == 204
    assert (await _account(admin))["staff_room"] == "新客服群"
    assert (await agent.call("GET", "/session"))[0] == 401  # 宋公明 is not in the new one
    await (await log_in(env, await login_link(env, "黑旋风"))).http.close()


async def test_offline_and_online_again_are_each_reported_once(
    make_env: MakeEnv,
) -> None:
    hooks = [{"name": "erp", "url": "http://127.0.0.1:9/", "secret": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]
    env = await make_env((ACCOUNT, OTHER), **{**SETTINGS, "webhooks": hooks, "offline_alert_minutes": 10})
    env.world.people.befriend(env.id("店长"), env.id(OTHER))
    await until(lambda: env.bot.container.accounts.admins(OTHER), "the other assistant knows the admin")
    alerts = env.bot.container.offline_alerts
    env.world.accounts.logout(ACCOUNT)
    await until(lambda: not env.bot.container.accounts.is_online(ACCOUNT), "it is away")
    env.ahead = 9 * 60.0
    assert await alerts.run() == 0
    env.ahead = 11 * 60.0
    assert await alerts.run() == 1
    await env.receives("店长", f"助手 {ACCOUNT} 已离线 1", OTHER)
    assert await alerts.run() == 0  # they know

    def told(session: Any) -> list[str]:
        return [item.body for item in session.exec(select(OutboxItem).where(OutboxItem.queue == "hook:erp")).all()]

    events = await env.bot.container.store.read(told)
    assert len([body for body in events if '"assistant.offline"' in body and '"minutes"' in body]) == 1
    env.world.accounts.login(ACCOUNT)
    await env.ready()
    assert await env.bot.container.offline_alerts.run() == 1
    await env.receives("店长", f"助手 {ACCOUNT} 已恢复在线。")
    assert await env.bot.container.offline_alerts.run() == 0


async def test_zero_minutes_disable_the_alert(make_env: MakeEnv) -> None:
    env = await make_env(**{**SETTINGS, "offline_alert_minutes": 0})
    env.world.accounts.logout(ACCOUNT)
    await until(lambda: not env.bot.container.accounts.is_online(ACCOUNT), "it is away")
    env.ahead = 100_000.0
    assert await env.bot.container.offline_alerts.run() == 0


async def test_every_page_shows_offline_accounts(env: BotEnvironment, agent: Person) -> None:
    assert (await agent.call("GET", "/status"))[1]["status"]["away"] == []
    env.world.accounts.logout(ACCOUNT)
    await until(lambda: not env.bot.container.accounts.is_online(ACCOUNT), "it is away")
    (away,) = (await agent.call("GET", "/status"))[1]["status"]["away"]
    assert (away["account"], away["long"]) == (ACCOUNT, False)
    env.ahead = 11 * 60.0
    (away,) = (await agent.call("GET", "/status"))[1]["status"]["away"]
    assert away["long"] is True


async def test_staff_room_stays_bound_after_restart(env: BotEnvironment) -> None:
    room = staff_room(env, "另一个客服群")
    await known(env, room)
    await env.bot.container.store.write(lambda s: env.bot.container.staff_rooms.bind(s, ACCOUNT, room, "console:x"))
    await env.restart_bot()
    assert env.bot.container.staff_rooms.bound_id(ACCOUNT) == room
