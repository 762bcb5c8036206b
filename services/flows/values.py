"""Placeholders in flows, filled in with the values of earlier steps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from config.flow_settings import PLACEHOLDER

MAX_VALUE: Final = 2000  # characters of a value inside a text
MAX_REASON: Final = 200
_UNSENDABLE: Final = re.compile("[\x00\ud800-\udfff]")  # characters that messages and databases reject


class MissingValue(Exception):
    """A placeholder has no value, or one that cannot be used there. The message is its name."""


def look_up(values: Mapping[str, Any], name: str, field: str) -> Any:
    """Return the value of {name.field}; raise MissingValue if there is none."""
    value: Any = values.get(name)
    for part in field.split(".")[1:]:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise MissingValue(f"{name}{field}")
    return value


def fill_text(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a text; raise MissingValue if a value is missing."""
    return PLACEHOLDER.sub(lambda match: _as_text(match, values), template)


def fill_available(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a text; missing values become ""."""

    def fill(match: re.Match[str]) -> str:
        try:
            return _as_text(match, values)
        except MissingValue:
            return ""

    return PLACEHOLDER.sub(fill, template)


def fill_body(template: Any, values: Mapping[str, Any]) -> Any:
    """Fill in a JSON tree. A string that consists of one placeholder becomes the value itself."""
    if isinstance(template, str):
        placeholder = PLACEHOLDER.fullmatch(template)
        return look_up(values, placeholder[1], placeholder[2]) if placeholder else fill_text(template, values)
    if isinstance(template, list):
        return [fill_body(item, values) for item in template]
    if isinstance(template, dict):
        return {key: fill_body(item, values) for key, item in template.items()}
    return template


def fill_path(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a URL path with percent-encoded values; raise MissingValue for a value that would change the path's
    structure.
    """

    def fill(match: re.Match[str]) -> str:
        text = _as_text(match, values)
        if text in ("", ".", ".."):
            raise MissingValue(match[1] + match[2])
        return quote(text, safe="")

    filled = PLACEHOLDER.sub(fill, template)
    return quote(filled, safe="/?&=%:@!$'()*+,;~-._")


def matches(value: Any, expect: Any) -> bool:
    """Whether a result has all expected values, at any depth; extra ones are ignored. True does not equal 1."""
    if isinstance(expect, dict):
        return isinstance(value, dict) and all(name in value and matches(value[name], expect[name]) for name in expect)
    return bool(value == expect) and isinstance(value, bool) == isinstance(expect, bool)


def reason(value: Any) -> str:
    """Return the `message` of a business system's response as one short line, or ""."""
    if not isinstance(value, dict):
        return ""
    message = value.get("message") or value.get("error")
    if isinstance(message, dict):
        message = message.get("message")
    return " ".join(_UNSENDABLE.sub("", message).split())[:MAX_REASON] if isinstance(message, str) else ""


def summary(value: Mapping[str, Any]) -> str:
    """Return a result as one short line: its `message`, or its JSON."""
    return reason(value) or _UNSENDABLE.sub("", json.dumps(value, ensure_ascii=False))[:MAX_REASON]


def _as_text(match: re.Match[str], values: Mapping[str, Any]) -> str:
    value = look_up(values, match[1], match[2])
    if value is None:
        raise MissingValue(match[1] + match[2])
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _UNSENDABLE.sub("", text)[:MAX_VALUE]
