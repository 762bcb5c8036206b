"""Template values of /docs: fields, curl examples and sample responses of each operation; errors and events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from api import events
from api.openapi import all_errors, errors_of
from api.operation import Operation
from api.operations import OPERATIONS


def reference(title: str, url: str, has_keys: bool) -> dict[str, Any]:
    """Return the template values."""
    return {
        "title": title,
        "url": url,
        "has_keys": has_keys,
        "operations": [_describe(operation, url, has_keys) for operation in OPERATIONS],
        "errors": all_errors(),
        "events": events.EVENTS,
        "event_headers": events.HEADERS,
    }


def _describe(operation: Operation, url: str, has_keys: bool) -> dict[str, Any]:
    return {
        "it": operation,
        "fields": [(model.__doc__, _fields(model)) for model in operation.request_models],
        "curl": _curl(operation, url, has_keys),
        "errors": errors_of(operation, has_keys),
        "replies": [(status, reply, _example(reply.model)) for status, reply in operation.replies.items()],
    }


def _fields(model: type[BaseModel]) -> list[tuple[str, bool, str]]:
    return [(name, field.is_required(), field.description or "") for name, field in model.model_fields.items()]


def _example(model: type[BaseModel] | None) -> str:
    """Return a sample response for a schema."""
    if model is None:
        return ""
    schema = model.model_json_schema()
    return json.dumps(_sample(schema, schema.get("$defs", {})), ensure_ascii=False, indent=2)


def _sample(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _sample(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    for choice in ("const", "enum", "anyOf"):
        if choice in schema:
            value = schema[choice]
            return value if choice == "const" else value[0] if choice == "enum" else _sample(value[0], schemas)
    if schema["type"] == "object":
        if "properties" in schema:
            return {name: _sample(property_schema, schemas) for name, property_schema in schema["properties"].items()}
        return {"weimi1001": _sample(schema["additionalProperties"], schemas)}
    if schema.get("format") == "date-time":
        return "2026-01-01T08:00:00.000+00:00"
    return {"string": "…", "integer": 1, "boolean": True, "array": [], "null": None}[schema["type"]]


def _curl(operation: Operation, url: str, has_keys: bool) -> str:
    path = operation.path.replace("{number}", "100001").replace("{id}", "1")
    query = "&".join(f"{p.name}=shop-0001" for p in operation.parameters if p.location == "query")
    lines = [f"curl -X {operation.method.upper()} '{url}{path}{'?' if query else ''}{query}'"]
    if has_keys and operation.requires_key:
        lines.append("-H 'Authorization: Bearer KEY'")
    if any(p.location == "header" for p in operation.parameters):
        lines.append("-H 'Idempotency-Key: order-42'")
    if operation.request_models:
        examples = {n: f.examples[0] for n, f in operation.request_models[-1].model_fields.items() if f.examples}
        lines.append(f"-H 'Content-Type: application/json' -d '{json.dumps(examples, ensure_ascii=False)}'")
    return " \\\n  ".join(lines)
