"""Callbacks of 企业微信: signed and encrypted, allowed from any network."""

from __future__ import annotations

from aiohttp import web

from api.app_keys import ASSISTANTS
from api.body import read_body
from errors import NotFound, OutsideNetwork
from protocol.wecom_crypto import BadCallback
from wecom.account import WecomAccount


async def check(request: web.Request) -> web.Response:
    """GET /wecom/callback/{account}: the platform verifies the URL; the response is the decrypted echo."""
    account, query = _account(request), request.query
    try:
        echo = account.echo(*_signed(request), query.get("echostr", ""))
    except BadCallback as error:
        raise OutsideNetwork(str(error)) from None
    return web.Response(body=echo, content_type="text/plain")


async def receive(request: web.Request) -> web.Response:
    """POST /wecom/callback/{account}: new messages are available and are then read from the API."""
    account = _account(request)
    try:
        account.receive_callback(*_signed(request), await read_body(request))
    except BadCallback as error:
        raise OutsideNetwork(str(error)) from None
    return web.Response(text="success")


def _account(request: web.Request) -> WecomAccount:
    name = request.match_info["account"]
    for assistant in request.app[ASSISTANTS].running:
        if assistant.account == name and isinstance(assistant, WecomAccount):
            return assistant
    raise NotFound(name)


def _signed(request: web.Request) -> tuple[str, str, str]:
    query = request.query
    return query.get("msg_signature", ""), query.get("timestamp", ""), query.get("nonce", "")
