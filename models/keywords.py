"""Table of keyword replies added at run time; they take precedence over those of the config. Times are Unix seconds."""

from __future__ import annotations

import time

from sqlalchemy import false
from sqlmodel import Field, SQLModel


class Keyword(SQLModel, table=True):
    """A keyword reply for one group, or (number = null) for all conversations of the account."""

    id: int | None = Field(default=None, primary_key=True)
    account: str = Field(index=True)
    number: int | None = Field(default=None, foreign_key="qun.number")
    word: str
    reply: str  # a text, or JSON if the reply has several parts or is not a text (see `parts`)
    kind: str = Field(default="contains", sa_column_kwargs={"server_default": "contains"})  # equals | contains | regex
    place: str = Field(default="both", sa_column_kwargs={"server_default": "both"})  # private | group | both
    parts: bool = Field(default=False, sa_column_kwargs={"server_default": false()})  # whether `reply` is JSON
    by: str  # WeChat id of the author
    created_at: float = Field(default_factory=time.time)
