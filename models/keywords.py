"""Keyword replies that were added by chat; they come before those of the config. Times are Unix seconds."""

from __future__ import annotations

import time

from sqlalchemy import false
from sqlmodel import Field, SQLModel


class Keyword(SQLModel, table=True):
    """What a word is answered with, in one group or (number = null) in all of the account's conversations."""

    id: int | None = Field(default=None, primary_key=True)
    account: str = Field(index=True)
    number: int | None = Field(default=None, foreign_key="qun.number")
    word: str
    reply: str  # a text, or JSON where the rule has several parts or more than text (see `parts`)
    kind: str = Field(default="contains", sa_column_kwargs={"server_default": "contains"})  # equals | contains | regex
    place: str = Field(default="both", sa_column_kwargs={"server_default": "both"})  # private | group | both
    parts: bool = Field(default=False, sa_column_kwargs={"server_default": false()})  # whether `reply` is JSON
    by: str  # the WeChat id of who added it
    created_at: float = Field(default_factory=time.time)
