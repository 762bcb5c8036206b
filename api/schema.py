"""Requests and responses as pydantic models, for the OpenAPI document.

Requests are validated by api.body with the same rules; a test compares both.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import SkipJsonSchema

from api.body import MAX_CHARACTERS, MAX_MENTIONS, MAX_TEXT
from models.groups import MemberState, QunState
from services.groups.memberships import JoinOutcome
from services.groups.presentation import MAX_ANNOUNCEMENT, MAX_TOPIC, MAX_WELCOME
from wechat.interface import State

_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_CONTROL_IN_TEXT = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"


def _not_blank(forbidden: str) -> dict[str, JsonValue]:
    """Return a pattern for texts without control characters that are not blank."""
    return {"pattern": rf"^[^{forbidden}]*[^\s{forbidden}][^{forbidden}]*$"}


LINE: dict[str, JsonValue] = {"minLength": 1, "maxLength": MAX_CHARACTERS, **_not_blank(_CONTROL)}
TEXT: dict[str, JsonValue] = {"minLength": 1, "maxLength": MAX_TEXT, **_not_blank(_CONTROL_IN_TEXT)}
Line = Annotated[str, Field(json_schema_extra=LINE)]
Text = Annotated[str, Field(json_schema_extra=TEXT)]


class Answer(BaseModel):
    """Base of responses, which have exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class Listing(Answer):
    """Base of list pages."""

    next: str | None = Field(description="下一页的 after；最后一页为 null")


# ---- groups ----


class QunCreate(BaseModel):
    """请求建群"""

    code: Line = Field(description="群号代码，由调用方指定，同一代码只建一个群", examples=["shop-0001"])
    owner: Line = Field(description="群主：微信 id、微信号、备注或昵称，须是助手的好友", examples=["宋公明"])
    assistant: Line = Field(description="助手账号", examples=["weimi1001"])


class QunUrl(Answer):
    """群的落地页地址"""

    url: str = Field(examples=["http://yunmof.com/weiqun/MTAwMTEx"])


class QueuedQun(QunUrl):
    """稍后建好的群"""

    state: Literal["queued"]


class QunQueuedResponse(Answer):
    """建群已排队"""

    qun_create_response: QueuedQun


Topic = Annotated[str, Field(json_schema_extra=LINE | {"maxLength": MAX_TOPIC})]
Announcement = Annotated[str, Field(json_schema_extra=TEXT | {"maxLength": MAX_ANNOUNCEMENT})]
_WELCOME: dict[str, JsonValue] = {
    "maxLength": MAX_WELCOME,
    "pattern": rf"^([^{_CONTROL_IN_TEXT}]*[^\s{_CONTROL_IN_TEXT}][^{_CONTROL_IN_TEXT}]*)?$",
}
Welcome = Annotated[str, Field(json_schema_extra=_WELCOME)]


class QunChange(BaseModel):
    """要修改的内容，至少一项"""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    topic: Topic | SkipJsonSchema[None] = Field(None, description="群名", examples=["一号店会员群"])
    announcement: Announcement | SkipJsonSchema[None] = Field(None, description="群公告", examples=["今晚八点直播"])
    welcome: Welcome | None = Field(None, description="欢迎语；空 = 不发送，null = 使用配置")
    tags: list[Line] = Field([], max_length=MAX_MENTIONS, description="标签，群发时可用", examples=[["vip"]])


class QunCreateResponse(Answer):
    """建群结果"""

    qun_create_response: QunUrl


class Qun(Answer):
    """群"""

    number: int = Field(description="群号", examples=[100001])
    code: str
    topic: str = Field(description="群名")
    owner: str
    assistant: str
    url: str
    token: str = Field(description="入群令牌", examples=["NTkxNjkwNzE4RDY2"])
    state: QunState
    members: int = Field(description="群人数")
    capacity: int = Field(description="群容量")
    created_at: datetime


class QunResponse(Answer):
    """一个群"""

    qun: Qun


# ---- memberships ----


class MembershipJoin(BaseModel):
    """请求入群"""

    token: Line = Field(description="入群令牌", examples=["NTkxNjkwNzE4RDY2"])
    member: Line = Field(description="群员：昵称、备注、微信号或微信 id", examples=["黑旋风"])


class Joined(Answer):
    """已在群里"""

    approved: Literal[JoinOutcome.OK]


class Invited(Answer):
    """等待本人或群主在微信里确认"""

    approved: Literal[JoinOutcome.INVITED]


class Pending(Answer):
    """还不是助手的好友；成为好友后自动拉入群"""

    approved: Literal[JoinOutcome.PENDING]
    assistant: str = Field(description="要添加的助手")


class JoinedResponse(Answer):
    """入群结果：已入群"""

    membership_join_response: Joined


class Queued(Answer):
    """已排队，轮到时再拉入群"""

    approved: Literal[JoinOutcome.QUEUED]


class OpenResponse(Answer):
    """入群结果：待确认、待加好友或已排队"""

    membership_join_response: Invited | Pending | Queued


class Membership(Answer):
    """群员关系"""

    id: int
    number: int = Field(description="群号")
    member: str
    state: MemberState
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


class MembershipResponse(Answer):
    """一个群员关系"""

    membership: Membership


# ---- business systems ----


class CallbackResult(BaseModel):
    """流程等待的结果，任意 JSON 对象；哪些值算成功由流程的 expect 决定"""

    model_config = ConfigDict(extra="allow")


class Received(Answer):
    """已收到"""

    received: Literal["ok"]


class CallbackResponse(Answer):
    """回调的答复"""

    callback_response: Received


WEBHOOK_STATE: dict[str, Any] = {"type": "string", "enum": ["queued", "sent", "failed"]}


class Webhook(Answer):
    """一条下行通知"""

    id: int
    webhook: str = Field(description="接收方的名字")
    receiver: str = Field(description="接收方地址，不含其中的密钥")
    event: str = Field(description="事件编号，即 webhook-id")
    type: str
    key: str = Field(description="同一 key 的通知按顺序送达")
    state: Literal["queued", "sending", "sent", "failed"]
    attempts: int
    error: str
    created_at: datetime
    done_at: datetime | None


class WebhookResponse(Answer):
    """一条下行通知"""

    webhook: Webhook


class WebhooksResponse(Listing):
    """下行通知"""

    webhooks: list[Webhook]


# ---- other ----


class OpenApiDocument(BaseModel):
    """OpenAPI 3.1 文档"""

    model_config = ConfigDict(extra="allow")


class Health(Answer):
    """进程存活"""

    status: Literal["ok"]


class Readiness(Answer):
    """数据库与各助手的状态"""

    ready: bool
    database: Literal["ok", "down"]
    assistants: dict[str, State]


class Fault(Answer):
    """错误码与说明"""

    code: int
    message: str


class ErrorResponse(Answer):
    """错误"""

    error: Fault
