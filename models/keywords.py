"""Keyword replies that were added by chat; they come before those of the config. Times are Unix seconds."""

from __future__ import annotations

import time

from sqlmodel import Field, SQLModel


class Keyword(SQLModel, table=True):
    """What a word is answered with, in one group or (number = null) in all of the account's conversations."""

    id: int | None = Field(default=None, primary_key=True)
    account: str = Field(index=True)
    number: int | None = Field(default=None, foreign_key="qun.number")
    word: str
    reply: str  # a text, or JSON where the rule has several parts or more than text (see `parts`)
    kind: str = "contains"  # equals | contains | regex
    place: str = "both"  # private | group | both
    parts: bool = False  # whether `reply` is the JSON list of the parts
    by: str  # the WeChat id of who added it
    created_at: float = Field(default_factory=time.time)
