"""Descriptions of all webhook events (下行接口) and their data, for the docs and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Fields = Mapping[str, str]

ASSISTANT: Final[Fields] = {"assistant": "助手"}
QUN: Final[Fields] = {**ASSISTANT, "number": "群编号", "code": "群号代码"}
ROOM: Final[Fields] = {**QUN, "topic": "群名", "state": "群的状态"}
MEMBER: Final[Fields] = {
    **QUN,
    "membership": "群员关系编号",
    "member": "昵称",
    "contact_id": "微信内部编号，尚不知道时为 null",
}
PERSON: Final[Fields] = {**ASSISTANT, "contact_id": "微信内部编号"}
TICKET: Final[Fields] = {**PERSON, "ticket": "人工会话编号", "name": "客户昵称", "staff": "接待人昵称"}
FLOW: Final[Fields] = {**PERSON, "run": "流程编号", "flow": "流程名", "state": "finished | failed | cancelled"}


@dataclass(frozen=True, slots=True)
class EventDescription:
    """One event type. The fields of `optional` are optional."""

    description: str
    data: Fields
    optional: Fields = field(default_factory=dict)


EVENTS: Final[Mapping[str, EventDescription]] = {
    "qun.created": EventDescription("群已建好", {**QUN, "topic": "群名", "owner": "群主", "url": "群的地址"}),
    "qun.lost": EventDescription("助手已不在群里", ROOM),
    "qun.found": EventDescription("助手又回到群里", ROOM),
    "member.joined": EventDescription("有人入群，无论通过哪种方式", MEMBER),
    "member.invited": EventDescription("等待本人或群主在微信里确认", MEMBER),
    "member.left": EventDescription("有人退群", MEMBER),
    "member.removed": EventDescription("有人被移出群", MEMBER),
    "member.refused": EventDescription("入群请求已终止", {**MEMBER, "reason": "原因"}),
    "friend.added": EventDescription("有人成为助手的好友", {**PERSON, "name": "昵称"}),
    "ticket.opened": EventDescription("有人请求人工服务", TICKET),
    "ticket.waiting": EventDescription("客户仍在等待接待，已提醒过接待人", {**TICKET, "minutes": "已等待的分钟数"}),
    "ticket.closed": EventDescription("人工服务结束", {**TICKET, "closed_by": "由谁结束"}),
    "message.failed": EventDescription(
        "一条已受理的消息发送失败",
        {**ASSISTANT, "message": "消息编号", "to": "发给谁", "error": "原因"},
        {"number": "群编号，仅发到群里时提供"},
    ),
    "message.sent": EventDescription(
        "一条已受理的消息已发送；只通知在 events 里列出它的接收方",
        {**ASSISTANT, "message": "消息编号", "to": "发给谁", "kind": "text | file | link | …"},
        {"number": "群编号，仅发到群里时提供"},
    ),
    "message.received": EventDescription(
        "有人私聊助手，或在群里 @ 助手；只通知在 events 里列出它的接收方",
        {**PERSON, "name": "昵称", "kind": "text | image | file | …", "text": "内容", "at": "时间"},
        {"number": "群编号，仅群消息提供", "room_id": "群在微信里的编号，仅群消息提供"},
    ),
    "account.scan": EventDescription("助手等待扫码登录", {**ASSISTANT, "qr_code": "二维码的内容"}),
    "assistant.online": EventDescription("助手上线", {**ASSISTANT, "reason": "原因"}),
    "assistant.offline": EventDescription(
        "助手离线；离线超过 offline_alert_minutes 时再通知一次",
        {**ASSISTANT, "reason": "原因"},
        {"minutes": "已离线的分钟数，仅在再次通知时提供"},
    ),
    "flow.finished": EventDescription("流程结束", {**FLOW, "error": "失败的原因"}),
    "flow.late": EventDescription("流程失败或取消之后收到了结果", {**FLOW, "result": "结果的摘要"}),
}
HEADERS: Final[Fields] = {
    "webhook-id": "事件编号；同一事件再次送达时不变，用于去重",
    "webhook-timestamp": "发送时间，Unix 秒",
    "webhook-signature": "v1,签名；可能有多个，以空格分隔，任一匹配即可",
}
REF: Final = "#/components/schemas/{model}"
HEADER: Final = "WebhookHeader"
INTEGERS: Final = frozenset({"number", "membership", "ticket", "message", "run", "minutes"})


def described() -> dict[str, Any]:
    """Return the webhooks of the OpenAPI document as path items."""
    return {name: {"post": _operation(name, description)} for name, description in EVENTS.items()}


def schemas() -> dict[str, Any]:
    """Return the schemas of the events and their headers."""
    headers: dict[str, Any] = {HEADER: {"type": "string"}}
    return headers | {_model(name): _event(name, description) for name, description in EVENTS.items()}


def _model(name: str) -> str:
    return "".join(part.capitalize() for part in name.split(".")) + "Event"


def _event(name: str, event: EventDescription) -> dict[str, Any]:
    line, moment = {"type": "string"}, {"type": "string", "format": "date-time"}
    fields = {**event.data, **event.optional}
    data = {
        "type": "object",
        "required": list(event.data),
        "properties": {field: {"type": _type(field, about), "description": about} for field, about in fields.items()},
    }
    return {
        "type": "object",
        "description": event.description,
        "required": ["id", "type", "timestamp", "data"],
        "properties": {"id": line, "type": {"const": name}, "timestamp": moment, "data": data},
    }


def _operation(name: str, event: EventDescription) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=_model(name))}
    return {
        "operationId": f"on{_model(name).removesuffix('Event')}",
        "tags": ["webhooks"],
        "summary": event.description,
        "parameters": [
            {
                "name": header,
                "in": "header",
                "required": True,
                "description": about,
                "schema": {"$ref": REF.format(model=HEADER)},
            }
            for header, about in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"2XX": {"description": "已收到；其他状态会重发，最多三天"}},
    }


def _type(name: str, description: str) -> str | list[str]:
    if name in INTEGERS:
        return "integer"
    return ["string", "null"] if "null" in description else "string"
