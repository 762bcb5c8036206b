"""The reference page of the REST API."""

from __future__ import annotations

from typing import Any

from api.openapi import document
from docs.page import Describer, cell, table

Json = dict[str, Any]


def rest_page(say: Describer, language: str) -> str:
    """Return the page of all operations of the OpenAPI document."""
    api = document("http://127.0.0.1:8080", has_keys=True)
    parts = [
        _operation(path, method, operation, api["components"]["schemas"], zh=language == "zh")
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    return f"# REST\n\n{say.intro('rest', language)}\n\n" + "\n".join(parts)


def _operation(path: str, method: str, operation: Json, schemas: Json, *, zh: bool) -> str:
    escaped_path = path.replace("{", "&#123;").replace("}", "&#125;")
    lines = [f"## {method.upper()} {escaped_path}\n"]
    lines.append(
        f"**{operation['summary']}** {operation.get('description', '')}\n" if zh else f"`{operation['operationId']}`\n"
    )
    for parameter in operation.get("parameters", ()):
        description = f": {parameter.get('description', '')}" if zh else ""
        lines.append(f"- `{parameter['name']}` ({parameter['in']}){description}")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        lines.append(f"- {'请求体' if zh else 'body'}: {_fields(body, schemas)}")
    header = ("状态", "应答") if zh else ("Status", "Answer")
    rows = ((status, cell(_answer(answer, schemas, zh=zh))) for status, answer in operation["responses"].items())
    return "\n".join([*lines, "", table(header, rows)])


def _fields(schema: Json, schemas: Json) -> str:
    """Return the field names of a body; optional ones are followed by `?`."""
    kinds = []
    for variant in schema.get("oneOf") or schema.get("anyOf") or [schema]:
        resolved = schemas.get(variant.get("$ref", "").rpartition("/")[2], variant)
        required = resolved.get("required", ())
        names = [f"`{name}`{'' if name in required else '?'}" for name in resolved.get("properties", ())]
        kinds.append(", ".join(names) or "JSON")
    return " · ".join(kinds)


def _answer(answer: Json, schemas: Json, *, zh: bool) -> str:
    content = answer.get("content", {}).get("application/json", {})
    if codes := content.get("examples"):
        return ", ".join(f"[{code}](errors.md)" for code in codes)
    names = _fields(content["schema"], schemas) if "$ref" in content.get("schema", {}) else ""
    description = answer.get("description", "") if zh else ""
    return "; ".join(part for part in (description, names) if part) or "—"
