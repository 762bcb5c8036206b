"""Calls of flows to business systems: the request, its retries, and what responses are accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import stamina
from aiohttp import web

from config.business import SystemSettings
from config.flow_settings import CallStep
from config.texts import Texts
from services.flows.calls import CallFailed, SystemCaller
from services.messaging.http_client import ANSWER_LIMIT, HttpClient
from tests.ports import free_port
from tests.waiting import SECONDS, until
from tests.web_server import serving

CALL = CallStep.model_validate({"system": "shop", "path": "/orders/{id}?n={n}", "body": {"id": "{id}", "l": ["{n}"]}})
AWAY, GARBLED = "商店暂时没有应答，请稍后再试", "商店的应答无法识别"


class Shop:
    """A business system. `status` and `body`: its response; `statuses`: those of its first responses."""

    def __init__(self) -> None:
        self.url = ""
        self.status, self.body = 200, b'{"ok": true}'
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str, Any, dict[str, str]]] = []
        self.gate: asyncio.Event | None = None
        self.running = self.most = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.raw_path, body, dict(request.headers)))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.running -= 1
        status = self.statuses.pop(0) if self.statuses else self.status
        return web.Response(status=status, body=self.body, headers={"Location": "/elsewhere"})

    @property
    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for *_, headers in self.requests]


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    """Retries happen at once, with the usual number."""
    with stamina.set_testing(True, attempts=4):
        yield


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    async with serving(shop.handle) as url:
        shop.url = url
        yield shop


@pytest.fixture
async def caller(shop: Shop) -> AsyncIterator[SystemCaller]:
    http = HttpClient()
    settings = SystemSettings.model_validate({"title": "商店", "base_url": f"{shop.url}/api/", "headers": {"X-A": "b"}})
    yield SystemCaller(http, {"shop": settings}, Texts())
    await http.close()


async def call(caller: SystemCaller, step: CallStep = CALL, **values: Any) -> dict[str, Any]:
    async with asyncio.timeout(SECONDS):
        return await caller.call(step, {"id": "a/b", "n": 2, **values}, "key-1")


async def error_response(caller: SystemCaller, step: CallStep = CALL, **values: Any) -> tuple[str, bool]:
    """Return the message of a call that fails, and whether it was refused."""
    with pytest.raises(CallFailed) as caught:
        await call(caller, step, **values)
    return str(caught.value), caught.value.refused


async def test_request(caller: SystemCaller, shop: Shop) -> None:
    assert await call(caller) == {"ok": True}
    ((method, path, body, headers),) = shop.requests
    assert (method, path, body) == ("POST", "/api/orders/a%2Fb?n=2", {"id": "a/b", "l": [2]})
    assert (headers["Idempotency-Key"], headers["Accept"], headers["X-A"]) == ("key-1", "application/json", "b")


async def test_request_without_a_body(caller: SystemCaller, shop: Shop) -> None:
    await call(caller, CallStep.model_validate({"system": "shop", "path": "/a", "method": "GET"}))
    assert shop.requests[0][:3] == ("GET", "/api/a", None)


async def test_missing_value_prevents_the_call(caller: SystemCaller, shop: Shop) -> None:
    assert await error_response(caller, id=None) == ("缺少id", False)
    assert not shop.requests


async def test_removed_system_is_named_by_its_key(caller: SystemCaller, shop: Shop) -> None:
    settings = SystemSettings.model_validate({"base_url": shop.url})
    caller.configure({})
    assert await error_response(caller) == ("shop暂时没有应答，请稍后再试", False)
    caller.configure({"shop": settings})
    shop.status = 400
    assert await error_response(caller) == ("shop没有接受请求（400）", True)


@pytest.mark.parametrize("failures", [1, 3])
async def test_call_is_retried_three_times(caller: SystemCaller, shop: Shop, failures: int) -> None:
    shop.statuses = [500, 503, 599][:failures]
    assert await call(caller) == {"ok": True}
    assert shop.keys == ["key-1"] * (failures + 1)


async def test_call_is_given_up_after_the_retries(caller: SystemCaller, shop: Shop) -> None:
    shop.status = 500
    assert await error_response(caller) == (AWAY, False)
    assert len(shop.requests) == 4


async def test_waits_between_attempts(caller: SystemCaller, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    original = stamina.retry_context

    def record(**options: Any) -> Any:
        given.update(options)
        return original(**options)

    monkeypatch.setattr("services.flows.calls.stamina.retry_context", record)
    await call(caller)
    assert {name: given[name] for name in ("attempts", "wait_initial", "wait_max", "wait_exp_base", "timeout")} == {
        "attempts": 4, "wait_initial": 1.0, "wait_max": 30, "wait_exp_base": 3, "timeout": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, b'{"message": "no stock"}', ("no stock", True)),
        (404, b'{"error": {"message": "gone"}}', ("gone", True)),
        (499, b"<html>", ("商店没有接受请求（499）", True)),
        (302, b"", ("商店没有接受请求（302）", True)),
        (300, b"{}", ("商店没有接受请求（300）", True)),
        (200, b"[]", (GARBLED, False)),
        (200, b"", (GARBLED, False)),
        (200, b"{", (GARBLED, False)),
        (200, b'{"n": NaN}', (GARBLED, False)),
        (200, b"\xff\xfe", (GARBLED, False)),
        (200, b"[" * 100_000, (GARBLED, False)),
        (200, b" " * (ANSWER_LIMIT + 1), (GARBLED, False)),
    ],
)
async def test_unusable_response(
    caller: SystemCaller, shop: Shop, status: int, body: bytes, failure: tuple[str, bool]
) -> None:
    shop.status, shop.body = status, body
    assert await error_response(caller) == failure
    assert len(shop.requests) == 1, "neither redirected nor retried"


@pytest.mark.parametrize(
    ("status", "body"), [(200, b'\xef\xbb\xbf{"a": 1}'), (201, b' {"a": 1}\n'), (299, b'{"a": 1}')]
)
async def test_accepted_response(caller: SystemCaller, shop: Shop, status: int, body: bytes) -> None:
    shop.status, shop.body = status, body
    assert await call(caller) == {"a": 1}


async def test_unreachable_system() -> None:
    http = HttpClient()
    settings = SystemSettings.model_validate({"title": "商店", "base_url": f"http://127.0.0.1:{free_port()}"})
    assert await error_response(SystemCaller(http, {"shop": settings}, Texts())) == (AWAY, False)
    await http.close()


async def test_system_that_does_not_respond_in_time(caller: SystemCaller, shop: Shop) -> None:
    shop.gate = asyncio.Event()
    settings = SystemSettings.model_validate({"title": "商店", "base_url": shop.url, "timeout": 0.01})
    caller.configure({"shop": settings})
    assert await error_response(caller) == (AWAY, False)
    shop.gate.set()


async def test_concurrent_calls_of_a_system_are_limited(caller: SystemCaller, shop: Shop) -> None:
    shop.gate = asyncio.Event()
    calls = [asyncio.create_task(call(caller)) for _ in range(10)]
    await until(lambda: shop.running == 8, "eight calls run")
    shop.gate.set()
    await asyncio.gather(*calls)
    assert (shop.most, len(shop.requests)) == (8, 10)
