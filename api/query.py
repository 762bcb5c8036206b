"""Parsing of query parameters. Invalid ones raise InvalidParameter (1001)."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from aiohttp import web

from api.body import line, rejected
from services.paging import PageRequest

Choice = TypeVar("Choice", bound=StrEnum)


def page(request: web.Request) -> PageRequest:
    """Parse `limit` and `after`."""
    return PageRequest.parse(request.query.get("limit"), request.query.get("after"))


def text_parameter(request: web.Request, name: str) -> str:
    """Return a single-line parameter, or ""."""
    return line(name, request.query[name]) if name in request.query else ""


def choice(request: web.Request, name: str, among: type[Choice]) -> Choice | None:
    """Return a parameter as an enum value, or None."""
    value = request.query.get(name)
    try:
        return None if value is None else among(value)
    except ValueError:
        raise rejected(name, value, ", ".join(among)) from None


def wants_async(request: web.Request) -> bool:
    """Whether the request has `Prefer: respond-async` (RFC 7240)."""
    preferences = ",".join(request.headers.getall("Prefer", ()))
    return "respond-async" in (preference.partition(";")[0].strip().lower() for preference in preferences.split(","))


def moment(request: web.Request, name: str) -> float | None:
    """Parse an ISO 8601 time (UTC by default) to Unix seconds; None if it is missing."""
    value = request.query.get(name)
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise rejected(name, value, "a time in ISO 8601") from None
