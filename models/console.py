"""Who is logged in to the console. Secrets are kept as SHA-256 only. Times are Unix seconds."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class LoginLink(SQLModel, table=True):
    """A link that opens a session once."""

    id: str = Field(primary_key=True)  # SHA-256 of its secret
    contact_id: str = Field(index=True)  # "" = whoever reads the terminal, while there is no admin
    account: str  # the assistant it was asked of
    name: str = ""
    expires_at: float
    used_at: float | None = None


class ConsoleSession(SQLModel, table=True):
    """A browser that is logged in."""

    id: str = Field(primary_key=True)  # SHA-256 of the cookie
    contact_id: str = Field(index=True)
    account: str
    name: str = ""
    csrf: str
    address: str = ""  # it was opened from
    created_at: float
    seen_at: float = Field(index=True)
