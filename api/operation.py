"""The description of a REST operation, from which the OpenAPI document and the reference are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

import errors

JSON: Final = "application/json"
ErrorTypes = Sequence[type[errors.BotError]]
ID: Final = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter outside the body; `location` is path, query or header."""

    name: str
    location: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: ID)
    required: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful response."""

    description: str
    model: type[BaseModel] | None = None
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    alternative: type[BaseModel] | None = None  # an alternative schema, depending on the request


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

    method: str
    path: str
    name: str
    title: str
    replies: Mapping[int, Reply]
    description: str = ""
    request_models: Sequence[type[BaseModel]] = ()
    parameters: Sequence[Parameter] = ()
    errors: ErrorTypes = ()
    internal_only: bool = True  # restricted to the allowed networks
    requires_key: bool = True  # requires an API key if keys are configured
