"""Generates the OpenAPI 3.1 document from the operations and their pydantic models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import events, schema
from api.events import REF
from api.operation import JSON, ErrorTypes, Operation, Reply
from api.operations import OPERATIONS
from errors import BadKey, BotError, DatabaseAway, OutsideNetwork
from version import VERSION

Json = dict[str, Any]
TAG: Final = "wxbot"  # code generators create one class per tag, so webhooks have another


def document(public_url: str, has_keys: bool) -> Json:
    """Return the document. `has_keys`: whether API keys are configured."""
    paths: dict[str, Json] = defaultdict(dict)
    for operation in OPERATIONS:
        paths[operation.path][operation.method] = _operation(operation, has_keys)
    # The webhooks are references to components: for path items inlined in `webhooks`, openapi-generator produces code
    # that does not compile; for referenced ones it produces none.
    components: Json = {"schemas": _schemas() | events.schemas(), "pathItems": events.described()}
    if has_keys:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "wxbot 微信智能服务助手",
            "version": VERSION,
            "description": "上行接口：JSON，UTF-8。错误的正文一律是 ErrorResponse。",
        },
        "servers": [{"url": public_url}],
        "paths": dict(paths),
        "webhooks": {name: {"$ref": f"#/components/pathItems/{name}"} for name in events.EVENTS},
        "components": components,
    }


def all_errors(base: type[BotError] = BotError) -> list[type[BotError]]:
    """Return all public errors, ordered by code, those of errors.py first."""
    errors = {base, *(error for subclass in base.__subclasses__() for error in all_errors(subclass))}
    return sorted(errors, key=lambda error: (error.code, error.status, error.__module__ != "errors", error.__name__))


def errors_of(operation: Operation, has_keys: bool) -> ErrorTypes:
    """Return all errors of an operation by code."""
    common = [
        BotError,
        DatabaseAway,
        *([OutsideNetwork] if operation.internal_only else []),
        *([BadKey] if _needs_key(operation, has_keys) else []),
    ]
    return sorted({*operation.errors, *common}, key=lambda error: (error.code, error.status))


def _needs_key(operation: Operation, has_keys: bool) -> bool:
    return has_keys and operation.requires_key


def _operation(operation: Operation, has_keys: bool) -> Json:
    document: Json = {"operationId": operation.name, "summary": operation.title, "tags": [TAG], "responses": {}}
    if operation.description:
        document["description"] = operation.description
    if operation.parameters:
        document["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.location,
                "required": parameter.required,
                "description": parameter.description,
                "schema": dict(parameter.schema),
            }
            for parameter in operation.parameters
        ]
    if operation.request_models:
        document["requestBody"] = {"required": True, "content": {JSON: {"schema": _one_of(operation.request_models)}}}
    if _needs_key(operation, has_keys):
        document["security"] = [{"key": []}]
    for status, reply in operation.replies.items():
        document["responses"][str(status)] = _reply(reply)
    for status, errors in _by_status(errors_of(operation, has_keys)):
        if status not in operation.replies:
            document["responses"][str(status)] = _error_response(errors)
    return document


def _one_of(models: Sequence[type[BaseModel]]) -> Json:
    refs = [{"$ref": REF.format(model=model.__name__)} for model in models]
    return refs[0] if len(refs) == 1 else {"oneOf": refs}


def _reply(reply: Reply) -> Json:
    response: Json = {"description": reply.description}
    if reply.headers:
        response["headers"] = {
            name: {"description": about, "schema": {"type": "string"}} for name, about in reply.headers.items()
        }
    if reply.model is not None:
        models = [reply.model, reply.alternative] if reply.alternative else [reply.model]
        response["content"] = {reply.media: {"schema": _one_of(models)}}
    elif reply.media != JSON:
        response["content"] = {reply.media: {"schema": {"type": "string"}}}
    return response


def _by_status(errors: ErrorTypes) -> Iterator[tuple[int, list[type[BotError]]]]:
    grouped: dict[int, list[type[BotError]]] = defaultdict(list)
    for error in errors:
        grouped[error.status].append(error)
    yield from sorted(grouped.items())


def _error_response(errors: ErrorTypes) -> Json:
    return {
        "description": "；".join(f"{error.code} {error.message}" for error in errors),
        "content": {
            JSON: {
                "schema": _one_of([schema.ErrorResponse]),
                "examples": {
                    str(error.code): {"value": {"error": {"code": error.code, "message": error.message}}}
                    for error in errors
                },
            }
        },
    }


def _schemas() -> Json:
    models = {model for operation in OPERATIONS for model in operation.request_models}
    replies = [reply for operation in OPERATIONS for reply in operation.replies.values()]
    models |= {model for reply in replies for model in (reply.model, reply.alternative) if model}
    sorted_models = sorted(models | {schema.ErrorResponse}, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "serialization") for model in sorted_models], ref_template=REF)
    definitions: Json = schemas["$defs"]
    for definition in definitions.values():
        for field in definition.get("properties", {}).values():
            field.pop("default", None)  # openapi-typescript makes fields with a default required
    return definitions
