"""What is wrong with a request is in the log: the field and what is allowed, never the value. The response is fixed."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from logs import RateLimitedLog
from tests.api.conftest import QUN, ApiServer, error

PATCH, TEXT, LINE = "/wxbot/qun/100001", "a text of 1 to", "one line of 1 to 256 characters"
JOIN = {"token": "NTkxNjkwNzE4RDY2", "member": "黑旋风"}
MESSAGE = {"assistant": "weimi1001", "to": "黑旋风", "text": "您好"}
BROADCAST = {"all": True, "text": "您好"}
ASSISTANT = {"account": "b", "endpoint": "10.0.0.1:9000", "token": "s3cret"}
ADDRESS = "an address of at most 2000 characters that begins with http:// or https://"
KINDS = "text, image, file, link"
REJECTED: list[tuple[str, str, Any, str]] = [
    ("POST", "/wxbot/qun", [], "body: an array; allowed: a JSON object"),
    ("POST", "/wxbot/qun", QUN | {"owner": None}, f"owner: missing or null; allowed: {LINE}"),
    ("POST", "/wxbot/qun", QUN | {"code": 7}, f"code: a number; allowed: {LINE}"),
    ("POST", "/wxbot/qun", QUN | {"assistant": True}, f"assistant: a boolean; allowed: {LINE}"),
    ("POST", "/wxbot/qun", QUN | {"owner": " "}, f"owner: empty; allowed: {LINE}"),
    ("POST", "/wxbot/qun", QUN | {"owner": "s3cret" * 50}, f"owner: a text of 300 characters; allowed: {LINE}"),
    ("POST", "/wxbot/qun", QUN | {"owner": "a\nb"}, f"owner: a text of 3 characters in several lines; allowed: {LINE}"),
    ("POST", "/wxbot/qun", QUN | {"code": "a\0"}, "code: a text of 2 characters with control characters; all"),
    ("PATCH", PATCH, {}, "body: no change; allowed: topic, announcement, welcome, tags"),
    ("PATCH", PATCH, {"name": "s3cret"}, "unknown: 'name'; allowed: topic, announcement, welcome, tags"),
    ("PATCH", PATCH, {"topic": "x" * 31}, "topic: a text of 31 characters; allowed: one line of 1 to 30 characters"),
    ("PATCH", PATCH, {"announcement": ""}, f"announcement: empty; allowed: {TEXT} 2000 characters"),
    ("PATCH", PATCH, {"welcome": ["s3cret"]}, f"welcome: an array; allowed: {TEXT} 500 characters"),
    ("PATCH", PATCH, {"welcome": "{x}"}, "welcome: {x} is unknown; allowed: {member}, {topic}"),
    ("PATCH", PATCH, {"tags": "s3cret"}, "tags: a text of 6 characters; allowed: an array of at most 100 texts"),
    ("PATCH", PATCH, {"tags": ["a", 1]}, f"tags[1]: a number; allowed: {LINE}"),
    ("POST", "/wxbot/qun/membership", JOIN | {"member": {}}, f"member: an object; allowed: {LINE}"),
    ("POST", "/wxbot/qun/membership", JOIN | {"token": ""}, f"token: empty; allowed: {LINE}"),
    ("POST", "/wxbot/message", MESSAGE | {"qun": "1"}, "to, qun: more than one; allowed: exactly one of to, qun"),
    ("POST", "/wxbot/message", {"assistant": "weimi1001", "text": "a"}, "missing; allowed: exactly one of to, qun"),
    ("POST", "/wxbot/message", MESSAGE | {"text": None}, f"missing; allowed: exactly one of {KINDS}"),
    ("POST", "/wxbot/message", MESSAGE | {"text": 5}, f"text: a number; allowed: {TEXT} 4000 characters"),
    ("POST", "/wxbot/message", MESSAGE | {"mentions": ["a"]}, "mentions: allowed only with qun"),
    ("POST", "/wxbot/broadcast", BROADCAST | {"all": False}, "all: a boolean; allowed: true"),
    ("POST", "/wxbot/broadcast", BROADCAST | {"at": 5}, "at: a number; allowed: a time in ISO 8601"),
    (
        "POST",
        "/wxbot/broadcast",
        BROADCAST | {"to": "a"},
        f"unknown: 'to'; allowed: quns, tags, all, {KINDS}, ass",
    ),
    ("POST", "/wxbot/broadcast", {"quns": [], "text": "a"}, "quns: an array; allowed: an array of 1 to 10000 entries"),
    ("POST", "/wxbot/broadcast", {"tags": ["none"], "text": "a"}, "quns, tags, all: they name no active group"),
    ("POST", "/wxbot/assistant", ASSISTANT | {"token": ["s3cret"]}, "token: expected a string"),
    ("POST", "/wxbot/assistant", ASSISTANT | {"endpoint": "s3cret"}, "endpoint: expected host:port"),
    ("POST", "/wxbot/assistant", ASSISTANT | {"tokn": "s3cret"}, "tokn: unknown key; allowed: kind,"),
    ("POST", "/wxbot/assistant", ASSISTANT | {"endpoint": ""}, "endpoint: missing or empty; allowed: host:port of a"),
    ("POST", "/wxbot/assistant", ASSISTANT | {"tls_ca": "/s3cret"}, "tls_ca, file:: files of this machine"),
]
CONTENTS: list[tuple[dict[str, Any], str]] = [
    ({"image": "s3cret"}, "image: a text of 6 characters; allowed: an object"),
    ({"image": {}}, "missing; allowed: exactly one of url, base64"),
    ({"image": {"path": "s3cret"}}, "unknown: 'path'; allowed: url, base64, name"),
    ({"image": {"base64": 5}}, "base64: a number; allowed: the data of the file"),
    ({"image": {"base64": "s3cret"}}, "base64: cannot be decoded; allowed: standard base64 with padding"),
    ({"image": {"base64": "czNjcmV0"}}, "image: not a picture; allowed: PNG, JPEG, GIF, WebP or BMP"),
    ({"file": {"base64": "czNjcmV0"}}, "name: missing or null; base64 requires it"),
    ({"file": {"url": "ftp://s3cret"}}, f"url: a text of 12 characters; allowed: {ADDRESS}"),
    ({"file": {"url": "http://example.net/s3cret"}}, "url: example.net is not in api.media_hosts"),
    ({"link": {"title": "a", "url": None}}, f"url: missing or null; allowed: {ADDRESS}"),
    ({"link": {"title": "a", "url": "http://a", "thumbnail": "s3cret"}}, "thumbnail: a text of 6 characters; allowed"),
    ({"link": {"url": "http://a"}}, f"title: missing or null; allowed: {LINE}"),
]


@pytest.fixture(autouse=True)
def _log_every_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The number of lines per minute is limited, and earlier tests have used it up."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("api.middlewares.rejection_log", RateLimitedLog(logging.getLogger("api.middlewares")))


@pytest.mark.parametrize(("method", "path", "body", "detail"), REJECTED)
async def test_log_names_the_field_and_what_is_allowed(
    server: ApiServer, caplog: pytest.LogCaptureFixture, method: str, path: str, body: Any, detail: str
) -> None:
    await server.make_group("shop-9")
    assert (await server.call(method, path, data=json.dumps(body).encode()))[:2] == (400, error(1001))
    assert f" ({detail}" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(("content", "detail"), CONTENTS)
async def test_log_names_the_field_of_a_picture_file_or_link(
    server: ApiServer, caplog: pytest.LogCaptureFixture, content: dict[str, Any], detail: str
) -> None:
    body = {"assistant": "weimi1001", "to": "黑旋风", **content}
    assert (await server.call("POST", "/wxbot/message", json=body))[:2] == (400, error(1001))
    assert f" ({detail}" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/wxbot/qun?limit=201", "limit: 201; allowed: 1 to 200"),
        ("/wxbot/qun?after=x", "after: not a number; allowed: the digits of 0 to"),
        ("/wxbot/qun?state=open", "state: a text of 4 characters; allowed: making, active, lost, closed"),
        ("/wxbot/qun?code=", f"code: empty; allowed: {LINE}"),
        ("/wxbot/ticket?state=x", "state: a text of 1 characters; allowed: "),
        ("/wxbot/audit?since=monday", "since: a text of 6 characters; allowed: a time in ISO 8601"),
        ("/wxbot/webhook?state=sending", "state: a text of 7 characters; allowed: queued, sent, failed"),
    ],
)
async def test_log_names_the_query_parameter(
    server: ApiServer, caplog: pytest.LogCaptureFixture, path: str, detail: str
) -> None:
    assert (await server.call("GET", path))[:2] == (400, error(1001))
    assert f" ({detail}" in caplog.text


async def test_log_tells_where_the_json_is_wrong(server: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    assert (await server.call("POST", "/wxbot/qun", data=b'{"code": s3cret}'))[:2] == (400, error(1001))
    assert " (body: not JSON (Expecting value: line 1 column 10 (char 9)); allowed: a JSON obj" in caplog.text
    assert "s3cret" not in caplog.text
