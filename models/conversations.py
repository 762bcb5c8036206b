"""Tables of conversations and of per-person reply state. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.row_id import row_id

_IN_TICKET = text("ticket is not null")


class StoredMessage(SQLModel, table=True):
    """One message: private ones in both directions; in groups, those to the assistant and from it."""

    __tablename__ = "said"
    __table_args__ = (
        Index("ix_said_conversation", "account", "conversation", "id"),
        Index("ix_said_ticket", "ticket", "id", sqlite_where=_IN_TICKET, postgresql_where=_IN_TICKET),
    )

    id: int | None = row_id()
    account: str
    conversation: str  # contact id or room id
    by: str  # WeChat id; "" = the assistant
    staff: str = ""  # the staff member who wrote the assistant's message or the note
    at: float = Field(index=True)
    kind: str
    text: str = ""
    media: str = ""  # path of the stored file, if any
    message_id: str = ""  # WeChat's message id, needed to download the file
    ticket: int | None = None
    # key of its outbox row, which has the delivery state
    outbox_key: str = Field(default="", sa_column_kwargs={"server_default": ""})
    internal: bool = False  # a note for staff; never sent to the customer


class Greeted(SQLModel, table=True):
    """A friend who has been greeted."""

    account: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    at: float


class BecameFriend(SQLModel, table=True):
    """When a person last became a friend, so that friend.added is emitted once."""

    account: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    at: float


class FallbackSent(SQLModel, table=True):
    """When a person last received the fallback reply."""

    __tablename__ = "fallbacksaid"

    account: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    at: float
    times: int = Field(default=1, sa_column_kwargs={"server_default": "1"})  # since then, with what was offered again
