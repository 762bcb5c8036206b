"""Invalid request bodies are rejected with 1001 and have no effect in WeChat."""

from __future__ import annotations

import asyncio
import gzip
import json
import unicodedata
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.body import MAX_CHARACTERS, MAX_LARGE_BYTES, line
from errors import InvalidParameter
from tests.api.conftest import QUN, ApiServer, error
from tests.waiting import SECONDS

NOT_OBJECTS = [
    b"",
    b"{",
    b"[]",
    b'"text"',
    b"null",
    b"1",
    b"NaN",
    b'{"code": NaN}',
    b'{"code": Infinity}',
    b'{"code": 1e999}',
    b"\xff\xfe{}",
    b'{"code": "\xff"}',
    json.dumps(QUN).encode("utf-16"),
    b"[" * 60_000,
    b'{"a":' * 10_000,
    b'{"code": ' + b"9" * 5000 + b"}",
    b'{"code": "a",}',
    b"code=a&owner=b",
]
BAD_VALUES: list[Any] = [
    None,
    "",
    " ",
    "\t",
    "\u3000",
    1,
    1.5,
    True,
    [],
    ["a"],
    {},
    "a\nb",
    "a\u0000",
    "a\u007f",
    "a\u0085",
    "\ud800",
    "x" * 257,
]


@pytest.mark.parametrize("raw", NOT_OBJECTS)
@pytest.mark.parametrize("path", ["/wxbot/qun", "/wxbot/qun/membership", "/wxbot/message"])
async def test_non_object_body_returns_1001(server: ApiServer, path: str, raw: bytes) -> None:
    assert (await server.call("POST", path, data=raw))[:2] == (400, error(1001))
    assert server.wechat.calls == []


@pytest.mark.parametrize("value", BAD_VALUES)
async def test_invalid_value_returns_1001(server: ApiServer, value: Any) -> None:
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/wxbot/qun", QUN),
        ("/wxbot/qun/membership", {"token": "NTkxNjkwNzE4RDY2", "member": "黑旋风"}),
        ("/wxbot/message", {"assistant": "weimi1001", "to": "黑旋风"}),
    ]
    for path, body in bodies:
        for name in body:
            bad = {"text": "你好", **body, name: value}
            answer = await server.call("POST", path, data=json.dumps(bad).encode())
            assert answer[:2] == (400, error(1001)), (path, name)
            del bad[name]
            assert (await server.call("POST", path, json=bad))[:2] == (400, error(1001)), (path, name)
    assert server.wechat.calls == []


async def test_content_type_header_is_ignored(server: ApiServer) -> None:
    for number, kind in enumerate(("text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk")):
        raw = json.dumps({**QUN, "code": f"c{number}", "extra": [1]}, ensure_ascii=False).encode()
        assert (await server.call("POST", "/wxbot/qun", data=raw, headers={"Content-Type": kind}))[0] == 201


async def test_longest_allowed_values_are_accepted(server: ApiServer) -> None:
    code = "群" * MAX_CHARACTERS
    assert (await server.call("POST", "/wxbot/qun", json={**QUN, "code": code}))[0] == 201
    assert (await server.call("GET", "/wxbot/qun", params={"code": code}))[0] == 200


async def test_compressed_body_is_not_decompressed(server: ApiServer) -> None:
    headers = {"Content-Encoding": "gzip"}
    for raw in (gzip.compress(json.dumps(QUN).encode()), b"no gzip", gzip.compress(b" " * 10_000_000)):
        assert (await server.call("POST", "/wxbot/qun", data=raw, headers=headers))[:2] == (400, error(1001))
    assert server.wechat.calls == []


@pytest.mark.parametrize("rest", [b"", b"zz\r\n"])
async def test_incomplete_body_times_out(server: ApiServer, monkeypatch: pytest.MonkeyPatch, rest: bytes) -> None:
    monkeypatch.setattr("api.body.READ_TIMEOUT", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /wxbot/qun HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
    await asyncio.sleep(0.05)  # sends the chunks one by one
    writer.write(rest)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b'{"error":{"code":1001,' in await reader.read(100)
    writer.close()


@pytest.mark.parametrize("query", ["?code=", "?code=%20", "?code=a%0Ab", f"?code={'x' * 257}", "?code"])
async def test_invalid_query_returns_1001(server: ApiServer, query: str) -> None:
    assert (await server.call("GET", f"/wxbot/qun{query}"))[:2] == (400, error(1001))


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(), min_size=0, max_size=300))
def test_accepted_text_can_be_encoded_everywhere(value: str) -> None:
    try:
        passed = line("code", value)
    except InvalidParameter:
        return
    assert passed.encode().decode() == value
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in passed)
    assert 1 <= len(passed) <= MAX_CHARACTERS


# ---- how large a body may be ----


def padded(body: dict[str, Any], size: int) -> bytes:
    """Return the object as JSON, padded with blanks to exactly `size` bytes."""
    return json.dumps(body, ensure_ascii=False).encode().ljust(size)


async def in_chunks(raw: bytes) -> AsyncIterator[bytes]:
    """Send the body in chunks, without Content-Length."""
    for start in range(0, len(raw), 4000):
        yield raw[start : start + 4000]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(65_535, 201), (65_536, 201), (65_537, 413)])
async def test_body_limit_is_exactly_64_kib(server: ApiServer, size: int, status: int, chunked: bool) -> None:
    raw = padded(QUN, size)
    answer = await server.call("POST", "/wxbot/qun", data=in_chunks(raw) if chunked else raw)
    assert answer[0] == status, answer
    if status == 413:
        assert answer[1] == error(1006)
        assert server.wechat.calls == []


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("more", "status"), [(0, 202), (1, 413)])
async def test_message_body_limit_allows_a_file(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch, more: int, status: int, chunked: bool
) -> None:
    assert MAX_LARGE_BYTES == 20 * 1024 * 1024 * 4 // 3 + 65_536
    monkeypatch.setattr("api.body.MAX_LARGE_BYTES", 100_000)  # so that the test sends no 28 MB
    raw = padded({"assistant": "weimi1001", "to": "黑旋风", "text": "你好"}, 100_000 + more)
    answer = await server.call("POST", "/wxbot/message", data=in_chunks(raw) if chunked else raw)
    assert answer[0] == status, answer


async def test_large_body_is_accepted_for_messages_only(server: ApiServer) -> None:
    for path in ("/wxbot/qun", "/wxbot/qun/membership"):
        assert (await server.call("POST", path, data=padded(QUN, 65_537)))[:2] == (413, error(1006))
