"""All errors have the same JSON format, whether raised by services, aiohttp, the HTTP parser or a bug."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from api.openapi import all_errors
from api.responses import error_response
from errors import InvalidParameter, TooManyRequests, WeChatNotDone, WeChatOffline, WeChatUnknown
from models.fence import AccountLost, Fenced
from services.moderation.member_actions import MemberExempt
from tests.api.conftest import QUN, ApiServer, StartServer, error
from tests.waiting import SECONDS, until

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


def test_error_table_matches_the_contract() -> None:
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
async def test_unknown_path_returns_404(server: ApiServer, path: str) -> None:
    status, body, headers = await server.call("GET", path)
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
async def test_unsupported_method_returns_405_with_allow(
    server: ApiServer, method: str, path: str, allowed: str
) -> None:
    status, body, headers = await server.call(method, path)
    assert (status, body, headers["Allow"]) == (405, error(1005), allowed)


async def test_head_returns_headers_without_body(server: ApiServer) -> None:
    assert (await server.call("HEAD", "/healthz"))[0] == 200
    status, body, headers = await server.call("HEAD", "/nothing")
    assert (status, headers["Content-Type"]) == (404, "application/json; charset=utf-8")
    assert not body


def test_general_error_comes_first_among_errors_with_one_code() -> None:
    """The document must be the same at every start."""
    kinds = [kind for kind in all_errors() if kind.code == 1001]
    assert kinds[0] is InvalidParameter
    assert MemberExempt in kinds[1:]
    assert kinds[1:] == sorted(kinds[1:], key=lambda kind: kind.__name__)


async def test_too_large_body_returns_413(server: ApiServer) -> None:
    assert (await server.call("POST", "/wxbot/qun", data=b" " * 65_537))[:2] == (413, error(1006))

    async def chunks() -> Any:
        for _ in range(9):
            yield b" " * 8192

    assert (await server.call("POST", "/wxbot/qun", data=chunks()))[:2] == (413, error(1006))
    exactly = json.dumps(QUN).encode().ljust(65_536)
    assert (await server.call("POST", "/wxbot/qun", data=exactly))[0] == 201


async def test_internal_error_is_logged_and_returned_as_json(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_self: object, _code: str) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(type(server.container.groups), "by_code", broken)
    assert (await server.call("GET", "/wxbot/qun?code=a"))[:2] == (500, error(5000))
    assert "ZeroDivisionError" in caplog.text


async def test_unavailable_database_returns_its_own_error(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("could not connect to server"))

    monkeypatch.setattr(server.container.store, "read", read)
    status, body, headers = await server.call("GET", "/wxbot/message/1")
    assert (status, body) == (503, error(5001))
    assert int(headers["Retry-After"]) > 0


@pytest.mark.parametrize(("raised", "code"), [
    (WeChatOffline("room"), 2002), (WeChatUnknown("room"), 2002), (WeChatNotDone("room"), 5000), (TimeoutError(), 5000),
    (Fenced("m1"), 2002), (AccountLost("m1"), 2002),
])  # fmt: skip
async def test_untranslated_exception_gets_a_code(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch, raised: Exception, code: int
) -> None:
    async def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(type(server.container.membership_states), "get", fail)
    status, body, headers = await server.call("GET", "/wxbot/qun/membership/1")
    assert (status, body) == (SPEC_TABLE[code][0], error(code))
    assert ("Retry-After" in headers) == (code == 2002)


async def test_rejected_request_is_logged_without_secrets(server: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = "NTkxNjkwNzE4RDY2"
    status, _, _ = await server.call("POST", "/wxbot/qun/membership", json={"token": secret, "member": "黑旋风"})
    assert status == 404
    await server.call("GET", f"/weiqun/{secret}")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("api")]
    assert any("3001" in line for line in ours)
    assert not [line for line in ours if secret in line]


async def _raw(server: ApiServer, sent: bytes) -> tuple[int, str, bytes]:
    """Send raw bytes; return status, content type and body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
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
async def test_malformed_http_returns_json_error(server: ApiServer, sent: bytes, code: int) -> None:
    status, kind, body = await _raw(server, sent)
    assert (status, kind) == (SPEC_TABLE[code][0], "application/json; charset=utf-8")
    assert json.loads(body) == error(code)
    assert (await server.call("GET", "/healthz"))[0] == 200


async def test_client_disconnect_within_body_is_not_logged_as_error(
    server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /wxbot/qun HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{")
    await writer.drain()
    assert (await server.call("GET", "/healthz"))[0] == 200
    writer.close()

    async def told() -> bool:
        return "closed the connection during its request" in caplog.text

    await until(told)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.0, "1"), (-3.0, "1"), (0.2, "1"), (1.0, "1"), (1.1, "2"), (29.1, "30"), (60.0, "60")]
)
def test_retry_after_is_rounded_up_to_whole_seconds(seconds: float, told: str) -> None:
    assert error_response(TooManyRequests(retry_after=seconds)).headers["Retry-After"] == told


def test_error_without_delay_has_no_retry_after() -> None:
    assert "Retry-After" not in error_response(TooManyRequests()).headers


async def test_too_many_views_page_has_retry_after(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for wait, told in ((0.2, "1"), (1e-9, "1"), (12.3, "13")):
        monkeypatch.setattr("api.view_limit.ViewLimit.acquire", lambda _self, _address, wait=wait: wait)
        status, _, headers = await server.call("GET", "/weiqun/1")
        assert (status, headers["Retry-After"]) == (429, told)


async def test_rate_limited_request_has_retry_after(start_server: StartServer) -> None:
    server = await start_server(pacing={"group_seconds": 30, "request_seconds": 0})
    assert (await server.call("POST", "/wxbot/qun", json=QUN))[0] == 201
    status, body, headers = await server.call("POST", "/wxbot/qun", json={**QUN, "code": "shop-2"})
    assert (status, body) == (429, error(1007))
    assert 25 <= int(headers["Retry-After"]) <= 30
