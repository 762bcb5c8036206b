"""HTTP server of the stand-in: access tokens, the calls of 微信客服, and callbacks to the bot."""

from __future__ import annotations

import json
import mimetypes
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import aiohttp
from aiohttp import web

from protocol.wecom_crypto import CallbackCrypto
from sandbox.wecom.answers import OK, refused
from sandbox.wecom.groups import PICTURE, GroupService
from sandbox.wecom.service import KfService

TOKEN_SECONDS = 7200


@dataclass(slots=True)
class Corp:
    """Settings of the corp, and faults to inject."""

    corp_id: str = "ww0123456789abcdef"
    secret: str = "the-secret-of-the-app"
    callback_token: str = "callbacktoken"
    aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    trusted: bool = True  # whether the caller's IP address is trusted
    errors: dict[str, int] = field(default_factory=dict)  # the error code of each call that fails, by call
    lost: set[str] = field(default_factory=set)  # calls whose next response is lost, after they have taken effect
    calls: list[str] = field(default_factory=list)


class WecomServer:
    """A running stand-in."""

    def __init__(self, service: KfService, corp: Corp | None = None) -> None:
        self.service = service
        self.groups = GroupService(service.clock)
        self.corp = corp or Corp()
        self.tokens: set[str] = set()
        self.notices: list[tuple[str, str]] = []  # messages of the app to members of staff: userid, text
        self.crypto = CallbackCrypto(self.corp.callback_token, self.corp.aes_key, self.corp.corp_id)
        self.port = 0
        self.on_staff: Callable[[], None] = lambda: None  # called after an action of staff
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Base URL of the API."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Start listening on loopback."""
        app = web.Application(client_max_size=32 * 1024**2)
        app.add_routes([web.get("/cgi-bin/{path:.+}", self._answer), web.post("/cgi-bin/{path:.+}", self._answer)])
        app.add_routes([web.get("/qr/{config_id}.png", self._qr_code)])
        app.add_routes([web.post("/staff/{userid}", self._act_as_staff)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop the server."""
        if self._runner is not None:
            await self._runner.cleanup()

    def kill_tokens(self) -> None:
        """Invalidate all access tokens."""
        self.tokens.clear()

    async def call_back(self, url: str) -> int:
        """Tell the bot that there are messages to read; return the status of its response."""
        facts = {"Event": "kf_msg_or_event", "Token": secrets.token_hex(8), "OpenKfId": self.service.open_kfid}
        return await self._post_callback(url, facts)

    async def call_back_group(self, url: str, chat_id: str, change: str = "update") -> int:
        """Tell the bot that a group has changed: create, update or dismiss."""
        return await self._post_callback(
            url, {"Event": "change_external_chat", "ChatId": chat_id, "ChangeType": change}
        )

    async def _post_callback(self, url: str, facts: dict[str, str]) -> int:
        timestamp, nonce = str(int(self.service.clock())), secrets.token_hex(4)
        fields = {"ToUserName": self.corp.corp_id, "MsgType": "event", **facts}
        event = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
        ciphertext, signature = self.crypto.encrypt(f"<xml>{event}</xml>".encode(), timestamp, nonce)
        body = f"<xml><ToUserName>{escape(self.corp.corp_id)}</ToUserName><Encrypt>{ciphertext}</Encrypt></xml>"
        query = {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}
        async with aiohttp.ClientSession() as http, http.post(url, params=query, data=body) as response:
            return response.status

    # ---- the API ----

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.corp.calls.append(path)
        if not self.corp.trusted:
            return web.json_response(refused(60020, "not allow to access from your ip"))
        if path in self.corp.errors:
            return web.json_response(refused(self.corp.errors[path], "as told by the test"))
        if path == "gettoken":
            return web.json_response(self._token(request))
        if request.query.get("access_token") not in self.tokens:
            return web.json_response(refused(40014, "invalid access_token"))
        if path == "media/get":
            return self._media(request.query.get("media_id", ""))
        if path == "media/upload":
            return web.json_response(await self._upload(request))
        answer = self._call(path, json.loads(await request.read()))
        if path in self.corp.lost:
            self.corp.lost.remove(path)
            if request.transport is not None:
                request.transport.close()
        return web.json_response(answer)

    async def _qr_code(self, request: web.Request) -> web.Response:
        exists = request.match_info["config_id"] in self.groups.join_ways
        return web.Response(body=PICTURE, content_type="image/png") if exists else web.Response(status=404)

    def _token(self, request: web.Request) -> dict[str, Any]:
        if request.query.get("corpid") != self.corp.corp_id:
            return refused(40013, "invalid corpid")
        if request.query.get("corpsecret") != self.corp.secret:
            return refused(40001, "invalid credential")
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return {**OK, "access_token": token, "expires_in": TOKEN_SECONDS}

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        service = self.service
        calls = {
            "kf/sync_msg": service.sync,
            "kf/send_msg": service.send_msg,
            "kf/send_msg_on_event": service.send_on_event,
            "kf/customer/batchget": service.batchget,
            "kf/service_state/get": service.service_state,
            "kf/service_state/trans": service.change_state,
        }
        if path == "kf/add_contact_way":
            return {**OK, "url": f"https://work.weixin.qq.com/kfid/{service.open_kfid}"}
        if path in self.groups.calls:
            return self.groups.calls[path]({**body, "picture_base": self.url})
        if path == "message/send":
            self.notices.append((str(body.get("touser")), str((body.get("text") or {}).get("content"))))
            return {**OK, "msgid": secrets.token_hex(8)}
        return calls[path](body) if path in calls else refused(40066, "invalid url")

    def _media(self, media_id: str) -> web.Response:
        file = self.service.media.get(media_id)
        if file is None:
            return web.json_response(refused(40007, "invalid media_id"))
        name, data = file
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return web.Response(body=data, content_type=kind, headers=headers)

    async def _upload(self, request: web.Request) -> dict[str, Any]:
        part = (await request.post()).get("media")
        if not isinstance(part, web.FileField):
            return refused(40004, "invalid media")
        return self.service.media.upload(request.query.get("type", ""), part.filename, part.file.read())

    # ---- staff in their own client ----

    async def _act_as_staff(self, request: web.Request) -> web.Response:
        """POST /staff/{userid} {customer, do: take | answer | finish, text?}: act on a customer's session."""
        body = json.loads(await request.read())
        customer, action = str(body.get("customer")), body.get("do")
        if action == "take":
            self.service.take(customer, request.match_info["userid"])
        elif action == "answer":
            self.service.answer(customer, str(body.get("text")))
        elif action == "finish":
            self.service.finish(customer)
        else:
            return web.json_response({"error": "do: take, answer or finish"}, status=400)
        self.on_staff()
        return web.json_response({"state": int(self.service.customer(customer).state)})
