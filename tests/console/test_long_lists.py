"""Long lists: 10 000 groups, 100 000 audit entries, 10 000 friends."""

from __future__ import annotations

import gc
import time
from typing import Any

from sqlalchemy import text

from tests.console.conftest import ACCOUNT, Person
from tests.stories.conftest import BotEnvironment
from wechat.entities import Contact

GROUPS, LINES, FRIENDS = 10_000, 100_000, 10_000
SECONDS = 1.0  # CPU time that a page of a list may take
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
QUNS = """INSERT INTO qun (number, code, account, owner, owner_id, companion_id, topic, token, public_id, state,
    wants_report, created_at) {numbers} SELECT 200000 + i, 'c' || i, 'weimi1001', '宋公明', 'w', 'x', '第' || i || '群',
    't' || i, 'p' || i, CASE WHEN i % 10 = 1 THEN 'lost' ELSE 'active' END, 0, i FROM n"""
ACTIONS = """INSERT INTO action (at, account, kind, who, target, detail, outcome, seen) {numbers} SELECT i, 'weimi1001',
    CASE WHEN i % 1000 = 0 THEN 'topic' ELSE 'add' END, CASE WHEN i % 500 = 0 THEN 'person:wxid_heixuanfeng' ELSE
    'rest:erp' END, 't' || i, '{{}}', 'done', '' FROM n"""


async def _fill(env: BotEnvironment, statement: str, count: int) -> None:
    filled = text(statement.format(numbers=NUMBERS.format(last=count)))
    await env.bot.container.store.write(lambda s: s.connection().execute(filled))


async def _all(person: Person, path: str, name: str, **params: str) -> list[Any]:
    """Every row of a list, page by page."""
    rows: list[Any] = []
    wanted = {**params, "limit": "200"}
    while True:
        status, body = await person.call("GET", path, params=wanted)
        assert status == 200 and len(body[name]) <= 200
        rows += body[name]
        if body["next"] is None:
            return rows
        wanted["after"] = body["next"]


async def check_page_time(person: Person, path: str, **params: str) -> Any:
    """Read a page of a list and check the time it takes, without collections of what other tests have left."""
    gc.disable()
    try:
        began = time.process_time()
        status, body = await person.call("GET", path, params=params)
        seconds = time.process_time() - began
    finally:
        gc.enable()
    assert status == 200 and seconds < SECONDS, (path, params, seconds)
    return body


async def test_ten_thousand_groups_are_paged_and_searched(env: BotEnvironment, admin: Person) -> None:
    await _fill(env, QUNS, GROUPS)
    await env.restart_bot()
    admin = Person(admin.http, env.url, admin.csrf)
    first = await check_page_time(admin, "/qun")
    assert len(first["quns"]) == 50 and first["quns"][0]["number"] == 210_000
    assert [qun["topic"] for qun in (await check_page_time(admin, "/qun", q="第777群"))["quns"]] == ["第777群"]
    assert (await check_page_time(admin, "/qun", q="c9999"))["quns"][0]["code"] == "c9999"
    numbers = [group["number"] for group in await _all(admin, "/qun", "quns", state="lost")]
    assert len(numbers) == len(set(numbers)) == GROUPS / 10 and numbers == sorted(numbers, reverse=True)
    assert (await check_page_time(admin, "/overview"))["accounts"][0]["groups"] == GROUPS * 9 / 10
    shown = (await check_page_time(admin, "/audit", q="第777群"))["actions"]
    assert shown == []


async def test_hundred_thousand_log_lines_are_paged_and_searched(env: BotEnvironment, admin: Person) -> None:
    await _fill(env, ACTIONS, LINES)
    assert len((await check_page_time(admin, "/audit"))["actions"]) == 50
    assert len(await _all(admin, "/audit", "actions", kind="topic")) == LINES / 1000
    found = await _all(admin, "/audit", "actions", q="黑旋风")
    assert len(found) == LINES / 500 and {item["who_name"] for item in found} == {"黑旋风"}
    assert [action["target"] for action in (await check_page_time(admin, "/audit", q="t99999"))["actions"]] == [
        "t99999"
    ]
    await check_page_time(admin, "/audit", q="nobody at all")
    async with admin.http.get(f"{admin.url}/console/api/audit.csv?kind=topic") as response:
        lines = (await response.text()).splitlines()
    assert response.status == 200 and len(lines) == LINES / 1000 + 1 and lines[0].startswith("\ufeffid,at,")


async def test_ten_thousand_friends_are_searched_by_the_server(env: BotEnvironment, admin: Person) -> None:
    contacts = env.bot.container.accounts.get(ACCOUNT).directory.contacts
    for number in range(FRIENDS):
        contacts[f"wxid_{number}"] = Contact(f"wxid_{number}", f"客户{number}", friend=True, weixin=f"wx{number}")
    body = await check_page_time(admin, "/friend")
    assert len(body["friends"]) == 50 and body["count"] >= FRIENDS
    assert [friend["contact_id"] for friend in (await check_page_time(admin, "/friend", q="客户9876"))["friends"]] == [
        "wxid_9876"
    ]


async def test_messages_are_filtered_by_recipient_and_exported_as_csv(env: BotEnvironment, admin: Person) -> None:
    await env.call("POST", "/wxbot/message", {"assistant": ACCOUNT, "to": "黑旋风", "text": "=1+1"})
    await env.receives("黑旋风", "=1+1")
    await env.wait_idle()
    assert [message["text"] for message in (await check_page_time(admin, "/message", q="黑旋风"))["messages"]] == [
        "=1+1"
    ]
    assert (await check_page_time(admin, "/message", q="没有这个人"))["messages"] == []
    async with admin.http.get(f"{admin.url}/console/api/message.csv", params={"q": "黑旋风"}) as response:
        _, line = (await response.text()).splitlines()
    assert ",黑旋风,'=1+1,sent," in line  # which no spreadsheet runs
