"""What was said, and what the assistant remembers of a person between two messages. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

_IN_TICKET = text("ticket is not null")


class Said(SQLModel, table=True):
    """One thing said in a conversation: private ones both ways, in groups what was said to the assistant and by it."""

    __table_args__ = (
        Index("ix_said_conversation", "account", "conversation", "id"),
        Index("ix_said_ticket", "ticket", "id", sqlite_where=_IN_TICKET, postgresql_where=_IN_TICKET),
    )

    id: int | None = Field(default=None, primary_key=True)
    account: str
    conversation: str  # a person's id, or a room's
    by: str  # a WeChat id; "" = the assistant
    staff: str = ""  # the person whose words the assistant spoke, or who noted it
    at: float = Field(index=True)
    kind: str
    text: str = ""
    media: str = ""  # path of the file, once it was kept
    message_id: str = ""  # with which WeChat gives the file
    ticket: int | None = None
    outbox_key: str = Field(default="", sa_column_kwargs={"server_default": ""})  # of its promise; tells how it stands
    internal: bool = False  # a note among the staff; the customer never sees it


class Greeted(SQLModel, table=True):
    """A new friend who was greeted; nobody is twice."""

    account: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    at: float


class BecameFriend(SQLModel, table=True):
    """When a person last became a friend, so that it is told once however often it is seen."""

    account: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    at: float


class FallbackSaid(SQLModel, table=True):
    """When a person was last told that they were not understood."""

    account: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    at: float
    times: int = Field(default=1, sa_column_kwargs={"server_default": "1"})  # since then, with what was offered again
