"""Requests and responses of administration as pydantic models, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schema import Answer, Line
from wechat.interface import State

NO_FILE = "^(?!file:)"
HOST = r"(\[[0-9a-fA-F:]+\]|(?!file:)[A-Za-z0-9._-]+)"
PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3})"
ENDPOINT = f"^{HOST}:{PORT}$"
TOKEN = "^(?!file:)([!-~]([ -~]*[!-~])?)?$"


Endpoint = Annotated[str, Field(json_schema_extra={"pattern": ENDPOINT})]
Token = Annotated[str, Field(json_schema_extra={"pattern": TOKEN})]
AUTHORITY = "^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
NEEDED_TOKEN = "^(?!file:)[!-~]([ -~]*[!-~])?$"
Needed = Annotated[str, Field(json_schema_extra={"pattern": "^(?!file:)[!-~]+$"})]
NoFile = Annotated[str, Field(json_schema_extra={"pattern": NO_FILE})]


class ReloadResponse(Answer):
    """重新加载的结果"""

    changed: list[str] = Field(description="已生效的键", examples=[["texts.bad_token", "webhooks"]])
    restart: list[str] = Field(description="需要重启才生效的键", examples=[["database"]])


class AssistantPut(BaseModel):
    """要添加或修改的助手：网关的地址已知"""

    model_config = ConfigDict(extra="forbid")

    account: Line = Field(description="助手账号", examples=["weimi1002"])
    endpoint: Endpoint = Field(description="网关的 host:port", examples=["10.0.0.5:8788"])
    token: Token = Field("", description="网关的令牌", examples=["uuid-of-the-gateway"])
    tls: Literal["auto", "true", "false"] | bool = Field("auto", description="auto = 先试 TLS")
    tls_server_name: NoFile = ""


class AssistantByAuthority(BaseModel):
    """要添加或修改的助手：网关的地址由令牌服务解析"""

    model_config = ConfigDict(extra="forbid")

    account: Line = Field(description="助手账号", examples=["weimi1002"])
    authority: Annotated[str, Field(json_schema_extra={"pattern": AUTHORITY})] = Field(
        description="令牌服务的地址", examples=["https://api.example.com"]
    )
    token: Annotated[str, Field(json_schema_extra={"pattern": NEEDED_TOKEN})] = Field(description="网关的令牌")
    tls: Literal["auto", "true", "false"] | bool = Field("auto", description="auto = 先试 TLS")
    tls_server_name: NoFile = ""


class WecomCallback(BaseModel):
    """企业微信管理后台里回调地址旁的两个值"""

    model_config = ConfigDict(extra="forbid")

    token: Needed
    aes_key: Annotated[str, Field(json_schema_extra={"pattern": "^[A-Za-z0-9]{43}$"})] = Field(
        description="EncodingAESKey"
    )


class WecomGroups(BaseModel):
    """由助手管理的客户群"""

    model_config = ConfigDict(extra="forbid")

    pool: list[Needed] = Field([], json_schema_extra={"uniqueItems": True}, description="客户群 ID")
    room_base_name: str = Field("", max_length=40, description="自动新建的群的名称")
    room_base_id: int = Field(1, ge=1, le=2**31 - 1, description="自动新建的群的起始编号")


class WecomAssistantPut(BaseModel):
    """要添加或修改的助手：企业微信的微信客服"""

    model_config = ConfigDict(extra="forbid")

    account: Line = Field(description="助手账号", examples=["kefu1"])
    kind: Literal["wecom"]
    corp_id: Needed = Field(description="企业 ID")
    secret: Needed = Field(description="应用的 Secret")
    agent: int = Field(0, ge=0, le=2**31 - 1, description="应用的 AgentId")
    open_kfid: Needed = Field(description="客服账号 ID")
    callback: WecomCallback
    handoff: Literal["console", "client"] = Field("console", description="客户要求人工时在哪里答复")
    groups: WecomGroups = WecomGroups()


class Assistant(Answer):
    """助手"""

    account: str
    state: State
    holder: str = Field(description="由哪个进程运行")
    friends: int = Field(description="好友数")
    groups: int = Field(description="群数")
    waiting: int = Field(description="等待发送的消息数")
    capabilities: list[str] = Field(description="该渠道支持的功能", examples=[["link", "menu", "send_once"]])
    qr_code: str = Field("", description="等待扫码登录时，二维码的内容")


class AssistantsResponse(Answer):
    """所有助手"""

    assistants: list[Assistant]


class AssistantResponse(Answer):
    """一个助手"""

    assistant: Assistant
