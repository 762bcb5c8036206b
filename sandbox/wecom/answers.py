"""Responses of the stand-in."""

from __future__ import annotations

from typing import Any, Final

OK: Final[dict[str, Any]] = {"errcode": 0, "errmsg": "ok"}


def refused(code: int, text: str) -> dict[str, Any]:
    """Return a response with an error code."""
    return {"errcode": code, "errmsg": text}
