"""Calls of every operation by operationId, in an executable order, for testing generated clients."""

from __future__ import annotations

from typing import Any, NamedTuple


class Call(NamedTuple):
    """`takes`: the body's model and fields; `given`: parameters by name."""

    name: str
    status: int
    given: dict[str, Any] = {}  # noqa: RUF012 - never changed
    takes: tuple[str, dict[str, Any]] | None = None


ASSISTANT = "weimi1001"
TO = {"assistant": ASSISTANT, "to": "黑旋风"}
CALLS = (
    Call("healthz", 200),
    Call("readyz", 200),
    Call("createQun", 201, takes=("QunCreate", {"code": "new", "owner": "宋公明", "assistant": ASSISTANT})),
    Call("createQun", 200, takes=("QunCreate", {"code": "a", "owner": "宋公明", "assistant": ASSISTANT})),
    Call("createQun", 404, takes=("QunCreate", {"code": "b", "owner": "无此人", "assistant": ASSISTANT})),
    Call(
        "createQun",
        202,
        {"Prefer": "respond-async"},
        takes=("QunCreate", {"code": "c", "owner": "宋公明", "assistant": ASSISTANT}),
    ),
    Call("findQun", 200, {"code": "a"}),
    Call("findQun", 200, {"limit": 1, "state": "active", "assistant": ASSISTANT}),
    Call("readQun", 200, {"number": 100001}),
    Call("readQun", 404, {"number": 7}),
    Call("changeQun", 200, {"number": 100001}, ("QunChange", {"topic": "一号店", "tags": ["vip"]})),
    Call("joinQun", 200, takes=("MembershipJoin", {"token": "{token}", "member": "黑旋风"})),
    Call("joinQun", 202, takes=("MembershipJoin", {"token": "{token}", "member": "无此人"})),
    Call("listMembers", 200, {"number": 100001, "state": "joined", "limit": 2}),
    Call("readMembership", 200, {"id": 3}),
    Call("removeMembership", 204, {"id": 3}),
    Call("sendMessage", 202, {"Idempotency-Key": "k"}, ("PersonMessage", {**TO, "text": "好"})),
    Call("sendMessage", 202, takes=("PersonMessage", {**TO, "file": {"base64": "aGk=", "name": "hi.txt"}})),
    Call("sendMessage", 400, takes=("PersonMessage", {**TO, "image": {"url": "http://elsewhere.example/x"}})),
    Call("sendMessage", 202, takes=("PersonMessage", {**TO, "link": {"title": "官网", "url": "https://example.com"}})),
    Call("sendMessage", 202, takes=("GroupMessage", {"assistant": ASSISTANT, "qun": 100001, "text": "好"})),
    Call("readMessage", 200, {"id": "{message}"}),
    Call("sendBroadcast", 202, takes=("BroadcastSend", {"quns": [100001], "text": "大家好"})),
    Call("sendBroadcast", 202, takes=("BroadcastSend", {"tags": ["vip"], "text": "大家好"})),
    Call("sendBroadcast", 202, takes=("BroadcastSend", {"all": True, "text": "大家好", "at": "2026-12-01T20:00:00Z"})),
    Call("readBroadcast", 200, {"id": 1}),
    Call("cancelBroadcast", 200, {"id": 3}),
    Call("cancelBroadcast", 404, {"id": 7}),
    Call("listTickets", 200, {"state": "open"}),
    Call("readTicket", 200, {"id": 1}),
    Call("listAudit", 200, {"kind": "group"}),
    Call("findWebhooks", 200, {"state": "failed"}),
    Call("resendWebhook", 404, {"id": 7}),
    Call("callBack", 404, {"secret": "no-such-secret"}, ("CallbackResult", {"status": "success"})),
    Call("listAssistants", 200),
    Call("putAssistant", 201, takes=("AssistantPut", {"account": "weimi2", "endpoint": "10.0.0.5:8788", "tls": True})),
    Call("putAssistant", 200, takes=("AssistantPut", {"account": "weimi2", "endpoint": "10.0.0.5:89", "tls": "auto"})),
    Call("removeAssistant", 204, {"account": "weimi2"}),
    Call(
        "putAssistant",
        201,
        takes=("AssistantByAuthority", {"account": "weimi3", "authority": "http://localhost", "token": "t"}),
    ),
    Call("reloadConfig", 200),
    Call("landing", 200, {"id": "{page}"}),
    Call("metrics", 200),
    Call("openapi", 200),
    Call("docs", 200),
    Call("closeQun", 204, {"number": 100001}),
)
