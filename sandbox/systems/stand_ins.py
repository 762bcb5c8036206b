"""The stand-ins: 云商城 accepts payment settings, HiPOS 云 merchants and devices. Both honour Idempotency-Key."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from sandbox.systems.request_log import RequestLog, SystemRequest

YUNMALL: Final = "yunmall"
HIPOS: Final = "hipos"
TITLES: Final = {YUNMALL: "云商城", HIPOS: "HiPOS 云"}
HANG_SECONDS: Final = 60.0  # seconds, longer than any client waits
Rule = Callable[[RequestLog, SystemRequest], tuple[int, Any]]


def routes(request_log: RequestLog, system: str) -> list[web.RouteDef]:
    """Return the routes of a stand-in."""

    def handler_of(rule: Rule) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await _receive(request_log, system, rule, request)

        return handle

    if system == YUNMALL:
        return [web.post("/payments", handler_of(take_payment))]
    return [
        web.put("/merchants/{name}", handler_of(put_merchant)),
        web.put("/merchants/{name}/payment", handler_of(put_payment)),
        web.post("/devices/authorizations", handler_of(authorize)),
    ]


async def _receive(request_log: RequestLog, system: str, rule: Rule, request: web.Request) -> web.StreamResponse:
    key = request.headers.get("Idempotency-Key", "")
    try:
        body = json.loads(await request.read() or b"null")
    except ValueError:
        body = None
    system_request = request_log.known(system, key)
    if system_request is not None and system_request.body == body:
        system_request.repeats += 1
    else:
        system_request = request_log.record(system, request.method, request.path, key, body)
    mode = request_log.modes.get(system, "ok")
    request_log.changed()
    await request_log.open.wait()
    if mode != "ok":
        return await _respond_by_mode(request_log, system_request, mode)
    # a repeated request gets the earlier response, unless that was an error
    if not system_request.status or system_request.status >= 500:
        system_request.status, system_request.answer = rule(request_log, system_request)
    request_log.changed()
    return web.json_response(system_request.answer, status=system_request.status)


async def _respond_by_mode(request_log: RequestLog, request: SystemRequest, mode: str) -> web.StreamResponse:
    """Respond as the selected mode demands."""
    if mode == "hang":
        await asyncio.sleep(HANG_SECONDS)
    if mode == "garbage":
        return web.Response(text="<html>502 Bad Gateway", content_type="text/html")
    request.status = 422 if mode == "refuse" else 503
    request.answer = {"message": "资料未通过审核" if mode == "refuse" else "系统维护中"}
    request_log.changed()
    return web.json_response(request.answer, status=request.status)


# ---- operations ----


def take_payment(request_log: RequestLog, request: SystemRequest) -> tuple[int, Any]:
    """POST /payments {merchant, payment}: store the payment settings in 云商城."""
    missing = _missing(request.body, "merchant", "payment")
    return missing or (201, {"id": f"PAY{request.n:05}", "merchant": request.body["merchant"], "state": "accepted"})


def put_merchant(request_log: RequestLog, request: SystemRequest) -> tuple[int, Any]:
    """PUT /merchants/{name} {name}: store a merchant in HiPOS 云."""
    missing = _missing(request.body, "name")
    if missing:
        return missing
    merchant = request_log.merchants.setdefault(request.body["name"], {"id": f"M{request.n:05}"})
    return 200, {"id": merchant["id"], "name": request.body["name"]}


def put_payment(request_log: RequestLog, asked: SystemRequest) -> tuple[int, Any]:
    """PUT /merchants/{name}/payment {merchant, payment}: store a merchant's payment settings in HiPOS 云."""
    missing = _missing(asked.body, "merchant", "payment")
    if missing:
        return missing
    merchant = request_log.merchants.get(asked.body["merchant"])
    if merchant is None:
        return 404, {"message": "没有这个商户"}
    merchant["payment"] = asked.body["payment"]
    return 200, {"id": merchant["id"], "state": "active"}


def authorize(request_log: RequestLog, request: SystemRequest) -> tuple[int, Any]:
    """POST /devices/authorizations {store, callback}: start an authorization; HiPOS 云 calls back minutes or hours
    later.
    """
    missing = _missing(request.body, "store", "callback")
    if missing:
        return missing
    request.callback, request.owed = request.body["callback"], "waiting"
    return 202, {"code": f"{secrets.randbelow(10**8):08}", "store": request.body["store"]}


def _missing(body: Any, *names: str) -> tuple[int, Any] | None:
    for name in names:
        if not isinstance(body, dict) or not isinstance(body.get(name), str) or not body[name].strip():
            return 400, {"message": f"缺少 {name}"}
    return None
