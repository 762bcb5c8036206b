"""Permissions of the console: every route for every role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlmodel import select

from console.routes import ROUTES, Route
from models.console import ConsoleSession, LoginLink
from services.accounts.console_sessions import IDLE_SECONDS, LINK_SECONDS, Role
from tests.console.conftest import SETTINGS, Person, log_in, login_link
from tests.stories.conftest import BotEnvironment

API_ROUTES = [route for route in ROUTES if route.role is not None]
STREAM = "/console/api/events"
MISSING = {"error": {"code": 1003, "message": "鉴权失败！"}}
FORBIDDEN = {"error": {"code": 1002, "message": "仅限专网访问！"}}


def _path(route: Route) -> str:
    """Return a path of the route with ids that do not exist."""
    path = route.path
    for pattern, value in (
        ("{id:[0-9]{1,18}}", "987654"),
        ("{id:[0-9a-f]{16}}", "0" * 16),
        ("{number:[0-9]{1,18}}", "987654"),
        ("{what:keywords|questions}", "questions"),
        ("{account}", "nobody"),
        ("{action}", "nothing"),
    ):
        path = path.replace(pattern, value)
    assert "{" not in path, path
    return path


async def _ask(http: aiohttp.ClientSession, url: str, route: Route, **headers: str) -> tuple[int, Any]:
    async with http.request(route.method, url + _path(route), headers=headers, json={}) as response:
        if response.status == 200 and route.path == STREAM:
            return 200, None
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else None


async def test_every_route_requires_login(env: BotEnvironment) -> None:
    for route in API_ROUTES:
        assert await _ask(env.http, env.url, route) == (401, MISSING), route


async def test_roles_limit_changes(admin: Person, agent: Person) -> None:
    for route in API_ROUTES:
        if route.path.endswith("/logout"):
            continue
        status, body = await _ask(agent.http, agent.url, route, **{"X-CSRF-Token": agent.csrf})
        if route.role is Role.ADMIN:
            assert (status, body) == (403, FORBIDDEN), route
        else:
            assert status not in (401, 403), route
        status, _ = await _ask(admin.http, admin.url, route, **{"X-CSRF-Token": admin.csrf})
        assert status not in (401, 403, 500), route


async def test_change_requires_csrf_header_and_same_origin(admin: Person) -> None:
    for route in API_ROUTES:
        own = {"X-CSRF-Token": admin.csrf}
        for foreign in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://evil.test"},
        ):
            assert await _ask(admin.http, admin.url, route, **own, **foreign) == (403, FORBIDDEN), (route, foreign)
        if route.method != "GET":
            assert await _ask(admin.http, admin.url, route) == (403, FORBIDDEN), route
            wrong = {"X-CSRF-Token": admin.csrf[:-1]}
            assert await _ask(admin.http, admin.url, route, **wrong) == (403, FORBIDDEN), route


async def test_external_client_is_rejected(admin: Person) -> None:
    """Behind the trusted proxy, the client is taken from its header."""
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with aiohttp.ClientSession(connector=connector, cookie_jar=admin.http.cookie_jar) as http:
        for route in ROUTES:
            path = _path(route) if route.role else route.path.split("{")[0] + ("x" if "{" in route.path else "")
            headers = {"X-Forwarded-For": "203.0.113.9", "X-CSRF-Token": admin.csrf}
            async with http.request(route.method, admin.url + path, headers=headers, json={}) as response:
                assert (response.status, await response.json()) == (403, FORBIDDEN), route


async def test_login_link_works_once_within_five_minutes(env: BotEnvironment) -> None:
    link = await login_link(env, "店长")
    person = await log_in(env, link)
    async with env.http.get(env.url + link) as response:
        assert response.status == 410
    await person.http.close()
    link = await login_link(env, "店长")
    env.ahead = LINK_SECONDS + 1
    async with env.http.get(env.url + link) as response:
        assert response.status == 410


async def test_newer_link_invalidates_the_older_one(env: BotEnvironment) -> None:
    older = await login_link(env, "店长")
    newer = await login_link(env, "店长")
    async with env.http.get(env.url + older) as response:
        assert response.status == 410
    await (await log_in(env, newer)).http.close()


async def test_link_preview_does_not_use_up_the_link(env: BotEnvironment) -> None:
    link = await login_link(env, "店长")
    async with env.http.head(env.url + link, allow_redirects=False) as response:
        assert response.status == 405
    await (await log_in(env, link)).http.close()


async def test_session_cookie_is_http_only_and_same_site(env: BotEnvironment) -> None:
    link = await login_link(env, "店长")
    async with env.http.get(env.url + link, allow_redirects=False) as response:
        assert response.status == 303 and response.headers["Location"] == "/console/"
        cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("wxbot_session=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/console/"} <= {part.strip() for part in cookie.split(";")}


async def test_only_hashes_are_stored(env: BotEnvironment, admin: Person) -> None:
    cookie = next(cookie.value for cookie in admin.http.cookie_jar if cookie.key == "wxbot_session")
    store = env.bot.container.store
    rows = await store.read(lambda s: [*s.exec(select(ConsoleSession)).all(), *s.exec(select(LoginLink)).all()])
    assert rows and all(cookie not in row.model_dump_json() for row in rows)


async def test_customers_get_no_link(env: BotEnvironment) -> None:
    env.say("黑旋风", "/登录")
    await env.receives("黑旋风", env.bot.config.texts.not_allowed)


async def test_logout_in_wechat_ends_every_session(env: BotEnvironment, admin: Person) -> None:
    env.say("店长", "/登出")
    await env.receives("店长", "1 个会话")
    assert (await admin.call("GET", "/session"))[0] == 401


async def test_logout_on_the_page_ends_this_session(admin: Person) -> None:
    assert (await admin.call("POST", "/logout"))[0] == 200
    assert (await admin.call("GET", "/session"))[0] == 401


async def test_session_expires_after_twelve_idle_hours(env: BotEnvironment, admin: Person) -> None:
    env.ahead = IDLE_SECONDS - 60
    assert (await admin.call("GET", "/session"))[0] == 200
    env.ahead += IDLE_SECONDS + 61
    assert (await admin.call("GET", "/session"))[0] == 401


async def test_leaving_the_staff_room_ends_the_session(env: BotEnvironment, agent: Person) -> None:
    assert (await agent.call("GET", "/session"))[1]["session"]["role"] == Role.AGENT
    room = env.bot.container.staff_rooms.of("weimi1001")
    assert room is not None
    room.member_ids.discard(env.id("宋公明"))
    assert (await agent.call("GET", "/session"))[0] == 401


async def test_agent_sees_no_secrets(env: BotEnvironment, admin: Person, agent: Person) -> None:
    qun = await env.make_group()
    assert (await admin.call("GET", f"/qun/{qun['number']}"))[1]["qun"]["token"] == qun["token"]
    for path in ("/qun", f"/qun/{qun['number']}", "/overview", "/audit", "/message"):
        assert qun["token"] not in str((await agent.call("GET", path))[1]), path


async def test_config_page_shows_no_secret(env: BotEnvironment, admin: Person) -> None:
    status, body = await admin.call("GET", "/settings")
    assert status == 200 and body["config"]["assistants"][0]["account"] == "weimi1001"
    assert env.sandbox.token not in str(body)


@pytest.mark.parametrize("path", ["/console/", "/console/page/app.js", "/console/page/style/base.css"])
async def test_pages_have_a_strict_content_security_policy(env: BotEnvironment, path: str) -> None:
    async with env.http.get(env.url + path) as response:
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize(
    "name", ["../routes.py", "..%2froutes.py", "vendor/../../routes.py", "/etc/passwd", "nothing.js"]
)
async def test_other_files_are_not_served(env: BotEnvironment, name: str) -> None:
    async with env.http.get(f"{env.url}/console/page/{name}") as response:
        assert response.status == 404


async def test_cached_file_is_not_sent_again(env: BotEnvironment) -> None:
    url = f"{env.url}/console/page/app.js"
    async with env.http.get(url) as response:
        assert response.status == 200 and response.headers["Content-Encoding"] == "gzip"
        tag, text = response.headers["ETag"], await response.text()
    async with env.http.get(url, headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    async with env.http.get(url, headers={"If-None-Match": '"other"', "Accept-Encoding": "identity"}) as response:
        assert (response.status, await response.text(), "Content-Encoding" in response.headers) == (200, text, False)


@pytest.mark.parametrize(("language", "lang"), [("zh", b'<html lang="zh-CN">'), ("en", b'<html lang="en">')])
async def test_page_uses_the_configured_language(tmp_path: Path, language: str, lang: bytes) -> None:
    env = await BotEnvironment(tmp_path, **{**SETTINGS, "language": language}).open()
    try:
        async with env.http.get(f"{env.url}/console/") as response:
            assert lang in await response.read()
    finally:
        await env.close()
