"""What the control API's handlers read of a request."""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from sandbox.world.model import NotThere, Person, Refused
from sandbox.world.world import World

WORLD: Final = web.AppKey("world", World)


async def body(request: web.Request) -> dict[str, Any]:
    """The JSON object sent, or an empty one when nothing was; Refused, also for what no UTF-8 or JSON can hold again:
    half of an emoji, NaN."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        given = json.loads(raw)
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Refused("请求体不是 JSON") from None
    if not isinstance(given, dict):
        raise Refused("请求体不是 JSON 对象")
    return given


def text(given: dict[str, Any], key: str, default: str | None = None) -> str:
    """A string; Refused when it is missing without a default, or something else."""
    value = given.get(key, default)
    if not isinstance(value, str):
        raise Refused(f"缺少参数或不是文本：{key}")
    return value


def texts(given: dict[str, Any], key: str) -> list[str]:
    """A list of strings, empty when missing."""
    value = given.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(f"不是文本列表：{key}")
    return value


def number(given: dict[str, Any], key: str, default: float | None = None) -> float:
    """A number; Refused."""
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(f"缺少参数或不是数字：{key}")
    return value


def flag(given: dict[str, Any], key: str, default: bool | None = None) -> bool:
    """Yes or no; Refused."""
    value = given.get(key, default)
    if not isinstance(value, bool):
        raise Refused(f"缺少参数或不是 true/false：{key}")
    return value


def queried(request: web.Request, key: str) -> str:
    """A parameter of the query; NotThere when it is missing."""
    if key not in request.query:
        raise NotThere(f"缺少参数：{key}")
    return request.query[key]


def whole(value: str | None, default: int) -> int:
    """A whole number of the query or path; Refused."""
    if value is None:
        return default
    if not value.isascii() or not value.isdigit():
        raise Refused(f"不是整数：{value}")
    return int(value)


def actor(request: web.Request) -> tuple[World, Person]:
    """The world, and the person of the path who acts in it."""
    world = request.app[WORLD]
    return world, world.people.get(request.match_info["person"])
