"""Tables of console logins and sessions. Secrets are stored as SHA-256 hashes. Times are Unix seconds."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class LoginLink(SQLModel, table=True):
    """A single-use login link."""

    id: str = Field(primary_key=True)  # SHA-256 of the secret
    contact_id: str = Field(index=True)  # "" = the link printed on the terminal while there is no admin
    account: str  # the assistant that issued it
    name: str = ""
    expires_at: float
    used_at: float | None = None


class ConsoleSession(SQLModel, table=True):
    """A logged-in browser."""

    id: str = Field(primary_key=True)  # SHA-256 of the cookie
    contact_id: str = Field(index=True)
    account: str
    name: str = ""
    csrf: str
    address: str = ""  # the IP address that opened the session
    created_at: float
    seen_at: float = Field(index=True)
