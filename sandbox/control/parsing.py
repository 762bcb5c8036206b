"""Parsing of requests to the control API."""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from sandbox.world.model import ObjectNotFound, Person, Refused
from sandbox.world.world import World

WORLD: Final = web.AppKey("world", World)


async def body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of the body, or {} if the body is empty.

    Raises Refused, also for values that cannot be encoded again: lone surrogates and NaN.
    """
    raw = await request.read()
    if not raw:
        return {}
    try:
        values = json.loads(raw)
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Refused("请求体不是 JSON") from None
    if not isinstance(values, dict):
        raise Refused("请求体不是 JSON 对象")
    return values


def text(values: dict[str, Any], key: str, default: str | None = None) -> str:
    """Return a string field; raise Refused if it is not a string or missing without a default."""
    value = values.get(key, default)
    if not isinstance(value, str):
        raise Refused(f"缺少参数或不是文本：{key}")
    return value


def texts(values: dict[str, Any], key: str) -> list[str]:
    """Return a list of strings, empty if missing; raise Refused."""
    value = values.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(f"不是文本列表：{key}")
    return value


def number(values: dict[str, Any], key: str, default: float | None = None) -> float:
    """Return a number field; raise Refused."""
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(f"缺少参数或不是数字：{key}")
    return value


def flag(values: dict[str, Any], key: str, default: bool | None = None) -> bool:
    """Return a boolean field; raise Refused."""
    value = values.get(key, default)
    if not isinstance(value, bool):
        raise Refused(f"缺少参数或不是 true/false：{key}")
    return value


def query_parameter(request: web.Request, key: str) -> str:
    """Return a query parameter; raise ObjectNotFound if it is missing and has no default."""
    if key not in request.query:
        raise ObjectNotFound(f"缺少参数：{key}")
    return request.query[key]


def integer(value: str | None, default: int) -> int:
    """Parse an integer of the query or path; raise Refused."""
    if value is None:
        return default
    if not value.isascii() or not value.isdigit():
        raise Refused(f"不是整数：{value}")
    return int(value)


def actor(request: web.Request) -> tuple[World, Person]:
    """Return the world and the person named in the path."""
    world = request.app[WORLD]
    return world, world.people.get(request.match_info["person"])
