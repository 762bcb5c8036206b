"""How a flow is written in config.yaml: four kinds of step, checked at start."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

NonEmpty = Annotated[str, Field(min_length=1)]
PLACEHOLDER = re.compile(r"\{(\w+)((?:\.\w+)*)\}")
ALWAYS_KNOWN = frozenset({"callback_url", "person", "assistant", "flow"})


class Part(BaseModel):
    """A piece of a flow: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Call(Part):
    """Ask a business system something; a JSON object comes back under the name `into`."""

    system: NonEmpty
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: Annotated[str, Field(pattern=r"^/")]
    body: dict[str, Any] | None = None
    into: str = "answer"


class Wait(Part):
    """Wait for the system to call `callback_url`; its JSON object comes under the name `callback`."""

    callback: NonEmpty
    hours: float = Field(24, gt=0)
    expect: dict[str, Any] = {}


class Step(Part):
    """One step: exactly one of ask, call, say, wait."""

    ask: dict[NonEmpty, NonEmpty] | None = None
    call: Call | None = None
    say: NonEmpty | None = None
    wait: Wait | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Step:
        if len(self.model_fields_set) != 1 or not any((self.ask, self.call, self.say, self.wait)):
            raise ValueError("exactly one of ask, call, say, wait is wanted")
        return self

    @property
    def brings(self) -> tuple[str, ...]:
        """The names later steps may use."""
        if self.ask:
            return tuple(self.ask)
        if self.call:
            return (self.call.into,)
        return (self.wait.callback,) if self.wait else ()


class Flow(Part):
    """A conversation that calls business systems."""

    name: NonEmpty
    start: list[NonEmpty] = Field(min_length=1)
    allow: Literal["admins", "owners", "everyone"] = "admins"
    steps: list[Step] = Field(min_length=1)
    failed: str = "{flow}失败：{error}"

    def check(self, systems: Container[str]) -> None:
        """ValueError, naming the step, when a step calls an unknown system or uses a name nothing has brought."""
        known = set(ALWAYS_KNOWN)
        for number, step in enumerate(self.steps, 1):
            where = f"flow {self.name}, step {number}"
            if step.call and step.call.system not in systems:
                raise ValueError(f"{where}: there is no system {step.call.system!r}")
            for name in _names(step.model_dump(exclude_none=True)):
                if name not in known | set(step.ask or ()):
                    raise ValueError(f"{where}: nothing before it brings {{{name}}}")
            known.update(step.brings)
        for name in _names(self.failed):
            if name not in known | {"error"}:
                raise ValueError(f"flow {self.name}, failed: nothing brings {{{name}}}")


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (match[1] for match in PLACEHOLDER.finditer(value))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)
