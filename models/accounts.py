"""Tables of admins and assistants added at run time. Times are Unix seconds."""

from __future__ import annotations

import time

from sqlalchemy import JSON
from sqlmodel import Field, SQLModel


class Admin(SQLModel, table=True):
    """A person who may command every assistant, in addition to those of the config."""

    id: int | None = Field(default=None, primary_key=True)
    contact_id: str = Field(unique=True)
    name: str = ""
    by: str  # the actor, in the format of the audit log
    created_at: float = Field(default_factory=time.time)


class StoredAssistant(SQLModel, table=True):
    """An assistant added by REST or in the console."""

    account: str = Field(primary_key=True)
    settings: dict[str, str | bool] = Field(sa_type=JSON)  # the keys of config.yaml
    by: str
    created_at: float = Field(default_factory=time.time)
    updated_at: float = Field(default_factory=time.time)
