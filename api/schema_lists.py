"""List responses as pydantic models, for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.schema import Answer, Listing, Qun
from models.groups import MemberState
from models.support import TicketState


class QunsResponse(Listing):
    """群的列表"""

    quns: list[Qun]


class Member(Answer):
    """群员"""

    id: int = Field(description="群员关系编号")
    contact_id: str | None = Field(description="微信内部编号，尚不知道时为 null")
    member: str = Field(description="昵称")
    state: MemberState
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


class MembersResponse(Listing):
    """群员的列表"""

    members: list[Member]


class Ticket(Answer):
    """人工会话"""

    id: int
    assistant: str
    contact_id: str
    name: str = Field(description="客户昵称")
    state: TicketState
    staff: str = Field(description="接待人昵称")
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    closed_by: str
    mark: int | None = Field(description="客户评分，1–5")


class TicketsResponse(Listing):
    """人工会话的列表"""

    tickets: list[Ticket]


class TicketMessage(Answer):
    """人工会话里的一条消息"""

    id: int
    at: datetime
    by: Literal["customer", "assistant", "staff"]
    staff: str = Field(description="通过助手发言或添加备注的接待人")
    kind: str
    text: str
    internal: bool = Field(description="内部备注，客户看不到")


class TicketWithMessages(Ticket):
    """人工会话和其中的消息，新的在前"""

    messages: list[TicketMessage]


class TicketResponse(Listing):
    """一个人工会话"""

    ticket: TicketWithMessages


class AuditAction(Answer):
    """以助手名义执行的一项操作"""

    id: int
    at: datetime
    assistant: str
    kind: str
    who: str = Field(description="发起者：rest:密钥名或地址、person:微信编号、job:任务名、guard")
    target: str
    detail: dict[str, str]
    outcome: str = Field(description="tried | done | invited | failed | unknown")
    seen: str = Field(description="在微信里看到的结果")


class AuditResponse(Listing):
    """审计记录的列表"""

    audit: list[AuditAction]
