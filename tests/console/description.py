"""The console's JSON as an OpenAPI document, out of its routes: what their bodies and queries may hold."""

from __future__ import annotations

import re
from typing import Any, Final

from console.routes import API, ROUTES, Route

TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 4000}
LINE: Final = {"type": "string", "minLength": 1, "maxLength": 256}
NUMBER: Final = {"type": "integer"}
ROW: Final = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
HEX: Final = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
FILE: Final = {"type": "object", "properties": {"name": LINE, "base64": TEXT}}
FRIEND: Final = {"type": "object", "properties": {"assistant": LINE, "contact_id": LINE}}

# The fields of bodies, by the end of the path; all are optional, so that some are missing.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "/assistant": {"account": LINE, "endpoint": LINE, "token": LINE, "tls": {}, "authority": LINE},
    "/staff-room": {"room": LINE},
    "/reply": {"key": LINE, "text": TEXT, "image": FILE, "file": FILE},
    "/note": {"text": TEXT},
    "/assign": {"staff": LINE},
    "/remark": {"alias": LINE},
    "/presence": {"doing": {"enum": ["viewing", "writing", "left", "sleeping"]}},
    "/canned": {"name": LINE, "text": TEXT},
    "/canned/remove": {"name": LINE},
    "/blocked-word": {"word": LINE},
    "/blocked-word/remove": {"word": LINE},
    "/qun/{number}": {"topic": LINE, "announcement": TEXT, "welcome": TEXT},
    "/qun/{number}/add": {"contact_id": LINE},
    "/qun/{number}/{action}": {"contact_id": LINE, "reason": LINE, "word": LINE},
    "/knowledge/try": {"text": TEXT, "group": {"type": "boolean"}},
    "/keywords.yaml": {"yaml": TEXT},
    "/questions.yaml": {"yaml": TEXT},
    "/keyword": {"id": NUMBER, "kind": {"enum": ["equals", "contains", "regex", "x"]}, "word": LINE, "reply": TEXT},
    "/question": {"id": NUMBER, "questions": {"type": "array", "items": LINE}, "answer": TEXT},
    "/broadcast": {
        "key": LINE, "text": TEXT, "quns": {"type": "array", "items": NUMBER}, "all": {"type": "boolean"},
        "friends": {"type": "array", "items": FRIEND}, "at": {"type": "number"}, "image": FILE,
    },
    "/broadcast/{id}/cancel": {},
    "/timed": {"number": NUMBER, "cron": LINE, "text": TEXT},
    "/admin": {"contact": LINE},
}  # fmt: skip
QUERIES: Final = ("q", "limit", "after", "state", "view", "kind", "who", "since", "assistant", "name")
LEFT_OUT: Final = ("/events", "/logout")  # a stream; and what would end the caller's session


def operations() -> list[Route]:
    """The routes of the JSON."""
    return [route for route in ROUTES if route.role is not None and not route.path.endswith(LEFT_OUT)]


def plain_path(route: Route) -> str:
    """The path without patterns; one that names choices is called by its first."""
    path = re.sub(r"\{what:([a-z]+)\|[a-z|]+\}", r"\1", route.path)
    return re.sub(r":[^{}]*(\{[^{}]*\})?\}", "}", path)


def document() -> dict[str, Any]:
    """The document."""
    paths: dict[str, Any] = {}
    for route in operations():
        path = plain_path(route)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    return {"openapi": "3.1.0", "info": {"title": "console", "version": "1"}, "paths": paths}


def _operation(route: Route, path: str) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    schemas = [ROW if name in ("number", "id") and "/session/" not in path else HEX for name in names]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in zip(names, schemas, strict=True)
    ]
    described: dict[str, Any] = {"responses": {"default": {"description": "any"}}}
    if route.method == "GET":
        parameters += [{"name": name, "in": "query", "schema": {"type": "string"}} for name in QUERIES]
    else:
        fields = BODIES.get(path.removeprefix(API)) or BODIES.get(path[path.rindex("/") :], {})
        described["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": {"type": "object", "properties": fields}}}
        }  # fmt: skip
    return described | {"parameters": parameters}
