"""What administrators send and get, as pydantic models: the API's document is made of them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.schema import Answer, Line
from wechat.interface import State


class ReloadResponse(Answer):
    """重新加载的结果"""

    changed: list[str] = Field(description="已生效的键", examples=[["texts.bad_token", "webhooks"]])
    restart: list[str] = Field(description="需要重启才生效的键", examples=[["database"]])


class AssistantPut(BaseModel):
    """要添加或修改的助手"""

    model_config = ConfigDict(extra="forbid")

    account: Line = Field(description="助手账号", examples=["weimi1002"])
    endpoint: str = Field(description="网关的 host:port", examples=["10.0.0.5:8788"])
    token: str = Field("", description="网关的令牌", examples=["uuid-of-the-gateway"])
    tls: bool | str = Field("auto", description="auto | true | false")
    tls_ca: str = Field("", description="CA 证书（PEM）文件")
    tls_server_name: str = ""


class Assistant(Answer):
    """助手"""

    account: str
    state: State
    holder: str = Field(description="由哪个进程运行")
    friends: int = Field(description="好友数")
    groups: int = Field(description="群数")
    waiting: int = Field(description="等待发送的消息数")
    qr_code: str = Field("", description="等待扫码登录时，二维码的内容")


class AssistantsResponse(Answer):
    """所有助手"""

    assistants: list[Assistant]


class AssistantResponse(Answer):
    """一个助手"""

    assistant: Assistant
