"""Descriptions of all REST operations: parameters, responses and errors."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import errors
from api import schema
from api import schema_admin as admin
from api import schema_lists as lists
from api import schema_messages as messages
from api.operation import Operation, Parameter, Reply
from models.groups import MemberState, QunState
from models.support import TicketState
from services.paging import MAX_LIMIT

LINE: Final = {"type": "string", **schema.LINE}
_LOCATION: Final = {"Location": "查询该群员关系的地址"}
_MEMBERSHIP: Final = Parameter("id", "path", "群员关系编号，即 202 的 Location 末段")

MOMENT: Final = {"type": "string", "format": "date-time"}
PREFER: Final = Parameter(
    "Prefer",
    "header",
    "respond-async = 不等待结果，立即返回 202",
    {"type": "string", "enum": ["respond-async"]},
    required=False,
)
PAGES: Final = (
    Parameter(
        "limit", "query", "每页条数，默认 50", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}, required=False
    ),
    Parameter(
        "after", "query", "上一页的 next", {"type": "string", "pattern": "^(0|[1-9][0-9]{0,8})$"}, required=False
    ),
)

_SIGNED: Final = (
    Parameter("account", "path", "助手账号", LINE),
    *(
        Parameter(name, "query", about, {"type": "string"})
        for name, about in (
            ("msg_signature", "签名"),
            ("timestamp", "时间"),
            ("nonce", "随机数"),
        )
    ),
)


def _enum(values: type[StrEnum]) -> dict[str, Any]:
    return {"type": "string", "enum": [value.value for value in values]}


OPERATIONS: Final = (
    Operation(
        "post", "/wxbot/qun", "createQun", "请求建群",
        {
            201: Reply("已建群", schema.QunCreateResponse, headers={"Location": "群的落地页"}),
            200: Reply("该代码的群已存在", schema.QunCreateResponse),
            202: Reply("已排队（respond-async），建好后由 qun.created 通知", schema.QunQueuedResponse,
                       headers={"Location": "查询该群的地址"}),
        },
        description="在微信里建群（助手、群主、一位陪同），并设置群名。可安全重试：同一 code 只有一个群。",
        request_models=(schema.QunCreate,), parameters=(PREFER,),
        errors=(
            errors.InvalidParameter, errors.BodyTooLarge, errors.TooManyRequests, errors.AssistantUnknown,
            errors.AssistantOffline, errors.OwnerUnknown, errors.OwnerAmbiguous, errors.CodeTaken, errors.GroupNotMade,
            errors.NotSupported,
        ),
    ),
    Operation(
        "get", "/wxbot/qun", "findQun", "查群",
        {200: Reply("该群，或一页群", schema.QunResponse, alternative=lists.QunsResponse)},
        description="有 code 时按代码查一个群；没有时列出所有群，新的在前。",
        parameters=(
            Parameter("code", "query", "群号代码", LINE, required=False),
            Parameter("assistant", "query", "助手账号", LINE, required=False),
            Parameter("state", "query", "状态", _enum(QunState), required=False),
            Parameter("owner", "query", "群主，建群时的写法或微信内部编号", LINE, required=False),
            Parameter("tag", "query", "标签", LINE, required=False),
            Parameter("q", "query", "群名或代码的一部分", LINE, required=False),
            *PAGES,
        ),
        errors=(errors.InvalidParameter, errors.NotFound),
    ),
    Operation(
        "get", "/wxbot/qun/{number}", "readQun", "按群号查群", {200: Reply("该群", schema.QunResponse)},
        parameters=(Parameter("number", "path", "群号"),), errors=(errors.NotFound,),
    ),
    Operation(
        "patch", "/wxbot/qun/{number}", "changeQun", "修改群", {200: Reply("已修改", schema.QunResponse)},
        description="群名和公告在微信里修改并重新读取确认后才答复。",
        request_models=(schema.QunChange,),
        parameters=(Parameter("number", "path", "群号"),),
        errors=(
            errors.InvalidParameter, errors.BodyTooLarge, errors.NotFound, errors.TokenExpired,
            errors.AssistantUnknown, errors.AssistantOffline, errors.GroupNotMade,
        ),
    ),
    Operation(
        "delete", "/wxbot/qun/{number}", "closeQun", "关闭群", {204: Reply("已关闭；重复请求也是 204")},
        description="助手在群里发出告知后退出；此后入群令牌和落地页失效（410）。",
        parameters=(Parameter("number", "path", "群号"),), errors=(errors.NotFound,),
    ),
    Operation(
        "get", "/wxbot/qun/{number}/members", "listMembers", "群员列表",
        {200: Reply("一页群员", lists.MembersResponse)},
        parameters=(
            Parameter("number", "path", "群号"),
            Parameter("state", "query", "群员关系的状态，默认 joined", _enum(MemberState), required=False),
            *PAGES,
        ),
        errors=(errors.InvalidParameter, errors.NotFound),
    ),
    Operation(
        "post", "/wxbot/qun/membership", "joinQun", "请求入群",
        {
            200: Reply("已在群里", schema.JoinedResponse, headers=_LOCATION),
            202: Reply("待本人或群主确认、待加好友，或已排队（respond-async）", schema.OpenResponse, headers=_LOCATION),
        },
        description="返回的是在微信里确认的结果。可安全重试：不会重复邀请。",
        request_models=(schema.MembershipJoin,), parameters=(PREFER,),
        errors=(
            errors.InvalidParameter, errors.BodyTooLarge, errors.TooManyRequests, errors.AssistantUnknown,
            errors.AssistantOffline, errors.TokenInvalid, errors.TokenExpired, errors.MemberAmbiguous,
            errors.GroupFull, errors.MemberBlacklisted, errors.InviteFailed,
        ),
    ),
    Operation(
        "get", "/wxbot/qun/membership/{id}", "readMembership", "查询群员关系",
        {200: Reply("该群员关系", schema.MembershipResponse)},
        parameters=(_MEMBERSHIP,), errors=(errors.NotFound,),
    ),
    Operation(
        "delete", "/wxbot/qun/membership/{id}", "removeMembership", "移出群", {204: Reply("已不在群里")},
        parameters=(_MEMBERSHIP,),
        errors=(errors.NotFound, errors.AssistantUnknown, errors.AssistantOffline, errors.InviteFailed),
    ),
    Operation(
        "post", "/wxbot/message", "sendMessage", "发消息",
        {202: Reply("已受理", messages.MessageResponse, headers={"Location": "查询该消息的地址"})},
        description=(
            "to 与 qun 二选一。受理后先保存再答复，进程被 kill 也会发送。"
            "带同一 Idempotency-Key 的重复请求只发一次。"
        ),
        request_models=(messages.PersonMessage, messages.GroupMessage),
        parameters=(Parameter("Idempotency-Key", "header", "调用方自选的唯一值", LINE, required=False),),
        errors=(
            errors.InvalidParameter, errors.BodyTooLarge, errors.NotFound, errors.AssistantUnknown,
            errors.AssistantOffline, errors.MemberAmbiguous, errors.GroupNotMade,
        ),
    ),
    Operation(
        "post", "/wxbot/broadcast", "sendBroadcast", "群发",
        {202: Reply("已受理", messages.BroadcastPromise, headers={"Location": "查询结果的地址"})},
        description="带同一 Idempotency-Key 的重复请求只发一次。",
        request_models=(messages.BroadcastSend,),
        parameters=(Parameter("Idempotency-Key", "header", "调用方自选的唯一值", LINE, required=False),),
        errors=(errors.InvalidParameter, errors.BodyTooLarge, errors.NotFound, errors.AssistantUnknown),
    ),
    Operation(
        "get", "/wxbot/broadcast/{id}", "readBroadcast", "查询群发",
        {200: Reply("每个群的结果", messages.BroadcastResponse)},
        parameters=(Parameter("id", "path", "群发编号"),), errors=(errors.NotFound,),
    ),
    Operation(
        "post", "/wxbot/broadcast/{id}/cancel", "cancelBroadcast", "取消群发",
        {200: Reply("每个群的结果；已发送的保持原样", messages.BroadcastResponse)},
        description="尚未发出的不再发送。重复请求没有作用。",
        parameters=(Parameter("id", "path", "群发编号"),), errors=(errors.NotFound,),
    ),
    Operation(
        "get", "/wxbot/message/{id}", "readMessage", "查询消息", {200: Reply("该消息", messages.MessageResponse)},
        parameters=(Parameter("id", "path", "消息编号"),), errors=(errors.NotFound,),
    ),
    Operation(
        "post", "/wxbot/callback/{secret}", "callBack", "流程的回调",
        {200: Reply("已收到；重复的回调没有作用", schema.CallbackResponse)},
        description="地址即流程请求里的 callback_url。先于流程等待到达的结果会保留。",
        request_models=(schema.CallbackResult,),
        parameters=(Parameter("secret", "path", "地址末段", {"type": "string", "minLength": 1}),),
        errors=(errors.InvalidParameter, errors.BodyTooLarge, errors.NotFound),
        requires_key=False,
    ),
    Operation(
        "get", "/wxbot/ticket", "listTickets", "人工会话列表", {200: Reply("一页人工会话", lists.TicketsResponse)},
        parameters=(
            Parameter("state", "query", "状态", _enum(TicketState), required=False),
            Parameter("assistant", "query", "助手账号", LINE, required=False),
            *PAGES,
        ),
        errors=(errors.InvalidParameter,),
    ),
    Operation(
        "get", "/wxbot/ticket/{id}", "readTicket", "查询人工会话",
        {200: Reply("该会话和其中的一页消息", lists.TicketResponse)},
        parameters=(Parameter("id", "path", "人工会话编号"), *PAGES),
        errors=(errors.InvalidParameter, errors.NotFound),
    ),
    Operation(
        "get", "/wxbot/audit", "listAudit", "审计记录", {200: Reply("一页记录", lists.AuditResponse)},
        parameters=(
            Parameter("since", "query", "此时之后，ISO 8601", MOMENT, required=False),
            Parameter("kind", "query", "操作，如 group、add、remove", LINE, required=False),
            Parameter("who", "query", "操作者，如 rest:密钥名", LINE, required=False),
            *PAGES,
        ),
        errors=(errors.InvalidParameter,),
    ),
    Operation(
        "get", "/wxbot/webhook", "findWebhooks", "查询下行通知",
        {200: Reply("一页通知，默认最近的一百条", schema.WebhooksResponse)},
        parameters=(
            Parameter("state", "query", "状态，默认 failed", schema.WEBHOOK_STATE, required=False),
            Parameter("webhook", "query", "接收方的名字", LINE, required=False),
            *PAGES,
        ),
        errors=(errors.InvalidParameter,),
    ),
    Operation(
        "post", "/wxbot/webhook/{id}/resend", "resendWebhook", "重发下行通知",
        {202: Reply("将再次发送；未失败的保持原样", schema.WebhookResponse)},
        parameters=(Parameter("id", "path", "通知编号"),), errors=(errors.NotFound,),
    ),
    Operation(
        "post", "/wxbot/config/reload", "reloadConfig", "重新加载配置",
        {200: Reply("已生效的和需要重启的键", admin.ReloadResponse)},
        description="重新读取 config.yaml 和 faq.yaml。配置有误时不作任何更改，返回 1001 并说明错误。",
        errors=(errors.InvalidParameter,),
    ),
    Operation(
        "get", "/wxbot/assistant", "listAssistants", "助手列表", {200: Reply("所有助手", admin.AssistantsResponse)},
    ),
    Operation(
        "post", "/wxbot/assistant", "putAssistant", "添加或修改助手",
        {
            201: Reply("已添加", admin.AssistantResponse, headers={"Location": "该助手的地址"}),
            200: Reply("已修改", admin.AssistantResponse),
        },
        description="重启后仍然有效。config.yaml 里的助手不能在这里修改。",
        request_models=(admin.AssistantPut, admin.AssistantByAuthority, admin.WecomAssistantPut),
        errors=(errors.InvalidParameter, errors.BodyTooLarge),
    ),
    Operation(
        "delete", "/wxbot/assistant/{account}", "removeAssistant", "删除助手", {204: Reply("已删除")},
        description="config.yaml 里的助手不能在这里删除。",
        parameters=(Parameter("account", "path", "助手账号", {"type": "string", "minLength": 1}),),
        errors=(errors.InvalidParameter, errors.AssistantUnknown),
    ),
    Operation(
        "get", "/wecom/callback/{account}", "checkWecomCallback", "企业微信验证回调地址",
        {200: Reply("解密后的 echostr", media="text/plain")},
        description="不限来源网络，验证签名。",
        parameters=(*_SIGNED, Parameter("echostr", "query", "密文", {"type": "string"})),
        errors=(errors.OutsideNetwork, errors.NotFound), internal_only=False, requires_key=False,
    ),
    Operation(
        "post", "/wecom/callback/{account}", "receiveWecomCallback", "企业微信的回调",
        {200: Reply("success", media="text/plain")},
        description="不限来源网络，验证签名。正文是企业微信的加密 XML。",
        parameters=_SIGNED,
        errors=(errors.OutsideNetwork, errors.BodyTooLarge, errors.NotFound), internal_only=False, requires_key=False,
    ),
    Operation(
        "get", "/weiqun/{id}", "landing", "群的落地页",
        {
            200: Reply("群名、群主、人数、助手二维码、入群令牌", media="text/html"),
            404: Reply("没有这个群", media="text/html"),
            429: Reply("同一地址每分钟超过 60 次", media="text/html", headers={"Retry-After": "秒"}),
        },
        parameters=(Parameter("id", "path", "地址末段", {"type": "string", "minLength": 1}),),
        internal_only=False, requires_key=False,
    ),
    Operation("get", "/healthz", "healthz", "存活", {200: Reply("进程正在运行", schema.Health)}, requires_key=False),
    Operation(
        "get", "/readyz", "readyz", "就绪",
        {
            200: Reply("数据库与所有助手都在线", schema.Readiness),
            503: Reply("其中之一不在线", schema.Readiness),
        },
        requires_key=False,
    ),
    Operation("get", "/metrics", "metrics", "指标", {200: Reply("Prometheus", media="text/plain")}, requires_key=False),
    Operation("get", "/openapi.json", "openapi", "本接口的 OpenAPI 文档",
        {200: Reply("OpenAPI 3.1", schema.OpenApiDocument)}, requires_key=False),
    Operation("get", "/docs", "docs", "本接口的说明页", {200: Reply("网页", media="text/html")}, requires_key=False),
)  # fmt: skip
