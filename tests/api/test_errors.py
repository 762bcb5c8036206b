"""All errors have the same JSON format, whether raised by services, aiohttp, the HTTP parser or a bug."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from api.openapi import all_errors
from api.responses import refusal
from errors import InvalidParameter, TooManyRequests, WeChatNotDone, WeChatOffline, WeChatUnknown
from models.fence import AccountLost, Fenced
from services.moderation.member_actions import MemberExempt
from tests.api.conftest import QUN, AccessControl, OpenDoor, error, eventually
from tests.waiting import SECONDS

SPEC_TABLE = {
    1001: (400, "缺少必须的参数或参数值无效！"),
    1002: (403, "仅限专网访问！"),
    1003: (401, "鉴权失败！"),
    1004: (404, "请求的资源不存在！"),
    1005: (405, "请求方法不支持！"),
    1006: (413, "请求体过大！"),
    1007: (429, "请求过于频繁，请稍后再试！"),
    2001: (404, "助手不存在！"),
    2002: (503, "助手不在线，请稍后再试！"),
    2003: (404, "群主不是助手的好友！"),
    2004: (409, "群主昵称不唯一！"),
    2005: (409, "群号代码已被占用！"),
    2006: (502, "微信建群失败，请稍后再试！"),
    2007: (501, "该渠道不支持此操作！"),
    3001: (404, "入群令牌无效！"),
    3002: (410, "入群令牌已过期！"),
    3003: (409, "群员昵称不唯一！"),
    3004: (409, "群已满！"),
    3005: (403, "该群员已被拉黑！"),
    3006: (502, "微信邀请入群失败，请稍后再试！"),
    5000: (500, "服务器内部错误！"),
    5001: (503, "数据库暂不可用，请稍后再试！"),
}


def test_the_table() -> None:
    ours = [kind for kind in all_errors() if kind.__module__ == "errors"]
    assert {kind.code: (kind.status, kind.message) for kind in ours} == SPEC_TABLE


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/wxbot",
        "/wxbot/qun/abc",
        "/wxbot/qun/1",
        "/wxbot/message/7",
        "/wxbot/qun/membership/9",
        f"/wxbot/qun/{'9' * 40}",
        "/wxbot/qun/%E9%BB%91",
        "/%ff%fe",
        "/%zz",
    ],
)
async def test_nothing_there(door: AccessControl, path: str) -> None:
    status, body, headers = await door.call("GET", path)
    assert (status, body) == (404, error(1004))
    assert headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/wxbot/qun", "GET,HEAD,POST"),
        ("GET", "/wxbot/qun/membership", "POST"),
        ("PUT", "/wxbot/message/1", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
        ("OPTIONS", "/wxbot/qun", "GET,HEAD,POST"),
        ("PATCH", "/wxbot/message", "POST"),
    ],
)
async def test_method_not_known(door: AccessControl, method: str, path: str, allowed: str) -> None:
    status, body, headers = await door.call(method, path)
    assert (status, body, headers["Allow"]) == (405, error(1005), allowed)


async def test_head_has_the_headers_and_no_body(door: AccessControl) -> None:
    assert (await door.call("HEAD", "/healthz"))[0] == 200
    status, body, headers = await door.call("HEAD", "/nothing")
    assert (status, headers["Content-Type"]) == (404, "application/json; charset=utf-8")
    assert not body


def test_of_errors_with_one_code_the_general_one_comes_first() -> None:
    """So that the document says the same at every start, whatever the other modules define."""
    kinds = [kind for kind in all_errors() if kind.code == 1001]
    assert kinds[0] is InvalidParameter
    assert MemberExempt in kinds[1:]
    assert kinds[1:] == sorted(kinds[1:], key=lambda kind: kind.__name__)


async def test_too_large(door: AccessControl) -> None:
    assert (await door.call("POST", "/wxbot/qun", data=b" " * 65_537))[:2] == (413, error(1006))

    async def chunks() -> Any:
        for _ in range(9):
            yield b" " * 8192

    assert (await door.call("POST", "/wxbot/qun", data=chunks()))[:2] == (413, error(1006))
    exactly = json.dumps(QUN).encode().ljust(65_536)
    assert (await door.call("POST", "/wxbot/qun", data=exactly))[0] == 201


async def test_our_own_fault_is_logged_and_told_in_the_one_shape(
    door: AccessControl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_self: object, _code: str) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(type(door.container.groups), "by_code", broken)
    assert (await door.call("GET", "/wxbot/qun?code=a"))[:2] == (500, error(5000))
    assert "ZeroDivisionError" in caplog.text


async def test_a_database_that_is_away_is_told_apart(door: AccessControl, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("could not connect to server"))

    monkeypatch.setattr(door.container.store, "read", read)
    status, body, headers = await door.call("GET", "/wxbot/message/1")
    assert (status, body) == (503, error(5001))
    assert int(headers["Retry-After"]) > 0


@pytest.mark.parametrize(("raised", "code"), [
    (WeChatOffline("room"), 2002), (WeChatUnknown("room"), 2002), (WeChatNotDone("room"), 5000), (TimeoutError(), 5000),
    (Fenced("m1"), 2002), (AccountLost("m1"), 2002),
])  # fmt: skip
async def test_what_no_service_has_translated(
    door: AccessControl, monkeypatch: pytest.MonkeyPatch, raised: Exception, code: int
) -> None:
    async def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(type(door.container.membership_states), "get", fail)
    status, body, headers = await door.call("GET", "/wxbot/qun/membership/1")
    assert (status, body) == (SPEC_TABLE[code][0], error(code))
    assert ("Retry-After" in headers) == (code == 2002)


async def test_a_refusal_is_logged_without_secrets(door: AccessControl, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = "NTkxNjkwNzE4RDY2"
    status, _, _ = await door.call("POST", "/wxbot/qun/membership", json={"token": secret, "member": "黑旋风"})
    assert status == 404
    await door.call("GET", f"/weiqun/{secret}")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("api")]
    assert any("3001" in line for line in ours)
    assert not [line for line in ours if secret in line]


async def _raw(door: AccessControl, sent: bytes) -> tuple[int, str, bytes]:
    """Send raw bytes; return status, content type and body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(sent)
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)).decode()
    length = int(re.search(r"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
    body = await asyncio.wait_for(reader.readexactly(length), SECONDS)
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), re.search(r"(?i)content-type: (.*)\r", head)[1], body  # type: ignore[index]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"not http at all\r\n\r\n", 1001),
        (b"BREW /wxbot/message HTTP/1.1\r\nHost: a\r\n\r\n", 1001),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 1001),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 1001),
        (b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 1001),
        (b"POST /wxbot/qun HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 1001),
        (b"POST /wxbot/qun HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 1001),
        (b"GET /wxbot/qun?code=a HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 1001),
        (b"POST /wxbot/qun HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n{", 1006),
        (b"GET http://[bad HTTP/1.1\r\nHost: a\r\n\r\n", 1001),
        (b"GET /%zz/%f HTTP/1.1\r\nHost: a\r\n\r\n", 1004),
    ],
)
async def test_what_is_hardly_http(door: AccessControl, sent: bytes, code: int) -> None:
    status, kind, body = await _raw(door, sent)
    assert (status, kind) == (SPEC_TABLE[code][0], "application/json; charset=utf-8")
    assert json.loads(body) == error(code)
    assert (await door.call("GET", "/healthz"))[0] == 200


async def test_a_caller_that_hangs_up_within_its_body_is_no_fault_of_ours(
    door: AccessControl, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"POST /wxbot/qun HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{")
    await writer.drain()
    assert (await door.call("GET", "/healthz"))[0] == 200
    writer.close()

    async def told() -> bool:
        return "closed the connection during its request" in caplog.text

    await eventually(told)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.0, "1"), (-3.0, "1"), (0.2, "1"), (1.0, "1"), (1.1, "2"), (29.1, "30"), (60.0, "60")]
)
def test_retry_after_is_whole_seconds_and_at_least_one(seconds: float, told: str) -> None:
    assert refusal(TooManyRequests(retry_after=seconds)).headers["Retry-After"] == told


def test_without_a_time_there_is_no_retry_after() -> None:
    assert "Retry-After" not in refusal(TooManyRequests()).headers


async def test_the_page_of_too_many_views_says_when_to_come_again(
    door: AccessControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wait, told in ((0.2, "1"), (1e-9, "1"), (12.3, "13")):
        monkeypatch.setattr("api.view_limit.ViewLimit.wait", lambda _self, _address, wait=wait: wait)
        status, _, headers = await door.call("GET", "/weiqun/1")
        assert (status, headers["Retry-After"]) == (429, told)


async def test_pace_is_told_with_retry_after(opened: OpenDoor) -> None:
    door = await opened(pacing={"group_seconds": 30, "request_seconds": 0})
    assert (await door.call("POST", "/wxbot/qun", json=QUN))[0] == 201
    status, body, headers = await door.call("POST", "/wxbot/qun", json={**QUN, "code": "shop-2"})
    assert (status, body) == (429, error(1007))
    assert 25 <= int(headers["Retry-After"]) <= 30
