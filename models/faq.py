"""Tables of the FAQ. Times are Unix seconds."""

from __future__ import annotations

import time

from sqlalchemy import JSON
from sqlmodel import Field, SQLModel


class Question(SQLModel, table=True):
    """A question with its variants and its answer, added by people; takes precedence over the file."""

    id: int | None = Field(default=None, primary_key=True)
    questions: list[str] = Field(sa_type=JSON)
    answer: str
    by: str  # who added or last changed it, in the format of the audit log
    created_at: float = Field(default_factory=time.time)
    updated_at: float = Field(default_factory=time.time)


class FaqMenu(SQLModel, table=True):
    """The questions last offered to a person as a menu, normalised."""

    account: str = Field(primary_key=True)
    conversation: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    questions: list[str] = Field(sa_type=JSON)
    asked_at: float
    expires_at: float


class FaqMiss(SQLModel, table=True):
    """How often a question without an answer was asked on one day."""

    account: str = Field(primary_key=True)
    day: str = Field(primary_key=True)  # YYYY-MM-DD in the config's time zone
    question: str = Field(primary_key=True)  # normalised
    count: int = 1


class TextEmbedding(SQLModel, table=True):
    """The embedding of a listed text. `key` is a hash of the model and the text."""

    key: str = Field(primary_key=True)
    vector: bytes  # 32-bit floats, little endian
    created_at: float
