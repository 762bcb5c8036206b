"""Lists in pages, newest first. The cursor is the id of the last row, so new rows do not shift pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sqlalchemy import BigInteger, BindParameter, literal

from errors import InvalidParameter
from models.row_id import MAX_ROW_ID

Row = TypeVar("Row")
Mapped = TypeVar("Mapped")
MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 50


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page size, and the id below which to start (None: at the newest)."""

    limit: int = DEFAULT_LIMIT
    before: int | None = None

    @classmethod
    def parse(cls, limit: str | None, after: str | None) -> PageRequest:
        """Parse `?limit=` and `?after=`; raise InvalidParameter."""
        size = DEFAULT_LIMIT if limit is None else _parse_number("limit", limit)
        if not 1 <= size <= MAX_LIMIT:
            raise InvalidParameter(f"limit: {size}; allowed: 1 to {MAX_LIMIT}")
        return cls(size, None if after is None else _parse_number("after", after))

    @property
    def bound(self) -> BindParameter[int]:
        """Return `before` as a 64-bit value, which may also be compared with the ids of small tables."""
        return literal(self.before, BigInteger)


def _parse_number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > len(str(MAX_ROW_ID)) or int(value) > MAX_ROW_ID:
        raise InvalidParameter(f"{name}: not a number; allowed: the digits of 0 to {MAX_ROW_ID}")
    return int(value)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A page of rows; `next` is the `after` of the following page, None at the end."""

    rows: Sequence[Row]
    next: str | None = None

    def map(self, convert: Callable[[Row], Mapped]) -> Page[Mapped]:
        """Return the page with `convert` applied to each row."""
        return Page([convert(row) for row in self.rows], self.next)


def page_of(rows: Sequence[Row], request: PageRequest, number: Callable[[Row], int | None]) -> Page[Row]:
    """Create a page from rows that were read with a limit of one more than wanted."""
    page = rows[: request.limit]
    return Page(page, str(number(page[-1])) if len(rows) > request.limit else None)
