"""Messages and broadcasts as pydantic models, for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import SkipJsonSchema

from api.body import MAX_MENTIONS
from api.schema import Answer, Line, Text

URL: dict[str, JsonValue] = {"pattern": "^https?://[!-~]+$", "maxLength": 256}
Url = Annotated[str, Field(json_schema_extra=URL)]
ASSISTANT = "weimi1001"
Absent = SkipJsonSchema[None]  # optional, but not nullable


class FileByUrl(BaseModel):
    """要下载的文件，其主机必须在 api.media_hosts 里"""

    model_config = ConfigDict(extra="forbid")

    url: Url = Field(examples=["https://files.example/price.pdf"])
    name: Line | Absent = Field(None, description="文件名，默认取自地址")


class FileByContent(BaseModel):
    """文件本身，最大 20 MB"""

    model_config = ConfigDict(extra="forbid")

    base64: str = Field(min_length=1, examples=["aGVsbG8="])
    name: Line = Field(description="文件名", examples=["price.txt"])


class LinkCard(BaseModel):
    """链接卡片"""

    model_config = ConfigDict(extra="forbid")

    title: Line = Field(examples=["官网"])
    url: Url = Field(examples=["https://example.com"])
    description: str = Field("", max_length=256)
    thumbnail: str = Field("", description="缩略图的地址")


File = FileByUrl | FileByContent


class Content(BaseModel):
    """一条消息的内容：text、image、file、link 必须且只能有一个"""

    text: Text | Absent = Field(None, examples=["您的订单已发货。"])
    image: File | Absent = Field(None, description="图片：PNG、JPEG、GIF、WebP 或 BMP")
    file: File | Absent = None
    link: LinkCard | Absent = None


class PersonMessage(Content):
    """发给好友的消息"""

    assistant: Line = Field(examples=[ASSISTANT])
    to: Line = Field(description="好友：微信 id、微信号、备注或昵称", examples=["黑旋风"])
    mentions: list[Any] = Field([], max_length=0, description="发给个人时不可用")


class GroupMessage(Content):
    """发到群里的消息"""

    assistant: Line = Field(examples=[ASSISTANT])
    qun: Line | int = Field(description="群号或群号代码", examples=[100001])
    mentions: list[Line] = Field([], max_length=MAX_MENTIONS, description="要 @ 的群员，仅用于 text")


class Message(Answer):
    """消息"""

    id: int
    state: Literal["queued", "sending", "sent", "failed"]


class MessageResponse(Answer):
    """一条消息"""

    message: Message


class BroadcastSend(Content):
    """群发：quns、tags、all 必须且只能有一个"""

    model_config = ConfigDict(extra="forbid")

    quns: list[Line | int] | Absent = Field(None, description="群号或群号代码", examples=[[100001]])
    tags: list[Line] | Absent = Field(None, description="有其中任一标签的群")
    all: bool | Absent = Field(None, description="true = 所有群")
    assistant: Line | Absent = Field(None, description="只发该助手的群")
    at: str | Absent = Field(None, description="发送时间，ISO 8601；默认立即", examples=["2026-12-01T20:00:00+08:00"])


class PromisedBroadcast(Answer):
    """已受理的群发"""

    id: int
    state: Literal["queued"]


class BroadcastPromise(Answer):
    """群发已受理"""

    broadcast: PromisedBroadcast


class BroadcastGroup(Answer):
    """群发在一个群的结果"""

    number: int = Field(description="群号")
    state: Literal["queued", "sending", "sent", "failed", "cancelled"]


class Broadcast(Answer):
    """群发和每个群的结果"""

    id: int
    state: Literal["queued", "sending", "done", "cancelled"]
    at: datetime = Field(description="发送时间")
    groups: list[BroadcastGroup]


class BroadcastResponse(Answer):
    """一次群发"""

    broadcast: Broadcast
