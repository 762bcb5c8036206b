"""Lists in pages, newest first: a cursor is the last row's number, so that rows added meanwhile move nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from errors import InvalidParameter
from models.schema import MAX_ID

Row = TypeVar("Row")
Shown = TypeVar("Shown")
MAX_LIMIT: Final = 200
USUAL_LIMIT: Final = 50


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many rows are wanted, and below which number (None: from the newest on)."""

    limit: int = USUAL_LIMIT
    before: int | None = None

    @classmethod
    def parse(cls, limit: str | None, after: str | None) -> PageRequest:
        """Read `?limit=` and `?after=`; InvalidParameter."""
        size = USUAL_LIMIT if limit is None else _whole("limit", limit)
        if not 1 <= size <= MAX_LIMIT:
            raise InvalidParameter("limit")
        return cls(size, None if after is None else _whole("after", after))


def _whole(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > len(str(MAX_ID)) or int(value) > MAX_ID:
        raise InvalidParameter(name)
    return int(value)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, and what to give as `after` for those that follow; None at the end."""

    rows: Sequence[Row]
    next: str | None = None

    def map(self, show: Callable[[Row], Shown]) -> Page[Shown]:
        """The page with each row shown in another way."""
        return Page([show(row) for row in self.rows], self.next)


def page_of(rows: Sequence[Row], wanted: PageRequest, number: Callable[[Row], int | None]) -> Page[Row]:
    """The page, of rows that were read with a limit of one more than wanted."""
    kept = rows[: wanted.limit]
    return Page(kept, str(number(kept[-1])) if len(rows) > wanted.limit else None)
