"""64-bit row ids, for tables that grow with every message."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field

MAX_ROW_ID: Final = 2**63 - 1
WIDE: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's INTEGER has 64 bits, and only it gives row ids


def row_id() -> Any:
    """Return the field of a primary key that the database assigns."""
    return Field(default=None, sa_column=Column(WIDE, primary_key=True))
